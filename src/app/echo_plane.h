/* The media plane by itself, for measuring: every AudioSocket leg of a load generator is a whole conversation with an echo, on one loop. For tools only. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "net/listener.h"

struct echo_plane_options {
    struct address at;             /* port 0: any */
    unsigned legs;                 /* those of media_load_id(0 .. legs-1) are let in */
    /* Once, before anybody is let in. */
    void (*on_listening)(const struct address *at, void *arg);
    void *arg;
};

struct echo_plane_result {
    uint64_t talks, frames_in, frames_out, underruns, ticks, ticks_missed, slow_turns;
    int64_t tick_late_max_us;
};

/* Runs until SIGINT or SIGTERM. 0, or what made it impossible. */
int echo_plane_run(const struct echo_plane_options *opt, struct echo_plane_result *out, const struct log *log) MUST_USE;
