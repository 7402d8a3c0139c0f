/* Carries a stream over a TCP socket: recv and send by ourselves, libuv only says when. Through uv_tcp_t each frame of a voice costs a good
 * tenth more (docs/benchmarks.md). */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/stream_internal.h"

enum {
    PARTS_MAX = 16,                /* of one write; 16 blocks are 256 KiB */
    READS_A_TURN = 8,              /* of a socket that has failed: libuv does not watch it any more */
};

struct stream_tcp {
    struct stream base;
    uv_poll_t poll;
    int fd;
    int events;                    /* watched now */
    bool has_failed;
    struct loop_deferred again;    /* reads what came before the failure */
};

static struct stream_tcp *of(struct stream *s)
{
    return (struct stream_tcp *)(void *)s;
}

static void on_ready(uv_poll_t *h, int status, int events);

static void watch(struct stream_tcp *t)
{
    const struct stream *s = &t->base;
    int want = 0;

    if (s->state >= STREAM_ENDING || t->has_failed)
        return;
    if (stream_wants_read(s))
        want |= UV_READABLE;
    if (s->out.n > 0)
        want |= UV_WRITABLE;
    if (want == t->events)
        return;
    t->events = want;
    if (want)
        uv_poll_start(&t->poll, want, on_ready);
    else
        uv_poll_stop(&t->poll);
}

/* ---- reading ---- */

static void read_failed(struct stream *s, int err)
{
    /* After our goodbye a reset is no news, unless it cost us bytes. */
    if (s->state == STREAM_CLOSING && s->out.n == 0)
        err = 0;
    stream_end(s, s->broken ? s->broken : err);
}

/* False when there is nothing more yet. */
static bool read_one(struct stream_tcp *t)
{
    struct stream *s = &t->base;
    const ssize_t n = recv(t->fd, s->loop->scratch, LOOP_SCRATCH_BYTES, MSG_DONTWAIT);

    if (n > 0)
        stream_got(s, text_make(s->loop->scratch, (size_t)n));
    else if (n == 0)
        stream_got_end(s);
    else if (errno == EAGAIN || errno == EINTR)
        return false;
    else
        read_failed(s, -errno);
    return true;
}

/* What came before the failure, then the failure itself. */
static void on_again(void *arg)
{
    struct stream_tcp *t = arg;
    struct stream *s = ref_hold(&t->base);
    int left = READS_A_TURN;

    while (left > 0 && stream_wants_read(s)) {
        if (!read_one(t)) {
            stream_end(s, s->broken ? s->broken : -ECONNRESET);
            break;
        }
        left--;
    }
    if (left == 0 && stream_wants_read(s))
        loop_defer(s->loop, &t->again);
    ref_drop(s);
}

/* libuv has stopped watching: the socket has an error. Reading tells which. */
static void socket_failed(struct stream_tcp *t)
{
    struct stream *s = &t->base;

    t->events = 0;
    t->has_failed = true;
    if (stream_wants_read(s))
        loop_defer(s->loop, &t->again);
    else
        read_failed(s, -ECONNRESET);
}

static void read_adjust(struct stream *s)
{
    struct stream_tcp *t = of(s);

    watch(t);
    if (t->has_failed && stream_wants_read(s))
        loop_defer(s->loop, &t->again);
    else
        loop_undefer(s->loop, &t->again);
}

/* ---- writing ---- */

/* How much of the parts left at once, or what went wrong. Not const: so struct iovec wants it, though sending only reads. */
static ssize_t send_some(struct stream_tcp *t, const struct text *parts, size_t count)
{
    struct iovec piece[PARTS_MAX];
    const struct msghdr m = { .msg_iov = piece, .msg_iovlen = count };
    ssize_t n;

    for (size_t i = 0; i < count; i++)
        piece[i] = (struct iovec){ .iov_base = (char *)(uintptr_t)parts[i].p, .iov_len = parts[i].n };
    do
        n = count == 1 ? send(t->fd, parts[0].p, parts[0].n, MSG_NOSIGNAL | MSG_DONTWAIT) : sendmsg(t->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -errno;
}

static size_t size_of(const struct text *parts, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += parts[i].n;
    return n;
}

static ssize_t send_all(struct stream_tcp *t, const struct text *parts, size_t count)
{
    ssize_t done = 0;

    for (size_t from = 0; from < count; from += PARTS_MAX) {
        const size_t k = count - from < PARTS_MAX ? count - from : PARTS_MAX;
        const ssize_t n = send_some(t, parts + from, k);

        if (n < 0)
            return n;
        done += n;
        if ((size_t)n < size_of(parts + from, k))
            break;
    }
    return done;
}

/* What waits, once the socket takes more. */
static void flush(struct stream_tcp *t)
{
    struct stream *s = &t->base;
    struct text parts[PARTS_MAX];
    size_t count;

    while ((count = out_queue_peek(&s->out, parts, PARTS_MAX)) > 0) {
        const size_t want = size_of(parts, count);
        const ssize_t n = send_some(t, parts, count);

        if (n < 0) {
            stream_send_failed(s, (int)n);
            break;
        }
        out_queue_drop(&s->out, (size_t)n);
        if ((size_t)n < want)
            break;
    }
    watch(t);
    if (s->state < STREAM_ENDING)
        stream_sent(s);
}

static int send_parts(struct stream *s, const struct text *parts, size_t count, size_t total)
{
    struct stream_tcp *t = of(s);
    ssize_t done = 0;
    int err;

    if (s->out.n == 0) {
        done = send_all(t, parts, count);
        if (done < 0) {
            stream_send_failed(s, (int)done);
            return 0; /* on_closed tells */
        }
        if ((size_t)done == total)
            return 0;
    }
    err = out_queue_add(&s->out, parts, count, (size_t)done);
    if (err && done == 0)
        return err;
    if (err)
        stream_end(s, err); /* half a message is out: there is no way back */
    else
        watch(t);
    return 0;
}

/* MSG_MORE holds the bytes back until the end of stream is added: one segment, one wake-up of the peer. */
static ssize_t send_last(struct stream *s, struct text t)
{
    const int fd = of(s)->fd;
    const ssize_t n = send(fd, t.p, t.n, MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if ((size_t)n == t.n)
        (void)shutdown(fd, SHUT_WR); /* fails only when the connection has gone: reading tells */
    return n;
}

static void confirm(struct stream *s)
{
    const int yes = 1;

    (void)setsockopt(of(s)->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes); /* a help, not a need */
}

/* ---- the end ---- */

static void finish(struct stream *s)
{
    const int err = shutdown(of(s)->fd, SHUT_WR);

    if (s->state == STREAM_CLOSING && (err || s->has_peer_ended))
        stream_end(s, 0);
}

static void on_gone(uv_handle_t *h)
{
    struct stream *s = h->data;
    struct loop *l = s->loop;
    const int64_t entered_us = loop_enter();

    stream_gone(s);
    loop_leave(l, "stream_closed", entered_us);
}

static void end(struct stream *s)
{
    struct stream_tcp *t = of(s);

    loop_undefer(s->loop, &t->again);
    uv_close((uv_handle_t *)&t->poll, on_gone); /* before the descriptor goes */
    close(t->fd);
    t->fd = -1;
}

static int copy_fd(struct stream *s, int *fd)
{
    const int second = fcntl(of(s)->fd, F_DUPFD_CLOEXEC, 0);

    if (second < 0)
        return -errno;
    *fd = second;
    return 0;
}

static const struct stream_backend backend = {
    .send = send_parts, .send_last = send_last, .confirm = confirm, .copy_fd = copy_fd, .read_adjust = read_adjust, .finish = finish, .end = end,
};

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct stream_tcp *t = h->data;
    struct stream *s = ref_hold(&t->base);
    const int64_t entered_us = loop_enter();

    if (status < 0)
        socket_failed(t);
    if ((events & UV_WRITABLE) && s->out.n > 0 && s->state < STREAM_ENDING)
        flush(t);
    if ((events & UV_READABLE) && stream_wants_read(s) && s->state < STREAM_ENDING)
        read_one(t);
    loop_leave(s->loop, "stream", entered_us);
    ref_drop(s);
}

static void destroy(void *obj)
{
    stream_clear(obj);
}

int stream_adopt(struct stream **out, struct loop *l, int fd, const struct stream_options *opt, const struct stream_handlers *on, void *arg)
{
    struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof from;
    struct stream_tcp *t;
    int err;

    /* Now: of a peer that has gone the kernel does not tell it any more. */
    if (getpeername(fd, (struct sockaddr *)&from, &size))
        return -errno;
    t = ref_new(sizeof *t, destroy);
    if (!t)
        return -ENOMEM;
    err = uv_poll_init(&l->uv, &t->poll, fd);
    if (err) {
        ref_drop(t);
        return err;
    }
    t->poll.data = t;
    t->fd = fd;
    t->again = (struct loop_deferred){ .fn = on_again, .arg = t };
    stream_init(&t->base, l, &backend, opt);
    t->base.from = from;
    if (on)
        stream_handle(&t->base, on, arg);
    *out = &t->base;
    return 0;
}
