/* The figures of every route, added up over all call loops: each loop is asked by a post and posts its part back. Control loop. */
#pragma once

#include "app/call_loop.h"

struct gather_from {
    struct loop *control;
    struct call_loop *const *loops;
    size_t loop_count, route_count;
};

struct gather;
/* sums: route_count of them in order of the configuration, then what fits no route; NULL without memory. late: loops that did not answer in time. */
typedef void gather_on_done(const struct route_figures *sums, size_t late, void *arg);

/* from outlives it. on_done runs once, maybe from inside: when the last part came, or by gather_finish. 0 or -ENOMEM. */
int gather_begin(struct gather **out, const struct gather_from *from, gather_on_done *on_done, void *arg) MUST_USE;
/* Tells what has come so far, now, if it was not told yet. */
void gather_finish(struct gather *g);
/* on_done does not run any more, and the handle is of no more use. Exactly once for each begin, also after on_done. */
void gather_drop(struct gather *g);
