/* One UDP port on a loop. A socket may be bound on one thread and be taken over by another one's loop. */
#pragma once

#include "net/listener.h"

struct udp;

enum { UDP_DATAGRAM_MAX = 1500 };  /* longer ones are cut, counted and thrown away */

/* Binds a non-blocking socket; at->port 0: any. 0 and *fd, or -EADDRINUSE, -EACCES, -EINVAL... */
int udp_bind(int *fd, const struct address *at, struct address *bound) MUST_USE;

struct udp_handlers {
    void (*on_datagram)(const uint8_t *bytes, size_t n, const struct address *from, int64_t at_us, void *arg);
    void (*on_closed)(void *arg);  /* last, once, never from inside udp_close */
};

struct udp_figures {
    uint64_t received, sent, refused; /* refused: the kernel did not take it */
    uint64_t oversize;
};

/* On success fd is the object's. to: where udp_send sends to. Nothing is read before udp_resume. 0, -EINVAL (to), -ENOMEM. */
int udp_adopt(struct udp **out, struct loop *l, int fd, const struct address *to, const struct udp_handlers *on,
              void *arg) MUST_USE;
int udp_resume(struct udp *u) MUST_USE;
/* 0, or -errno; never waits. */
int udp_send(struct udp *u, const uint8_t *bytes, size_t n) MUST_USE;
void udp_figures(const struct udp *u, struct udp_figures *out);
/* Frees it after on_closed. A handler may call it. */
void udp_close(struct udp *u);
/* The same without on_closed. */
void udp_abandon(struct udp *u);
