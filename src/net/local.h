/* Streams that never leave this machine: a pair of them, and a Unix socket that only its owner and root may enter. */
#pragma once

#include "net/stream.h"

struct local_listener;

/* Two streams on one loop; what one sends the other reads. On success the caller holds one reference to each. */
int stream_pair(struct stream **a, struct stream **b, struct loop *l) MUST_USE;

/* Listens at path (mode 0600). A socket that nobody answers at any more is replaced; -EADDRINUSE when somebody does, -EEXIST when
 * something else is there, -ENAMETOOLONG over 107 bytes. Peers of another user than ours or root are closed at once and counted, and so
 * are those over max_streams. The handler owns one reference to s, and calls stream_handle before returning. Thread: its loop. */
int local_listener_open(struct local_listener **out, struct loop *l, const char *path, size_t max_streams,
                        void (*on_accept)(struct stream *s, void *arg), void *arg) MUST_USE;
/* A stream that was accepted here has ended: there is room for another. */
void local_listener_left(struct local_listener *li);
uint64_t local_listener_refused(const struct local_listener *li);
/* Removes the path, too. NULL passes. */
void local_listener_close(struct local_listener *li);
