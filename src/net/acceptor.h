/* A bound and listening TCP socket on a loop, which gives out connected descriptors. */
#pragma once

#include <stdbool.h>

#include "net/listener.h"

struct acceptor;

/* The handler owns fd (non-blocking, close-on-exec, TCP_NODELAY); it may close the acceptor. */
typedef void acceptor_on_fd(int fd, void *arg);

/* 0, or -EINVAL, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOMEM... */
int acceptor_open(struct acceptor **out, struct loop *l, const struct address *at, bool reuse_port, acceptor_on_fd *on_fd,
                  void *arg) MUST_USE;
/* Who is at the other end: "127.0.0.1:45678", "" when it is gone already. */
enum { ACCEPTOR_PEER_TEXT = 80 };
void acceptor_peer(int fd, char out[ACCEPTOR_PEER_TEXT]);
void acceptor_address(const struct acceptor *a, struct address *out);
/* The port is free when this returns. NULL passes. */
void acceptor_close(struct acceptor *a);
