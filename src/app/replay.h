/* Plays recorded sessions to another implementation on a private loop, and tells every difference. No network, no channel. */
#pragma once

#include <stdio.h>

#include "base/log.h"

struct replay_options {
    const char *db;                /* the store that holds the recordings */
    const char *handler;           /* path of a Lua file (.lua), or of a script, as AGI() runs it */
    const char *sessions;          /* number of a session, or name of a route: all of it */
    size_t max;                    /* newest sessions of a route; 0 = all */
    int64_t deadline_ms;           /* of each session */
    bool json;
    const struct log *log;
};

/* Lists recordings (sessions: NULL = all). 0, or negative and one line on err. */
int replay_list(const struct replay_options *opt, FILE *out, FILE *err);
/* Returns how many sessions differ, or negative and one line on err (-ENOENT: nothing recorded under this name). */
int replay_run(const struct replay_options *opt, FILE *out, FILE *err);
