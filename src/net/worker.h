/* A few threads for work that may take long (recognition, synthesis, a data base look-up), with a bounded queue. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct worker_pool;

/* 0, -EINVAL (no threads, more than 256, or no room), -ENOMEM, -EAGAIN. */
int worker_pool_new(struct worker_pool **out, size_t threads, size_t queue_max, const char *name) MUST_USE;
/* Finishes what is queued (their done handlers are still posted), joins the threads. */
void worker_pool_free(struct worker_pool *p);
/* run(arg) on some thread of the pool, then done(arg) on the loop. Jobs of one pool start in the order submitted.
 * 0, or -ENOBUFS when the queue is full, -ENOMEM (nothing was taken). Any thread. The loop outlives the pool.
 * A done that cannot be posted waits in its worker until it can: it is never lost. */
int worker_submit(struct worker_pool *p, struct loop *l, void (*run)(void *arg), void (*done)(void *arg), void *arg) MUST_USE;
size_t worker_queue_depth(const struct worker_pool *p);
uint64_t worker_refused(const struct worker_pool *p);
