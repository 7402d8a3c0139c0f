/* Accepts connections on one port. */
#include "net/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address_internal.h"
#include "net/loop_internal.h"

enum {
    BACKLOG = 1024,
    BATCH_MAX = 64,       /* connections a turn */
    REST_MS = 100,        /* out of descriptors: the connection stays in the backlog, and would wake us at once again */
    KEEPALIVE_S = 60,     /* a peer that lost its power is noticed some minutes later, even if nobody asks */
};

struct acceptor {
    uv_poll_t poll;
    struct loop *loop;
    struct timer *rest;
    acceptor_on_fd *on_fd;
    void *arg;
    int fd;
    bool is_closed;
};

static void watch(struct acceptor *a);

static void on_rested(void *arg)
{
    watch(arg);
}

static void take_rest(struct acceptor *a, int err)
{
    const struct log log = log_for(&a->loop->log, "listener");

    log_warn(&log, "accept_failed", kv_err(err), kv_int("retry_ms", REST_MS));
    uv_poll_stop(&a->poll);
    timer_start(a->rest, REST_MS);
}

static bool is_exhaustion(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void accept_some(struct acceptor *a)
{
    for (int i = 0; i < BATCH_MAX && !a->is_closed; i++) {
        const int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            a->on_fd(fd, a->arg);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (is_exhaustion(errno)) {
            take_rest(a, -errno);
            return;
        }
        /* The rest (ECONNABORTED, EPROTO...) is the fate of one connection: accept(2). */
    }
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct acceptor *a = h->data;
    struct loop *l = a->loop;
    const int64_t entered_us = loop_enter();

    (void)events;
    if (status < 0)
        take_rest(a, status);
    else
        accept_some(a);
    loop_leave(l, "accept", entered_us);
}

static void watch(struct acceptor *a)
{
    uv_poll_start(&a->poll, UV_READABLE, on_readable);
}

static int socket_prepare(int fd, const struct sockaddr_storage *at, socklen_t size, bool reuse_port)
{
    const int yes = 1, idle_s = KEEPALIVE_S;

    /* libuv 1.44 has no flag for SO_REUSEPORT, so the socket is made here. IPv6 ports take IPv6 only: "[::]" beside
     * "0.0.0.0" on one port number is then no conflict. Accepted sockets inherit TCP_NODELAY and the keep-alive. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes)) ||
        (at->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s))
        return -errno;
    /* A port in use may show at either call. */
    if (bind(fd, (const struct sockaddr *)at, size) || listen(fd, BACKLOG))
        return -errno;
    return 0;
}

static int socket_open(int *out, const struct address *at, bool reuse_port)
{
    struct sockaddr_storage where;
    socklen_t size;
    int err = address_to_kernel(at, &where, &size);
    int fd;

    if (err)
        return err;
    fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    err = socket_prepare(fd, &where, size, reuse_port);
    if (err) {
        close(fd);
        return err;
    }
    *out = fd;
    return 0;
}

int acceptor_open(struct acceptor **out, struct loop *l, const struct address *at, bool reuse_port, acceptor_on_fd *on_fd,
                  void *arg)
{
    struct acceptor *a = calloc(1, sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    a->loop = l;
    a->on_fd = on_fd;
    a->arg = arg;
    err = socket_open(&a->fd, at, reuse_port);
    if (err)
        goto fail;
    err = timer_new(&a->rest, l, on_rested, a);
    if (err)
        goto fail_fd;
    err = uv_poll_init(&l->uv, &a->poll, a->fd);
    if (err)
        goto fail_fd;
    a->poll.data = a;
    watch(a);
    *out = a;
    return 0;
fail_fd:
    timer_free(a->rest);
    close(a->fd);
fail:
    free(a);
    return err;
}

void acceptor_peer(int fd, char out[ACCEPTOR_PEER_TEXT])
{
    if (address_of_peer(fd, out, ACCEPTOR_PEER_TEXT))
        out[0] = '\0';
}

void acceptor_address(const struct acceptor *a, struct address *out)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t n = sizeof own;

    getsockname(a->fd, (struct sockaddr *)&own, &n);
    address_from_kernel(out, &own);
}

static void on_gone(uv_handle_t *h)
{
    free(h->data);
}

void acceptor_close(struct acceptor *a)
{
    if (!a)
        return;
    a->is_closed = true;
    timer_free(a->rest);
    uv_close((uv_handle_t *)&a->poll, on_gone); /* leaves the epoll set at once, so the descriptor may go */
    close(a->fd);
}
