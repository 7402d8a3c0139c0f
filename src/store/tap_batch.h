/* What the writer stores in one transaction, kept until it is committed, so that a failed one can be given again as it was.
 * Pure but for tap_batch_write; owned by the writer's thread. */
#pragma once

#include "base/buf.h"
#include "store/journal.h"

enum { TAP_BATCH_BYTES_MAX = 512 << 20, TAP_BATCH_KEPT = 8 << 20 };

struct tap_batch {
    struct tap_event *first, *last;     /* in order; owned */
    size_t events;
    uint64_t event_bytes, facts, calls; /* calls: that ended */
    struct buf ops;                     /* facts, records, gaps, cursors: see tap_batch.c */
    uint64_t refused;                   /* facts and records for which there was no memory */
};

enum tap_batch_gap_kind { TAP_GAP_BEGINS, TAP_GAP_GROWS, TAP_GAP_ENDS };
struct tap_batch_gap {
    enum tap_batch_gap_kind kind;
    struct journal_gap gap;             /* of an end: cause and from_us, too */
};

void tap_batch_init(struct tap_batch *b);
void tap_batch_free(struct tap_batch *b);
/* Empty again; a buffer that had to grow far is given back. */
void tap_batch_clear(struct tap_batch *b);
static inline bool tap_batch_is_empty(const struct tap_batch *b) { return b->events == 0 && b->ops.n == 0; }

void tap_batch_event(struct tap_batch *b, struct tap_event *e);     /* takes ownership */
/* Copies. What does not fit is counted in refused. */
void tap_batch_fact(struct tap_batch *b, const struct call_fact *f);
void tap_batch_call(struct tap_batch *b, const struct call_record *c);
void tap_batch_gap(struct tap_batch *b, enum tap_batch_gap_kind kind, const struct journal_gap *g);
void tap_batch_seen(struct tap_batch *b, uint32_t node, int64_t at_us);
void tap_batch_cursor(struct tap_batch *b, const char *sink, int64_t fact_id, int64_t event_id);

/* All of it or nothing: begin, adds, commit; a failure is rolled back. *bad: the event that the journal would not take, or NULL. */
int tap_batch_write(struct tap_batch *b, struct journal *j, struct tap_event **bad) MUST_USE;
/* Takes one event out and frees it. */
void tap_batch_drop(struct tap_batch *b, struct tap_event *bad);
/* Walks the gaps: *at starts at 0. False when there is no more. g is borrowed. */
bool tap_batch_next_gap(const struct tap_batch *b, size_t *at, struct tap_batch_gap *g);
