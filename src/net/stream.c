/* The life of a byte stream, whatever carries it: open, closing, ending, closed. */
#include "net/stream.h"

#include <errno.h>

#include "base/ref.h"
#include "net/stream_internal.h"

void stream_init(struct stream *s, struct loop *l, const struct stream_backend *b, const struct stream_options *opt)
{
    s->loop = l;
    s->backend = b;
    s->queue_max = opt && opt->queue_max ? opt->queue_max : STREAM_QUEUE_MAX;
    ref_hold(s);
}

void stream_clear(struct stream *s)
{
    out_queue_free(&s->out);
    timer_free(s->linger);
    ref_drop(s->tally);
}

void stream_handle(struct stream *s, const struct stream_handlers *on, void *arg)
{
    s->on = *on;
    s->arg = arg;
    s->is_handled = true;
    s->backend->read_adjust(s);
}

int stream_send(struct stream *s, const struct text *parts, size_t count)
{
    size_t total = 0;

    if (s->state != STREAM_OPEN || s->broken || s->has_ended)
        return -EPIPE;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n > s->queue_max - total)
            return -EMSGSIZE;
        total += parts[i].n;
    }
    if (total == 0)
        return 0;
    if (total > s->queue_max - s->out.n) {
        s->is_refused = true;
        return -ENOBUFS;
    }
    return s->backend->send(s, parts, count, total);
}

int stream_send_text(struct stream *s, struct text t)
{
    return stream_send(s, &t, 1);
}

int stream_send_last(struct stream *s, struct text t)
{
    ssize_t done = 0;
    int err;

    if (!s->backend->send_last)
        return -EOPNOTSUPP;
    if (s->state == STREAM_OPEN && !s->broken && !s->has_ended && s->out.n == 0 && t.n > 0) {
        done = s->backend->send_last(s, t);
        if (done < 0) {
            stream_send_failed(s, (int)done);
            return 0; /* on_closed tells */
        }
        s->has_ended = (size_t)done == t.n;
        if (s->has_ended)
            return 0;
    }
    err = stream_send_text(s, text_skip(t, (size_t)done));
    if (err && done == 0)
        return err;
    if (err) {
        stream_end(s, err); /* half a message is out: there is no way back */
        return 0;
    }
    s->has_ended = true;
    if (s->out.n == 0 && s->state == STREAM_OPEN && !s->broken)
        s->backend->finish(s);
    return 0;
}

size_t stream_queued(const struct stream *s)
{
    return s->out.n;
}

void stream_confirm(struct stream *s)
{
    if (s->state == STREAM_OPEN && !s->broken && s->backend->confirm)
        s->backend->confirm(s);
}

void stream_pause(struct stream *s)
{
    s->is_paused = true;
    /* Nothing would tell us of the end any more. */
    if (s->broken)
        stream_end(s, s->broken);
    else if (s->state == STREAM_OPEN)
        s->backend->read_adjust(s);
}

void stream_resume(struct stream *s)
{
    s->is_paused = false;
    if (s->state == STREAM_OPEN)
        s->backend->read_adjust(s);
}

static void on_linger_over(void *arg)
{
    struct stream *s = arg;

    stream_end(s, s->out.n > 0 ? -ETIMEDOUT : 0);
}

void stream_close(struct stream *s, int64_t linger_ms)
{
    int err;

    if (s->state != STREAM_OPEN)
        return;
    if (s->broken) {
        stream_end(s, s->broken);
        return;
    }
    err = timer_new(&s->linger, s->loop, on_linger_over, s);
    if (err) {
        stream_end(s, s->out.n > 0 ? err : 0); /* without a deadline no waiting */
        return;
    }
    timer_start(s->linger, linger_ms);
    s->state = STREAM_CLOSING;
    s->backend->read_adjust(s);
    if (s->out.n == 0 && s->has_ended && s->has_peer_ended)
        stream_end(s, 0);
    else if (s->out.n == 0 && !s->has_ended)
        s->backend->finish(s);
}

void stream_abort(struct stream *s)
{
    stream_end(s, 0);
}

int stream_take_fd(struct stream *s, int *fd)
{
    int err;

    INVARIANT(!s->is_handled);     /* bytes may have been read otherwise */
    if (!s->backend->copy_fd)
        return -EOPNOTSUPP;
    err = s->backend->copy_fd(s, fd);
    if (!err)
        stream_abort(s);
    return err;
}

void stream_end(struct stream *s, int err)
{
    if (s->state >= STREAM_ENDING)
        return;
    s->state = STREAM_ENDING;
    s->err = err;
    if (s->linger)
        timer_stop(s->linger);
    s->backend->end(s);
}

void stream_gone(struct stream *s)
{
    s->state = STREAM_CLOSED;
    timer_free(s->linger);
    s->linger = NULL;
    out_queue_free(&s->out);
    if (s->tally)
        s->tally->live--;
    s->tally = ref_drop(s->tally);
    if (s->on.on_closed)
        s->on.on_closed(s, s->err, s->arg);
    ref_drop(s);
}

void stream_want_drain(struct stream *s)
{
    s->is_refused = true;
}

bool stream_wants_read(const struct stream *s)
{
    if (s->has_peer_ended)
        return false;
    /* While closing, input is thrown away until the peer's end: unread bytes at close() would make the kernel answer with
     * a reset, which can destroy what we sent last. */
    return s->state == STREAM_CLOSING || (s->state == STREAM_OPEN && s->is_handled && !s->is_paused);
}

void stream_got(struct stream *s, struct text bytes)
{
    if (s->state == STREAM_OPEN && s->on.on_data)
        s->on.on_data(s, bytes, s->arg);
}

void stream_got_end(struct stream *s)
{
    s->has_peer_ended = true;
    s->backend->read_adjust(s);
    if (s->broken)
        stream_end(s, s->broken);
    else if (s->state == STREAM_CLOSING && s->out.n == 0)
        stream_end(s, 0);
    else if (s->state == STREAM_OPEN && s->on.on_end)
        s->on.on_end(s, s->arg);
    else if (s->state == STREAM_OPEN)
        stream_close(s, STREAM_END_LINGER_MS);
}

void stream_sent(struct stream *s)
{
    if (s->out.n == 0 && (s->state == STREAM_CLOSING || (s->state == STREAM_OPEN && s->has_ended)))
        s->backend->finish(s);
    if (s->state != STREAM_OPEN || !s->is_refused || s->out.n > s->queue_max / 2)
        return;
    s->is_refused = false;
    if (s->on.on_drain)
        s->on.on_drain(s, s->arg);
}

void stream_send_failed(struct stream *s, int err)
{
    /* A peer that answered and left: its reset can overtake our reading of the answer. So what it sent is read to its
     * end, which such a socket reports at once; then the stream ends with this error. */
    if ((err == -EPIPE || err == -ECONNRESET) && s->state == STREAM_OPEN && stream_wants_read(s)) {
        s->broken = err;
        out_queue_free(&s->out);
        return;
    }
    stream_end(s, err);
}

const char *stream_peer(const struct stream *s)
{
    struct stream *own = (struct stream *)(uintptr_t)s; /* the text is made once; a stream has one thread */

    if (!s->peer[0] && s->from.ss_family != AF_UNSPEC)
        address_text(&s->from, own->peer, sizeof own->peer);
    return s->peer;
}

struct loop *stream_loop(const struct stream *s)
{
    return s->loop;
}
