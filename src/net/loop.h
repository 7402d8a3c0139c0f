/* One event loop, owned by one thread. The only folder that sees libuv, curl and wslay is net; no type of theirs shows.
 * Nothing that runs on a loop waits. A callback longer than LOOP_SLOW_US is counted and logged by name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct loop;
struct timer;
struct loop_signal;

enum { LOOP_SLOW_US = 5000, LOOP_POSTS_MAX = 8192 };

int loop_new(struct loop **out, const struct log *log) MUST_USE;
/* All handles must be closed and loop_run must have returned. Runs what closing handles (a lingering stream) still need,
 * and the posts that wait; aborts with a list of what was left open after 30 s. NULL passes. */
void loop_free(struct loop *l);
/* Runs until loop_stop, or until nothing is left that could happen. Call from the thread that will own the loop. */
void loop_run(struct loop *l);
/* Ends loop_run after the present turn. Any thread. */
void loop_stop(struct loop *l);
/* Runs fn(arg) on the loop, in the order posted. Any thread. 0, or -ENOBUFS when LOOP_POSTS_MAX wait, or -ENOMEM:
 * then nothing was taken. What was taken runs, at the latest in loop_free; while it waits, loop_run does not end by itself. */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg) MUST_USE;
/* Keeps loop_run from ending for lack of work, for whoever expects posts. Counted; each hold is released before loop_free.
 * loop_stop ends a held loop all the same. Any thread. */
void loop_hold(struct loop *l);
void loop_release(struct loop *l);
/* Monotonic time of this turn, milliseconds. Loop thread. */
int64_t loop_now_ms(const struct loop *l);
const struct log *loop_log(const struct loop *l);
/* Turns that took longer than LOOP_SLOW_US since the start. */
uint64_t loop_slow_turns(const struct loop *l);

/* One-shot timer, restartable. Loop thread only. timer_free inside its own callback is allowed. */
int timer_new(struct timer **out, struct loop *l, void (*on_time)(void *arg), void *arg) MUST_USE;
void timer_start(struct timer *t, int64_t ms); /* from now, not from the turn's begin; less than 1 counts as 1 */
void timer_stop(struct timer *t);
bool timer_is_running(const struct timer *t);
void timer_free(struct timer *t); /* NULL passes */

/* Delivers a signal on the loop. Process-wide: one loop a signal. Waiting for one does not keep loop_run going. */
int loop_signal_new(struct loop_signal **out, struct loop *l, int signum, void (*on_signal)(void *arg), void *arg) MUST_USE;
void loop_signal_free(struct loop_signal *s);
