/* What the files of net know of a loop and its users do not: libuv's loop, posts, deferred calls, the clock of a turn. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/clock.h"
#include "base/ring.h"
#include "net/loop.h"

enum { LOOP_SCRATCH_BYTES = 64 * 1024 };

/* A call to be made on the loop's next turn: never from inside the call that asked for it. Embedded in its owner. */
struct loop_deferred {
    struct loop_deferred *next, *prev; /* NULL: not waiting */
    void (*fn)(void *arg);
    void *arg;
};

/* One posted call. malloc'ed by who posts; the loop frees it after the call. */
struct loop_post_node {
    struct loop_post_node *next;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t turn;
    uv_idle_t idle;              /* runs while deferred calls wait */
    struct log log;
    struct ring *posts;
    _Atomic(struct loop_post_node *) late; /* posts that could not wait for room: a stack, newest first */
    atomic_size_t owed;          /* posts waiting, and promises of one (loop_hold) */
    atomic_bool is_stopping;
    struct loop_deferred deferred; /* list head */
    size_t deferred_count;
    int64_t turn_us, longest_us; /* time spent in callbacks since the last turn, and the longest of them */
    const char *longest;
    uint64_t slow_turns;
    int64_t slow_logged_us;
    char *scratch;               /* one read at a time: a handler borrows it for its call */
};

/* Runs d->fn(d->arg) on the next turn; once, however often it was asked for. */
void loop_defer(struct loop *l, struct loop_deferred *d);
void loop_undefer(struct loop *l, struct loop_deferred *d);

/* Any thread. loop_post_node: false when full, the node stays the caller's. loop_post_late cannot fail: only for a number
 * of nodes that something else bounds. */
bool loop_post_node(struct loop *l, struct loop_post_node *n);
void loop_post_late(struct loop *l, struct loop_post_node *n);

/* loop_post.c, for loop.c. */
void loop_posts_run(struct loop *l);
void loop_posts_settle(struct loop *l); /* the waker keeps the loop alive only while something is owed */

/* Every callback that libuv makes is bracketed by these, so that a slow one is known by name. */
static inline int64_t loop_enter(void) { return clock_mono_us(); }
void loop_leave(struct loop *l, const char *what, int64_t entered_us);
