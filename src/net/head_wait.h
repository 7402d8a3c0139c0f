/* Waits until the head of an HTTP message is whole on a connection that nobody reads yet, and takes exactly that: what comes behind it
 * is for whoever gets the descriptor then. Loop thread. */
#pragma once

#include "base/err.h"
#include "base/text.h"
#include "net/loop.h"

struct head_wait;

enum { HEAD_WAIT_MAX = 4096 };

/* Once. err 0: head is whole, its blank line included, and borrowed. -ETIMEDOUT; -ECONNRESET (the peer ended); -EMSGSIZE (no blank
 * line within HEAD_WAIT_MAX bytes). fd is its maker's in every case. */
typedef void head_wait_on_head(int err, struct text head, void *arg);
/* fd: connected and non-blocking. 0, -EINVAL, -ENOMEM. */
int head_wait_new(struct head_wait **out, struct loop *l, int fd, int64_t deadline_ms, head_wait_on_head *on_head, void *arg) MUST_USE;
/* Before on_head only; NULL passes. fd may be closed after it. */
void head_wait_free(struct head_wait *w);
