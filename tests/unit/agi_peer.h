/* Plays Asterisk's side of one FastAGI connection from a list of steps, on the same loop as the code under test. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

enum peer_kind { PEER_SEND, PEER_EXPECT, PEER_WAIT, PEER_QUIET, PEER_CLOSE, PEER_RESET, PEER_END };
enum { PEER_PATIENCE_MS = 8000 };

struct peer_step {
    enum peer_kind kind;
    const char *text;       /* SEND: bytes; EXPECT: a line without its LF */
    size_t n;               /* SEND: 0 = strlen */
    int line;               /* of the transcript, for messages */
    int64_t ms;             /* WAIT; QUIET: nothing may come meanwhile */
};

struct agi_peer {
    struct loop *loop;
    struct stream *stream;
    struct timer *timer;
    const struct peer_step *steps;
    size_t count, at;
    struct buf in;
    bool ended, closed, waited, done;
    char failure[1024];
    void (*on_done)(struct agi_peer *p, void *arg);
    void *arg;
};

static inline void peer_finish(struct agi_peer *p)
{
    if (p->done)
        return;
    p->done = true;
    timer_stop(p->timer);
    if (!p->closed)
        stream_close(p->stream, 100);
    p->on_done(p, p->arg);
}

static inline void peer_fail(struct agi_peer *p, const char *what, struct text got)
{
    const struct peer_step *s = p->at < p->count ? &p->steps[p->at] : NULL;

    if (!p->failure[0])
        snprintf(p->failure, sizeof p->failure, "line %d: %s\n    wanted: %s\n    got:    %.*s", s ? s->line : 0, what,
                 s && s->text ? s->text : "-", TEXT_ARG(text_head(got, 300)));
    peer_finish(p);
}

/* 1: the step is done; 0: needs more; -1: failed. */
static inline int peer_expect(struct agi_peer *p, const struct peer_step *s)
{
    const struct text all = buf_text(&p->in);
    const ptrdiff_t lf = text_find(all, '\n');
    struct text line;

    if (lf < 0) {
        if (p->ended || p->closed)
            peer_fail(p, "the connection ended", all);
        return p->ended || p->closed ? -1 : 0;
    }
    line = text_head(all, (size_t)lf);
    if (!text_eq(line, text_of(s->text))) {
        peer_fail(p, "another line came", line);
        return -1;
    }
    buf_drop(&p->in, (size_t)lf + 1);
    return 1;
}

static inline int peer_step_do(struct agi_peer *p, const struct peer_step *s)
{
    switch (s->kind) {
    case PEER_SEND:
        if (!p->closed && stream_send_text(p->stream, text_make(s->text, s->n ? s->n : strlen(s->text))))
            return 1; /* the other side has gone: what comes next will tell */
        return 1;
    case PEER_EXPECT:
        return peer_expect(p, s);
    case PEER_WAIT:
        return p->waited ? 1 : 0;
    case PEER_QUIET:
        if (p->in.n > 0) {
            peer_fail(p, "bytes came too early", buf_text(&p->in));
            return -1;
        }
        return p->waited ? 1 : 0;
    case PEER_CLOSE:
        stream_close(p->stream, 100);
        return 1;
    case PEER_RESET:
        stream_abort(p->stream);
        return 1;
    case PEER_END:
        if (p->in.n > 0) {
            peer_fail(p, "bytes came instead of the end", buf_text(&p->in));
            return -1;
        }
        return p->ended || p->closed ? 1 : 0;
    }
    return 1;
}

static inline bool peer_waits(const struct peer_step *s)
{
    return s->kind == PEER_WAIT || s->kind == PEER_QUIET;
}

static inline void peer_go(struct agi_peer *p)
{
    while (!p->done && p->at < p->count) {
        const struct peer_step *s = &p->steps[p->at];
        const int got = peer_step_do(p, s);

        if (got < 0)
            return;
        if (got == 0) {
            if (!timer_is_running(p->timer))
                timer_start(p->timer, peer_waits(s) ? s->ms : PEER_PATIENCE_MS);
            return;
        }
        timer_stop(p->timer);
        p->waited = false;
        p->at++;
    }
    if (!p->done)
        peer_finish(p);
}

static inline void peer_on_time(void *arg)
{
    struct agi_peer *p = arg;

    if (p->at < p->count && peer_waits(&p->steps[p->at])) {
        p->waited = true;
        peer_go(p);
    } else {
        peer_fail(p, "nothing came in time", buf_text(&p->in));
    }
}

static inline void peer_on_data(struct stream *s, struct text bytes, void *arg)
{
    struct agi_peer *p = arg;

    (void)s;
    buf_add_text(&p->in, bytes);
    peer_go(p);
}

static inline void peer_on_end(struct stream *s, void *arg)
{
    struct agi_peer *p = arg;

    (void)s;
    p->ended = true;
    peer_go(p);
}

static inline void peer_on_closed(struct stream *s, int err, void *arg)
{
    struct agi_peer *p = arg;

    (void)s;
    (void)err;
    p->closed = true;
    peer_go(p);
}

static inline int peer_socket(const struct address *to)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(to->port) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return -errno;
    inet_pton(AF_INET, to->host, &sa.sin_addr);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&sa, sizeof sa) || fcntl(fd, F_SETFL, O_NONBLOCK)) {
        const int err = -errno;

        close(fd);
        return err;
    }
    return fd;
}

/* Connects (the kernel's backlog answers) and starts at once. 0 or an error. */
static inline int peer_start(struct agi_peer *p, struct loop *l, const struct address *to, const struct peer_step *steps, size_t count,
                             void (*on_done)(struct agi_peer *p, void *arg), void *arg)
{
    static const struct stream_handlers handlers = { .on_data = peer_on_data, .on_end = peer_on_end, .on_closed = peer_on_closed };
    const int fd = peer_socket(to);
    int err;

    *p = (struct agi_peer){ .loop = l, .steps = steps, .count = count, .on_done = on_done, .arg = arg };
    buf_init(&p->in, 1 << 20);
    if (fd < 0)
        return fd;
    err = timer_new(&p->timer, l, peer_on_time, p);
    if (!err)
        err = stream_adopt(&p->stream, l, fd, NULL, &handlers, p);
    if (err) {
        close(fd);
        return err;
    }
    peer_go(p);
    return 0;
}

/* After the loop has run. */
static inline void peer_free(struct agi_peer *p)
{
    timer_free(p->timer);
    ref_drop(p->stream);
    buf_free(&p->in);
}
