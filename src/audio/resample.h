/* Sample-rate conversion (speexdsp, quality 3). One stream each; keeps its own history. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct resampler;

int resampler_new(struct resampler **out, unsigned from_hz, unsigned to_hz) MUST_USE;
void resampler_free(struct resampler *r);
void resampler_reset(struct resampler *r);
/* Takes all n samples, writes at most max_out and returns how many. out must hold n*to/from + 1. Allocates nothing. */
size_t resampler_run(struct resampler *r, const int16_t *in, size_t n, int16_t *out, size_t max_out);
/* Whole clip, malloc'ed result. */
int resample_clip(const int16_t *in, size_t n, unsigned from_hz, unsigned to_hz, int16_t **out, size_t *out_n) MUST_USE;
