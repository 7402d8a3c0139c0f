/* The AGI plane's figures and the process's own, under the names that outsiders see. Control loop. */
#pragma once

#include "base/metrics.h"
#include "route/routes.h"

struct console_agi {
    struct metric *command_seconds, *session_seconds, *active, *waiting, *sessions, *timeouts, *errors, *busy, *differences;
    struct series *loops_late, *memory, *cpu, *descriptors;
};

/* 0 or -ENOMEM. */
int console_agi_add(struct console_agi *a, struct metrics *m) MUST_USE;
/* sums: count of routes, then what fits none; NULL passes. late: call loops that did not answer in time; then the routes keep their last
 * complete figures. */
void console_agi_load(struct console_agi *a, const struct route_figures *sums, size_t count, size_t late);
