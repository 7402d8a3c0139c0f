/* Carries a stream over a TLS connection that libcurl opened (CONNECT_ONLY). */
#include "net/dialer_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/stream_internal.h"

enum { READS_A_TURN = 16 }; /* one gives at most one TLS record (16 KiB) */

struct stream_curl {
    struct stream base;
    uv_poll_t poll;
    struct dialer *dialer;
    CURL *easy;                /* NULL: close_notify is sent, the handle is gone */
    int fd;                    /* our own second descriptor: outlives curl's, for FIN and the peer's last bytes */
    int events;                /* watched now */
    struct loop_deferred again; /* reads without waiting for the socket: bytes may lie inside OpenSSL */
    struct text early;         /* what the first, necessary read gave; malloc'ed */
};

static struct stream_curl *of(struct stream *s)
{
    return (struct stream_curl *)(void *)s;
}

static void on_ready(uv_poll_t *h, int status, int events);

static void watch(struct stream_curl *c)
{
    const struct stream *s = &c->base;
    int want = 0;

    if (s->state >= STREAM_ENDING)
        return;
    if (stream_wants_read(s))
        want |= UV_READABLE;
    if (s->out.n > 0)
        want |= UV_WRITABLE;
    if (want == c->events)
        return;
    c->events = want;
    if (want)
        uv_poll_start(&c->poll, want, on_ready);
    else
        uv_poll_stop(&c->poll);
}

/* Sends block by block. After a refusal the next send must come from the same address with at least the same length
 * ("bad write retry" ends the connection otherwise): blocks do not move, and the first only grows. */
static void flush(struct stream_curl *c)
{
    struct stream *s = &c->base;
    struct text part;

    while (s->state < STREAM_ENDING && out_queue_peek(&s->out, &part, 1) > 0) {
        size_t sent = 0;
        const CURLcode code = curl_easy_send(c->easy, part.p, part.n, &sent);

        if (code == CURLE_AGAIN)
            break;
        if (code) {
            stream_send_failed(s, -EPIPE);
            break;
        }
        out_queue_drop(&s->out, sent);
    }
    watch(c);
}

static int send_parts(struct stream *s, const struct text *parts, size_t count, size_t total)
{
    const bool is_waiting = s->out.n > 0;
    const int err = out_queue_add(&s->out, parts, count, 0);

    (void)total;
    if (err)
        return err;
    if (!is_waiting)
        flush(of(s));
    return 0;
}

static void read_failed(struct stream *s, CURLcode code)
{
    int err = code == CURLE_RECV_ERROR ? -ECONNRESET : -EIO;

    if (s->state == STREAM_CLOSING && s->out.n == 0)
        err = 0;
    stream_end(s, s->broken ? s->broken : err);
}

/* False when there is nothing more yet. */
static bool read_one(struct stream_curl *c)
{
    struct stream *s = &c->base;
    size_t n = 0;
    CURLcode code;

    if (c->early.n > 0) {
        const struct text early = c->early;

        c->early = TEXT_NONE;
        stream_got(s, early);
        free((char *)(uintptr_t)early.p);
        return true;
    }
    code = curl_easy_recv(c->easy, s->loop->scratch, LOOP_SCRATCH_BYTES, &n);
    if (code == CURLE_AGAIN)
        return false;
    if (code)
        read_failed(s, code);
    else if (n == 0)
        stream_got_end(s); /* close_notify or a bare FIN: curl does not tell which, so protocols must frame their end */
    else
        stream_got(s, text_make(s->loop->scratch, n));
    return true;
}

/* After close_notify: what still comes is thrown away until the peer's end. */
static void discard(struct stream_curl *c)
{
    struct stream *s = &c->base;
    const ssize_t n = recv(c->fd, s->loop->scratch, LOOP_SCRATCH_BYTES, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        stream_end(s, 0);
}

static void read_some(struct stream_curl *c)
{
    struct stream *s = &c->base;
    int left = READS_A_TURN;

    if (!c->easy) {
        if (s->state < STREAM_ENDING)
            discard(c);
        return;
    }
    while (left > 0 && stream_wants_read(s) && c->easy && read_one(c))
        left--;
    if (left == 0 && stream_wants_read(s))
        loop_defer(s->loop, &c->again);
}

static void on_again(void *arg)
{
    struct stream_curl *c = arg;

    ref_hold(c);
    read_some(c);
    ref_drop(c);
}

/* libuv has stopped watching: the socket has an error. Reading tells which, after what came before it. */
static void socket_failed(struct stream_curl *c)
{
    struct stream *s = &c->base;

    c->events = 0;
    if (stream_wants_read(s) && c->easy)
        loop_defer(s->loop, &c->again);
    else
        stream_end(s, c->easy ? -ECONNRESET : 0);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct stream_curl *c = ref_hold(h->data);
    struct stream *s = &c->base;
    const int64_t entered_us = loop_enter();

    if (status < 0)
        socket_failed(c);
    if ((events & UV_WRITABLE) && s->out.n > 0) {
        flush(c);
        stream_sent(s);
    }
    if ((events & UV_READABLE) && s->state < STREAM_ENDING)
        read_some(c);
    loop_leave(s->loop, "stream_tls", entered_us);
    ref_drop(c);
}

static void read_adjust(struct stream *s)
{
    struct stream_curl *c = of(s);

    watch(c);
    if (stream_wants_read(s))
        loop_defer(s->loop, &c->again);
    else
        loop_undefer(s->loop, &c->again);
}

static void easy_close(struct stream_curl *c)
{
    if (!c->easy)
        return;
    curl_multi_remove_handle(c->dialer->multi, c->easy); /* sends close_notify, closes curl's descriptor */
    curl_easy_cleanup(c->easy);
    c->easy = NULL;
}

static void finish(struct stream *s)
{
    struct stream_curl *c = of(s);

    if (s->has_peer_ended) {
        stream_end(s, 0);
        return;
    }
    easy_close(c);
    shutdown(c->fd, SHUT_WR);
    watch(c);
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
    struct stream_curl *c = of(s);

    loop_undefer(s->loop, &c->again);
    uv_close((uv_handle_t *)&c->poll, on_gone); /* before the descriptors go */
    easy_close(c);
    close(c->fd);
}

static const struct stream_backend backend = { .send = send_parts, .read_adjust = read_adjust, .finish = finish, .end = end };

static void destroy(void *obj)
{
    struct stream_curl *c = obj;

    stream_clear(&c->base);
    free((char *)(uintptr_t)c->early.p);
    ref_drop(c->dialer);
}

/* Until the first recv or send curl counts the connection as idle, and may close it for age. */
static int touch(struct stream_curl *c, CURL *easy)
{
    char *scratch = c->base.loop->scratch;
    size_t n = 0;
    char *copy;

    if (curl_easy_recv(easy, scratch, LOOP_SCRATCH_BYTES, &n) || n == 0)
        return 0; /* nothing yet, or an end or error that the next read meets again */
    copy = malloc(n);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, scratch, n);
    c->early = text_make(copy, n);
    return 0;
}

int stream_curl_open(struct stream **out, struct dialer *d, CURL *easy)
{
    struct stream_curl *c = ref_new(sizeof *c, destroy);
    curl_socket_t fd = -1;
    int err;

    if (!c)
        return -ENOMEM;
    c->base.loop = d->loop;
    c->dialer = ref_hold(d);
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (c->fd < 0) {
        err = -errno;
        goto fail;
    }
    err = address_of_peer(c->fd, c->base.peer, sizeof c->base.peer);
    if (!err)
        err = touch(c, easy);
    if (!err)
        err = uv_poll_init(&d->loop->uv, &c->poll, c->fd);
    if (err)
        goto fail_fd;
    c->poll.data = c;
    c->again = (struct loop_deferred){ .fn = on_again, .arg = c };
    c->easy = easy;
    stream_init(&c->base, d->loop, &backend, NULL);
    *out = &c->base;
    return 0;
fail_fd:
    close(c->fd);
fail:
    ref_drop(c);
    return err;
}
