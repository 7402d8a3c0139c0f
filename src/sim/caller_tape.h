/* The caller's recording: two channels on one line of time, written a second behind, so that late samples find their place.
 * Blocking file I/O: for tools. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TAPE_SAID, TAPE_HEARD, TAPE_CHANNELS, TAPE_RATE = 8000, TAPE_RING = 8 * TAPE_RATE, TAPE_BEHIND = TAPE_RATE };

struct caller_tape;

/* path NULL: keeps nothing. */
int caller_tape_new(struct caller_tape **out, const char *path) MUST_USE;
/* Lays samples at a position. What is behind the part already written, or further than TAPE_RING ahead, is dropped and counted.
 */
void caller_tape_put(struct caller_tape *t, int channel, int64_t at, const int16_t *pcm, size_t n);
/* Writes all before `to`. */
void caller_tape_advance(struct caller_tape *t, int64_t to);
uint64_t caller_tape_dropped(const struct caller_tape *t);
/* Finishes the file and frees. The first error of writing, or 0. NULL passes. */
int caller_tape_close(struct caller_tape *t) MUST_USE;
