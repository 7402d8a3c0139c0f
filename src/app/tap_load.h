/* The whole tap under load: a firehose for each node, the tap's loop, the writer and its SQLite file, in one process; and what came of it. For tools only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tap_load_options {
    unsigned nodes, rate, calls;    /* rate: events a second of each node; 0: as fast as they are stored */
    int64_t seconds;
    const char *folder;             /* the journal is made in it, as tap-load.journal, and removed at the end */
    int64_t ahead_us;           /* the nodes' clocks, against ours */
    bool pins;                      /* the writer gets a core of its own, all the rest another */
};

struct tap_load_result {
    uint64_t sent, stored, lost, gaps, late, facts, calls_sent, calls_stored, failures, file_bytes, batches;
    double seconds;                 /* from the first event to the last one stored */
    double writer_cpu_seconds;
    int64_t lag_p50_us, lag_p99_us, lag_max_us;     /* emit to committed; p99 and max are the worst node's. -1: unknown */
    int64_t clock_error_us;     /* the worst node's estimate against ahead_us; -1: a node's clock is not known yet */
    int64_t clock_doubt_us;     /* the worst node's half of the shortest round trip */
    uint64_t rss_early, rss_end, rss_max;   /* the process, bytes; early: when a quarter of the time is over */
};

/* Blocking. 0, -ETIMEDOUT: not all that was sent was stored in time (figures are set), or what made it impossible; *problem then says it, malloc'ed. */
int tap_load_run(const struct tap_load_options *opt, struct tap_load_result *out, char **problem) MUST_USE;
