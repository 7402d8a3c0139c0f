/* The caller's recording: two channels on one line of time, written a second behind, so that late samples find their place.
 * Blocking file I/O: for tools. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TAPE_SAID, TAPE_HEARD, TAPE_CHANNELS, TAPE_RATE = 8000, TAPE_RING = 8 * TAPE_RATE, TAPE_BEHIND = TAPE_RATE };

struct tape;

/* path NULL: keeps nothing. */
int tape_new(struct tape **out, const char *path) MUST_USE;
/* Lays samples at a position. What is behind the part already written, or further than TAPE_RING ahead, is dropped and counted. */
void tape_put(struct tape *t, int channel, int64_t at, const int16_t *pcm, size_t n);
/* Writes all before `to`. */
void tape_advance(struct tape *t, int64_t to);
uint64_t tape_dropped(const struct tape *t);
/* Finishes the file and frees. The first error of writing, or 0. NULL passes. */
int tape_close(struct tape *t) MUST_USE;
