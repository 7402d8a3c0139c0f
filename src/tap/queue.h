/* From the tap loop to the writer: one bounded queue a node, so that a noisy node cannot push another's events out.
 * One thread puts (the tap loop), one takes (the writer). Never blocks, never loses silently. */
#pragma once

#include "tap/event.h"

struct tap_queue;

/* events_max and bytes_max bound what waits. on_ready(arg) runs on the putting thread when something came into an empty queue, or
 * half of it is in use: wake the writer. */
int tap_queue_new(struct tap_queue **out, uint32_t node, size_t events_max, size_t bytes_max, void (*on_ready)(void *arg), void *arg) MUST_USE;
/* What is still inside is freed. Both sides have stopped. NULL passes. */
void tap_queue_free(struct tap_queue *q);
/* Takes ownership. Full: e is freed and counted, and before the next event that fits a TAP_LOST note is put, with the number and the
 * seq behind the last that got in (a note's place is kept free for that). Notes (TAP_UP, TAP_DOWN, ...) always fit: a reserve is kept. */
void tap_queue_put(struct tap_queue *q, struct tap_event *e);
/* NULL: empty. The caller owns it. */
struct tap_event *tap_queue_take(struct tap_queue *q);
size_t tap_queue_depth(const struct tap_queue *q);      /* any thread */
uint64_t tap_queue_lost(const struct tap_queue *q);     /* events, since the start; any thread */
