/* G.711, the telephone's own eight bits: mu-law and A-law. Pure; any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void ulaw_write(unsigned char *out, const int16_t *pcm, size_t n);
void ulaw_read(int16_t *pcm, const unsigned char *in, size_t n);
void alaw_write(unsigned char *out, const int16_t *pcm, size_t n);
void alaw_read(int16_t *pcm, const unsigned char *in, size_t n);
