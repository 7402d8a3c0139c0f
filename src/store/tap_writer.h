/* The tap's writer: takes every node's queue, merges, makes facts, stores all of it in batches of 1,000 or 50 ms, on a thread of its own.
 * Events, the facts made of them, and the calls' records are in one transaction, so a kill leaves a whole prefix. */
#pragma once

#include "base/log.h"
#include "store/journal.h"
#include "tap/merge.h"
#include "tap/queue.h"

struct tap_writer;

struct tap_writer_options {
    const char *path;           /* of the journal */
    struct journal_options journal;
    struct merge_options merge; /* nodes is set by the writer */
    struct facts_options facts;
    size_t queue_events, queue_bytes;   /* of each node: 0 = 65,536 and 64 MiB */
    /* Facts that stay in the daemon's own story (break-ins, gaps); may be NULL. Any thread. */
    void (*on_gap)(const char *node, const char *cause, int64_t from_us, int64_t to_us, void *arg);
    /* A batch is committed: sinks and watchers may look. Writer's thread; must not block. */
    void (*on_commit)(void *arg);
    void *arg;
    const struct log *log;
};

struct tap_writer_node {        /* a node's figures */
    uint64_t events, lost, forged, late, gaps;
    size_t queued;
    struct merge_clock clock;
    int64_t lag_p50_us, lag_p99_us;     /* emit (by our clock) to committed, of about the last minute; -1: unknown (no time stamps) */
    int64_t lag_max_us;
};
struct tap_writer_figures {
    uint64_t events, facts, calls, batches, failures, bytes;    /* committed */
    size_t open_calls;
    uint64_t rss_bytes;
};

int tap_writer_open(struct tap_writer **out, const struct tap_writer_options *opt, char **problem) MUST_USE;
/* Writes what waits (the tap loop has stopped), joins. NULL passes. */
void tap_writer_close(struct tap_writer *w);
struct tap_queue *tap_writer_queue(struct tap_writer *w, uint32_t node);
/* Tap loop: a Ping's answer. */
void tap_writer_clock(struct tap_writer *w, uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us);
/* A sink has delivered up to these: durable with the next batch, at the latest in 50 ms. Any thread. */
void tap_writer_cursor(struct tap_writer *w, const char *sink, int64_t fact_id, int64_t event_id);
bool tap_writer_node_figures(struct tap_writer *w, uint32_t node, struct tap_writer_node *out);
void tap_writer_figures_of(struct tap_writer *w, struct tap_writer_figures *out);
/* Any thread: fn for each event name of a node that was counted, for metrics. */
void tap_writer_event_counts(struct tap_writer *w, uint32_t node, void (*fn)(struct text name, uint64_t count, void *arg), void *arg);
