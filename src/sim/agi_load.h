/* Plays Asterisk against any FastAGI server, many sessions at a time, and measures. Blocking, on one thread with its own epoll:
 * a load generator must cost less than what it measures. For tools only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hist.h"
#include "net/listener.h"

struct agi_load_options {
    struct address target;
    const char *script;  /* path of the URL, "bench" */
    unsigned concurrent; /* closed loop: sessions at a time; open loop: ceiling of sessions in flight */
    double rate;         /* sessions a second from a fixed schedule (open loop); 0 = closed loop */
    double seconds;      /* how long sessions are begun */
    unsigned held;       /* sessions that answer no command and stay until the end, opened first */
    int64_t session_ms;  /* a session that takes longer counts as failed; 0 = 10,000 */
};

struct agi_load_result {
    uint64_t sessions, failed, commands;
    uint64_t held; /* of those asked for, how many were still open at the end */
    uint64_t
        late_starts; /* open loop: arrivals that waited because the ceiling was met; they count from their scheduled time */
    double seconds;  /* from the first start to the last end */
    struct hist session_us; /* closed loop: from connect; open loop: from the scheduled arrival; to the server's close */
    struct hist first_us;   /* to the first command */
};

/* 0, or what made it impossible (-EMFILE: raise the limit of open files; -ECONNREFUSED: nobody listens). */
int agi_load_run(const struct agi_load_options *opt, struct agi_load_result *out) MUST_USE;
