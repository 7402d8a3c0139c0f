/* From the tap loop to the writer: one bounded queue a node, so that a noisy node cannot push another's events out.
 * One thread puts (the tap loop), one takes (the writer). Never blocks, never loses silently. */
#pragma once

#include "tap/event.h"

struct tap_queue;

/* events_max and bytes_max bound what waits. on_ready(arg) runs on the putting thread, behind the put, when the taker had found nothing
 * (or never looked), and once when half of it is in use: wake the writer. 0, -EINVAL (events_max 0), -ENOMEM. */
int tap_queue_new(struct tap_queue **out, uint32_t node, size_t events_max, size_t bytes_max, void (*on_ready)(void *arg), void *arg) MUST_USE;
/* What is still inside is freed. Both sides have stopped. NULL passes. */
void tap_queue_free(struct tap_queue *q);
/* Takes ownership. Full: e is freed and counted, and before the next event that fits a TAP_LOST note is put, with the number, and with
 * session, seq and recv_us of the first that was lost. After a loss events fit again when an eighth is free, so that a full queue makes few gaps.
 * Notes (TAP_UP, TAP_DOWN, ...) fit beside it: a reserve of 1,024 (and 4 MiB) is theirs. A list of TAP_PRESENT that lost one ends as TAP_PRESENT_NONE. */
void tap_queue_put(struct tap_queue *q, struct tap_event *e);
/* NULL: empty. The caller owns it. */
struct tap_event *tap_queue_take(struct tap_queue *q);
size_t tap_queue_depth(const struct tap_queue *q);      /* any thread */
uint64_t tap_queue_lost(const struct tap_queue *q);     /* events, since the start; any thread */
