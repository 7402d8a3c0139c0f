/* What the files of the tap's writer share among themselves: nobody else includes this. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/hist.h"
#include "store/store_parts.h"
#include "store/tap_batch.h"
#include "store/tap_writer.h"

enum {
    TAP_WRITER_BATCH = 1000,        /* events a transaction */
    TAP_WRITER_SAMPLES = 256,       /* answers to Pings that wait; more are left out */
    TAP_WRITER_CURSORS = 64,        /* sinks */
    TAP_WRITER_LAG_US = 30 * 1000000, /* figures are of the last one to two of these */
};

struct writer_node {
    struct tap_writer *writer;
    const char *name;
    struct tap_queue *queue;
    /* Writer's thread: */
    size_t held;                    /* in the merge */
    bool is_up, has_gap;            /* has_gap: one is open, in the journal or in the batch */
    char gap_cause[16];
    int64_t gap_from_us, last_us;   /* last_us: order of the last event; 0: none yet */
    int64_t ping_us;                /* a Ping sent then was answered: all that was emitted before stands in the queue; 0: none */
    bool has_moved;                 /* last_us is younger than what the journal was told */
    /* Under the lock: */
    struct tap_writer_node figures; /* lags: made when asked */
    struct hist lag[2];             /* [0] being filled */
    uint64_t names[TAP_EVENTS_END];
};

struct writer_sample {
    uint32_t node;
    int64_t sent_us, got_us, node_us;
};

struct writer_cursor {
    char sink[80];
    int64_t fact_id, event_id;
    bool is_new;
};

struct tap_writer {
    struct tap_writer_options opt;
    struct log log;
    char *path;
    size_t node_count;
    struct writer_node *nodes;
    struct store_bell bell;
    bool has_bell, has_thread, has_lock;
    pthread_t thread;
    atomic_bool stop;
    atomic_size_t mail;             /* samples and cursors that wait */

    pthread_mutex_t lock;           /* of what follows, up to the line; held for moments only */
    struct writer_sample samples[TAP_WRITER_SAMPLES];
    size_t sample_count;
    struct writer_cursor cursors[TAP_WRITER_CURSORS];
    size_t cursor_count;
    struct tap_writer_figures figures;
    int64_t lag_turned_us;
    /* ---- the writer's thread ---- */
    struct journal *journal;
    struct merge *merge;
    struct facts *facts;
    struct tap_batch batch;
    int64_t batch_since_us;         /* monotonic; 0: empty */
    int64_t flushed_us, trimmed_us; /* monotonic */
    bool has_more_to_trim, is_failing;
    bool is_unflushed;              /* something was taken since the rows of running calls were told */
    int64_t failing_told_us, stopping_since_us;
};

/* tap_writer_gaps.c. A note, before the facts have taken it: gaps begin and end. */
void writer_gap_note(struct tap_writer *w, const struct tap_event *e);
/* The gaps that the journal has open. */
int writer_gaps_load(struct tap_writer *w) MUST_USE;
/* Log and on_gap, once they are committed. */
void writer_gaps_tell(struct tap_writer *w);

/* tap_writer_figures.c */
void writer_count_batch(struct tap_writer *w);      /* the batch is committed */
