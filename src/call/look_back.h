/* What the caller said a moment ago: a ring of LOOK_BACK_MS, so that a first syllable that was withheld is not lost. No allocation but at its making. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct look_back;

enum { LOOK_BACK_MS = 600 };

int look_back_new(struct look_back **out, unsigned rate_hz) MUST_USE;
void look_back_free(struct look_back *l); /* NULL passes */
void look_back_keep(struct look_back *l, const int16_t *pcm, size_t n);
void look_back_forget(struct look_back *l);
/* The last n samples at most, oldest first, in one or two pieces. */
void look_back_tell(const struct look_back *l, size_t n, void (*piece)(const int16_t *pcm, size_t n, void *arg), void *arg);
