/* Carries a stream over a TCP socket of libuv. */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/ref.h"
#include "net/stream_internal.h"

enum { BUFS_MAX = 16 }; /* of one write; 16 blocks are 256 KiB */

struct stream_uv {
    struct stream base;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    size_t writing;        /* bytes of the write in flight; 0: none */
    bool is_reading;
};

static struct stream_uv *of(struct stream *s)
{
    return (struct stream_uv *)(void *)s;
}

static uv_stream_t *handle_of(struct stream_uv *u)
{
    return (uv_stream_t *)&u->tcp;
}

/* Not const: so libuv wants it, though it only reads. */
static uv_buf_t buf_of(struct text t)
{
    return uv_buf_init((char *)(uintptr_t)t.p, (unsigned)t.n);
}

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    const struct stream *s = h->data;

    (void)suggested;
    *out = uv_buf_init(s->loop->scratch, LOOP_SCRATCH_BYTES);
}

static void read_failed(struct stream *s, int err)
{
    /* After our goodbye a reset is no news, unless it cost us bytes. */
    if (s->state == STREAM_CLOSING && s->out.n == 0)
        err = 0;
    stream_end(s, s->broken ? s->broken : err);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = ref_hold(h->data);
    const int64_t entered_us = loop_enter();

    if (n > 0)
        stream_got(s, text_make(b->base, (size_t)n));
    else if (n == UV_EOF)
        stream_got_end(s);
    else if (n < 0)
        read_failed(s, (int)n);
    loop_leave(s->loop, "stream_read", entered_us);
    ref_drop(s);
}

static void read_adjust(struct stream *s)
{
    struct stream_uv *u = of(s);
    const bool wants = stream_wants_read(s);

    if (wants == u->is_reading)
        return;
    u->is_reading = wants;
    if (!wants)
        uv_read_stop(handle_of(u));
    else if (uv_read_start(handle_of(u), on_room, on_read))
        stream_end(s, -EIO);
}

static void write_start(struct stream_uv *u);

static void on_written(uv_write_t *req, int status)
{
    struct stream_uv *u = req->data;
    struct stream *s = ref_hold(&u->base);
    const int64_t entered_us = loop_enter();
    const size_t n = u->writing;

    u->writing = 0;
    if (status < 0 && s->state < STREAM_ENDING) {
        stream_send_failed(s, status);
    } else if (s->state < STREAM_ENDING) {
        out_queue_drop(&s->out, n);
        write_start(u);
        stream_sent(s);
    }
    loop_leave(s->loop, "stream_write", entered_us);
    ref_drop(s);
}

static void write_start(struct stream_uv *u)
{
    struct text part[BUFS_MAX];
    uv_buf_t bufs[BUFS_MAX];
    const size_t count = out_queue_peek(&u->base.out, part, BUFS_MAX);
    int err;

    if (count == 0 || u->writing > 0)
        return;
    for (size_t i = 0; i < count; i++) {
        bufs[i] = buf_of(part[i]);
        u->writing += part[i].n;
    }
    u->write.data = u;
    err = uv_write(&u->write, handle_of(u), bufs, (unsigned)count, on_written);
    if (err) {
        u->writing = 0;
        stream_end(&u->base, err);
    }
}

/* How much of the parts left at once, or what went wrong. */
static ssize_t try_parts(struct stream_uv *u, const struct text *parts, size_t count)
{
    ssize_t done = 0;

    for (size_t from = 0; from < count; from += BUFS_MAX) {
        uv_buf_t bufs[BUFS_MAX];
        const size_t n = count - from < BUFS_MAX ? count - from : BUFS_MAX;
        ssize_t want = 0;
        int k;

        for (size_t i = 0; i < n; i++) {
            bufs[i] = buf_of(parts[from + i]);
            want += (ssize_t)parts[from + i].n;
        }
        k = uv_try_write(handle_of(u), bufs, (unsigned)n);
        if (k < 0 && k != UV_EAGAIN)
            return k;
        done += k > 0 ? k : 0;
        if (k < want)
            break;
    }
    return done;
}

static int send_parts(struct stream *s, const struct text *parts, size_t count, size_t total)
{
    struct stream_uv *u = of(s);
    ssize_t done = 0;
    int err;

    if (s->out.n == 0) {
        done = try_parts(u, parts, count);
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
    if (err) {
        stream_end(s, err); /* half a message is out: there is no way back */
        return 0;
    }
    write_start(u);
    return 0;
}

/* MSG_MORE holds the bytes back until the end of stream is added: one segment, one wake-up of the peer. */
static ssize_t send_last(struct stream *s, struct text t)
{
    uv_os_fd_t fd;
    ssize_t n;

    if (uv_fileno((uv_handle_t *)&of(s)->tcp, &fd))
        return 0;
    n = send(fd, t.p, t.n, MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if ((size_t)n == t.n)
        (void)shutdown(fd, SHUT_WR); /* fails only when the connection has gone: reading tells */
    return n;
}

static void confirm(struct stream *s)
{
    const int yes = 1;
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&of(s)->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes); /* a help, not a need */
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct stream *s = req->data;

    if (s->state != STREAM_CLOSING)
        return;
    if (status < 0 || s->has_peer_ended)
        stream_end(s, 0);
}

static void finish(struct stream *s)
{
    struct stream_uv *u = of(s);

    u->shutdown.data = s;
    if (uv_shutdown(&u->shutdown, handle_of(u), on_shutdown))
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
    uv_close((uv_handle_t *)&of(s)->tcp, on_gone);
}

static const struct stream_backend backend = {
    .send = send_parts, .send_last = send_last, .confirm = confirm, .read_adjust = read_adjust, .finish = finish, .end = end,
};

static void destroy(void *obj)
{
    stream_clear(obj);
}

static int stream_new(struct stream_uv **out, struct loop *l, const struct stream_options *opt)
{
    struct stream_uv *u = ref_new(sizeof *u, destroy);

    if (!u)
        return -ENOMEM;
    stream_init(&u->base, l, &backend, opt);
    uv_tcp_init(&l->uv, &u->tcp);
    u->tcp.data = &u->base;
    *out = u;
    return 0;
}

/* The handle's memory is libuv's until its close callback. */
static void stream_discard(struct stream_uv *u)
{
    u->base.on = (struct stream_handlers){ 0 };
    stream_end(&u->base, 0);
    ref_drop(&u->base);
}

int stream_adopt(struct stream **out, struct loop *l, int fd, const struct stream_options *opt,
                 const struct stream_handlers *on, void *arg)
{
    struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof from;
    struct stream_uv *u;
    int err;

    /* Now: of a peer that has gone the kernel does not tell it any more. */
    if (getpeername(fd, (struct sockaddr *)&from, &size))
        return -errno;
    err = stream_new(&u, l, opt);
    if (err)
        return err;
    err = uv_tcp_open(&u->tcp, fd);
    if (err) {
        stream_discard(u);
        return err;
    }
    u->base.from = from;
    if (on)
        stream_handle(&u->base, on, arg);
    *out = &u->base;
    return 0;
}
