/* In-band DTMF (spandsp): receiver and sender for one stream of 8 kHz samples. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct dtmf_receiver;

int dtmf_receiver_new(struct dtmf_receiver **out) MUST_USE;
void dtmf_receiver_free(struct dtmf_receiver *d);
/* Feeds samples; digits heard are written to out (at most max), returns how many. */
size_t dtmf_receiver_feed(struct dtmf_receiver *d, const int16_t *pcm, size_t n, char *out, size_t max);
/* Writes the tones of digits (70 ms on, 70 ms off) as 8 kHz samples, malloc'ed. -EINVAL for an unknown digit. */
int dtmf_make(const char *digits, int16_t **out, size_t *n) MUST_USE;
