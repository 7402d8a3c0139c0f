/* What is still to be said to the caller: a fixed ring of samples with marks, drained by the audio clock. It knows at each
 * instant which samples of which item have been heard, so that an interruption can be told exactly. Pure. The ring grows with what is added and is small again when an item
 * begins after silence, so that a quiet talk holds little; taking, flushing and finishing never allocate. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PLAYOUT_ITEMS = 32 };

struct playout;

int playout_new(struct playout **out, unsigned rate_hz, size_t max_ms) MUST_USE;
void playout_free(struct playout *p);
/* Begins a new item (an answer, a sentence). Items play in order. -ENOBUFS when PLAYOUT_ITEMS wait. */
int playout_begin(struct playout *p, uint32_t item) MUST_USE;
/* Adds samples to the newest item; returns how many fitted: fewer at the ceiling, or without memory (the rest is the caller's to keep or drop). */
size_t playout_add(struct playout *p, const int16_t *pcm, size_t n);
/* No more samples for the newest item. */
void playout_finish(struct playout *p);
/* Takes up to n samples; the rest of out is silence. Returns samples that were speech. *ended is the id of an item whose
 * last sample was just taken, or 0 (one item at most a call). */
size_t playout_take(struct playout *p, int16_t *out, size_t n, uint32_t *ended);
/* Drops all that waits, with an 8 ms fade of what is taken next. *item and *played_ms tell what was playing and how much of it was heard
 * (0 when nothing was). Returns dropped milliseconds. */
unsigned playout_flush(struct playout *p, uint32_t *item, unsigned *played_ms);
unsigned playout_waiting_ms(const struct playout *p);
size_t playout_room(const struct playout *p);      /* samples that playout_add would take, memory permitting */
bool playout_is_talking(const struct playout *p);  /* something waits or an item is unfinished */
uint64_t playout_underruns(const struct playout *p); /* takes that found an unfinished item empty after it had begun to play */
