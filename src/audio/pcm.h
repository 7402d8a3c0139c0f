/* 16-bit linear mono samples: levels and small operations. Pure; no allocation. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int pcm_rms(const int16_t *s, size_t n);                /* 0..32767; 0 for n == 0 */
int pcm_peak(const int16_t *s, size_t n);
double pcm_dbfs(int rms);                               /* -inf as -120 */
/* into += from, saturating. */
void pcm_mix(int16_t *into, const int16_t *from, size_t n);
/* Linear fade over n samples, gain from..to in 1/256. */
void pcm_fade(int16_t *s, size_t n, int from256, int to256);
