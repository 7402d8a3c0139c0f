/* A listening TCP port: each accepted connection becomes a stream on this loop, or, for a greeter, a descriptor with its
 * first bytes, to be given to whichever loop should own it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/allow.h"
#include "net/stream.h"

struct listener;
struct greeter;

struct address {
    char host[64];  /* numeric IPv4 or IPv6 without brackets */
    uint16_t port;  /* 0: any free one */
};

/* "127.0.0.1:4573", "[::1]:4573". 0 or -EINVAL. Names are not accepted: a listener must not depend on look-ups. */
int address_parse(struct text t, struct address *out) MUST_USE;
void address_format(const struct address *a, char *out, size_t size);

struct listener_options {
    bool reuse_port;          /* several loops share the port; the kernel spreads connections */
    size_t max_streams;       /* more are accepted and closed at once, counted; 0 = 10,000 */
    struct stream_options stream;
    const struct allow_list *allow; /* other hosts are closed at once and counted, told once a minute; NULL: all may. Copied */
};

/* The handler owns one reference to s; it calls stream_handle before returning, or the stream is aborted. */
typedef void listener_on_accept(struct stream *s, void *arg);

/* 0, or -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL (no numeric address), -ENOMEM... An IPv6 port takes IPv6 only. */
int listener_open(struct listener **out, struct loop *l, const struct address *at, const struct listener_options *opt,
                  listener_on_accept *on_accept, void *arg) MUST_USE;
/* The port in fact bound. */
void listener_address(const struct listener *li, struct address *out);
uint64_t listener_refused(const struct listener *li);   /* closed for max_streams, or for want of memory */
uint64_t listener_strangers(const struct listener *li); /* closed because they are not on the list */
/* No more accepts; streams live on. NULL passes. */
void listener_close(struct listener *li);

/* Accepts, reads exactly `bytes` first bytes within deadline_ms (never one more), and hands both over. The handler owns fd
 * (connected, non-blocking, TCP_NODELAY). Late, short or cut greetings are closed and counted; so are those over max_pending. */
struct greeter_options {
    size_t bytes;             /* at most 64 */
    int64_t deadline_ms;
    size_t max_pending;
};
typedef void greeter_on_greeting(int fd, const uint8_t *bytes, const char *peer, void *arg);

int greeter_open(struct greeter **out, struct loop *l, const struct address *at, const struct greeter_options *opt,
                 greeter_on_greeting *on_greeting, void *arg) MUST_USE;
void greeter_address(const struct greeter *g, struct address *out);
uint64_t greeter_refused(const struct greeter *g);
void greeter_close(struct greeter *g);
