/* Reads datagrams in bounded batches and sends single ones. */
#include "net/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/address_internal.h"
#include "net/loop_internal.h"

enum { BATCH = 16 };               /* one turn takes no more: other legs wait */

struct udp {
    uv_poll_t poll;
    struct loop *loop;
    const struct udp_handlers *on;
    void *arg;
    int fd;
    bool is_closing;
    struct sockaddr_storage to;
    socklen_t to_size;
    struct udp_figures figures;
};

int udp_bind(int *fd, const struct address *at, struct address *bound)
{
    struct sockaddr_storage where;
    socklen_t size;
    int err = address_to_kernel(at, &where, &size), s;

    if (err)
        return err;
    s = socket(where.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -errno;
    if (bind(s, (struct sockaddr *)&where, size) != 0 || getsockname(s, (struct sockaddr *)&where, &size) != 0) {
        err = -errno;
        close(s);
        return err;
    }
    address_from_kernel(bound, &where);
    *fd = s;
    return 0;
}

/* False: nothing more to read, or closed meanwhile. */
static bool read_one(struct udp *u)
{
    uint8_t bytes[UDP_DATAGRAM_MAX];
    struct sockaddr_storage from;
    struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
    struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1 };
    const ssize_t n = recvmsg(u->fd, &m, 0);
    struct address sender;

    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED; /* refused: an earlier datagram of ours found nobody */
    if (m.msg_flags & MSG_TRUNC) {
        u->figures.oversize++;
        return true;
    }
    u->figures.received++;
    address_from_kernel(&sender, &from);
    u->on->on_datagram(bytes, (size_t)n, &sender, clock_mono_us(), u->arg);
    return !u->is_closing;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct udp *u = h->data;
    struct loop *l = u->loop;
    const int64_t entered_us = loop_enter();

    (void)status;
    (void)events;
    for (unsigned i = 0; i < BATCH; i++) {
        if (!read_one(u))
            break;
    }
    loop_leave(l, "udp", entered_us);
}

int udp_adopt(struct udp **out, struct loop *l, int fd, const struct address *to, const struct udp_handlers *on, void *arg)
{
    struct udp *u = calloc(1, sizeof *u);
    int err;

    if (!u)
        return -ENOMEM;
    u->loop = l;
    u->fd = fd;
    u->on = on;
    u->arg = arg;
    err = address_to_kernel(to, &u->to, &u->to_size);
    if (!err)
        err = uv_poll_init(&l->uv, &u->poll, fd);
    if (err) {
        free(u);
        return err;
    }
    u->poll.data = u;
    *out = u;
    return 0;
}

int udp_resume(struct udp *u)
{
    return uv_poll_start(&u->poll, UV_READABLE, on_readable);
}

int udp_send(struct udp *u, const uint8_t *bytes, size_t n)
{
    if (sendto(u->fd, bytes, n, MSG_DONTWAIT, (struct sockaddr *)&u->to, u->to_size) == (ssize_t)n) {
        u->figures.sent++;
        return 0;
    }
    u->figures.refused++;
    return -errno;
}

void udp_figures(const struct udp *u, struct udp_figures *out)
{
    *out = u->figures;
}

static void on_gone(uv_handle_t *h)
{
    struct udp *u = h->data;
    const int64_t entered_us = loop_enter();
    struct loop *l = u->loop;

    if (u->on)
        u->on->on_closed(u->arg);
    free(u);
    loop_leave(l, "udp closed", entered_us);
}

void udp_close(struct udp *u)
{
    if (u->is_closing)
        return;
    u->is_closing = true;
    uv_close((uv_handle_t *)&u->poll, on_gone);
    close(u->fd);
}

void udp_abandon(struct udp *u)
{
    u->on = NULL;
    udp_close(u);
}
