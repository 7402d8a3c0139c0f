/* A WebSocket, of either end: dials or was accepted, then moves frames between a stream and its user; the handshake is ws_opening.c's. */
#include "net/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/dialer_internal.h"
#include "net/stream_internal.h"
#include "net/websocket_internal.h"

enum {
    MESSAGE_MAX = 1024 * 1024,
    QUEUE_MAX = 1024 * 1024,
    STAGED_MAX = 64 * 1024,      /* frames leave in pieces of this size; a small message is one write, one TLS record */
    FLOOD_MAX = 64 * 1024,       /* pongs that wait, above the user's ceiling: then we read no more pings */
    CLOSE_MS = 1500,             /* for the peer's close frame */
    PINGS_UNANSWERED = 2,
};

/* ---- the end ---- */

void websocket_cause(struct websocket *w, int err, int status, const char *detail)
{
    if (w->has_cause)
        return;
    w->has_cause = true;
    w->err = err;
    w->status = status;
    text_copy(w->detail, sizeof w->detail, text_of(detail));
}

/* From the loop only: runs on_closed. */
static void finish(struct websocket *w)
{
    if (w->state == WS_CLOSED)
        return;
    w->state = WS_CLOSED;
    loop_undefer(w->loop, &w->ending);
    timer_stop(w->deadline);
    timer_stop(w->pinger);
    w->stream = ref_drop(w->stream);
    websocket_cause(w, 0, 0, "closed before it was open");
    if (w->on.on_closed)
        w->on.on_closed(w, w->err, w->status, w->detail, w->arg);
    ref_drop(w);
}

static void on_ending(void *arg)
{
    finish(arg);
}

void websocket_fail(struct websocket *w, int err, const char *detail)
{
    websocket_cause(w, err, 0, detail);
    w->state = WS_ENDING;
    stream_abort(w->stream);
}

static const char *fault_text(int status)
{
    switch (status) {
    case 1002:
        return "the peer broke the WebSocket protocol";
    case 1007:
        return "the peer sent text that is not UTF-8";
    case 1009:
        return "the peer sent a message over our ceiling";
    default:
        return "closed by us";
    }
}

static int fault_err(int status)
{
    return status == 1009 ? -EMSGSIZE : status == 1007 ? -EILSEQ : status == 1002 ? -EPROTO : 0;
}

static void set_peer_cause(struct websocket *w, const struct ws_close_seen *seen)
{
    char detail[WS_DETAIL_MAX];

    snprintf(detail, sizeof detail, "the peer closed with %d%s%s", seen->status, seen->reason[0] ? ": " : "", seen->reason);
    for (char *c = detail; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    websocket_cause(w, 0, seen->status, detail);
}

/* Both close frames are done with, or the peer was faulty and was told so. */
static void end_in_order(struct websocket *w)
{
    struct ws_close_seen seen;
    const int sent = ws_framing_close_sent(w->framing);

    ws_framing_close_seen(w->framing, &seen);
    if (ws_framing_is_broken(w->framing))
        websocket_cause(w, -EPROTO, 1002, fault_text(1002));
    else if (seen.status)
        set_peer_cause(w, &seen);
    else
        websocket_cause(w, fault_err(sent), sent, fault_text(sent));
    w->state = WS_ENDING;
    timer_stop(w->deadline);
    stream_close(w->stream, WS_CLOSE_LINGER_MS);
}

/* ---- output ---- */

static size_t unsent(const struct websocket *w)
{
    return ws_framing_queued(w->framing) + w->staged.n + stream_queued(w->stream);
}

static void flush(struct websocket *w)
{
    const int err = w->staged.n > 0 ? stream_send_text(w->stream, buf_text(&w->staged)) : 0;

    if (err == -ENOBUFS)
        return; /* on_drain comes back here */
    buf_clear(&w->staged);
    if (err == -ENOMEM)
        websocket_fail(w, err, "out of memory");
    /* -EPIPE: the stream's on_closed is on its way. */
}

static size_t on_frame_bytes(struct text bytes, void *arg)
{
    struct websocket *w = arg;
    size_t n;

    if (w->staged.n + bytes.n > STAGED_MAX)
        flush(w);
    n = STAGED_MAX - w->staged.n;
    n = n < bytes.n ? n : bytes.n;
    if (n > 0 && buf_add(&w->staged, bytes.p, n)) {
        websocket_fail(w, -ENOMEM, "out of memory");
        return 0;
    }
    return n;
}

/* wslay sends a close frame before the messages that wait, and drops those: so it gets ours when none waits. */
static int close_frame_queue(struct websocket *w)
{
    const int status = w->close_wanted;
    int err;

    if (!status || ws_framing_queued(w->framing) > 0 || ws_framing_is_deaf(w->framing))
        return 0;
    w->close_wanted = 0;
    err = ws_framing_close(w->framing, status, text_of(w->close_reason));
    if (err == -EINVAL)
        err = ws_framing_close(w->framing, 1000, text_of(w->close_reason));
    if (err == -EPIPE)
        return 0; /* the peer's was answered meanwhile */
    return err ? err : ws_framing_pump(w->framing);
}

static void pump(struct websocket *w)
{
    if (w->state != WS_OPEN && w->state != WS_CLOSING)
        return;
    if (ws_framing_pump(w->framing) || close_frame_queue(w))
        websocket_fail(w, -ENOMEM, "out of memory");
    flush(w);
    if (w->state == WS_ENDING)
        return;
    if (ws_framing_is_finished(w->framing) && w->staged.n == 0) {
        end_in_order(w);
        return;
    }
    /* Nothing of the peer's is wanted any more, but our close frame is not out yet. */
    if (ws_framing_is_deaf(w->framing) && w->state == WS_OPEN) {
        w->state = WS_CLOSING;
        timer_start(w->deadline, CLOSE_MS);
    }
}

/* A peer that sends pings and does not read the pongs fills our queue: it is read again when it has. */
static void flood_check(struct websocket *w)
{
    const bool is_flooded = unsent(w) > w->queue_max + FLOOD_MAX;

    if (is_flooded)
        stream_want_drain(w->stream);
    if (is_flooded == w->is_flooded)
        return;
    w->is_flooded = is_flooded;
    if (is_flooded)
        stream_pause(w->stream);
    else
        stream_resume(w->stream);
}

static void on_stream_drain(struct stream *s, void *arg)
{
    struct websocket *w = arg;

    pump(w);
    if (w->state != WS_OPEN)
        return;
    flood_check(w);
    if (!w->is_refused)
        return;
    if (unsent(w) > w->queue_max / 2) {
        stream_want_drain(s);
        return;
    }
    w->is_refused = false;
    if (w->on.on_drain)
        w->on.on_drain(w, w->arg);
}

/* ---- input ---- */

static void on_message(bool is_text, struct text message, void *arg)
{
    struct websocket *w = arg;

    if (w->state == WS_OPEN && w->on.on_message)
        w->on.on_message(w, is_text, message, w->arg);
}

void websocket_frames(struct websocket *w, struct text bytes)
{
    w->has_heard = true;
    if (ws_framing_read(w->framing, bytes))
        websocket_fail(w, -ENOMEM, "out of memory");
    pump(w);
    if (w->state == WS_OPEN)
        flood_check(w);
}

static void on_stream_data(struct stream *s, struct text bytes, void *arg)
{
    struct websocket *w = ref_hold(arg);

    (void)s;
    if (w->state == WS_SHAKING && w->on_request)
        ws_opening_request(w, bytes);
    else if (w->state == WS_SHAKING)
        ws_opening_answer(w, bytes);
    else if (w->state == WS_OPEN || w->state == WS_CLOSING)
        websocket_frames(w, bytes);
    if (w->confirms && w->stream)
        stream_confirm(w->stream);
    ref_drop(w);
}

/* The connection ended without the peer's close frame. When ours was out, that is no error of its own. */
static void set_lost_cause(struct websocket *w, int err, const char *detail)
{
    const int sent = w->state == WS_CLOSING ? ws_framing_close_sent(w->framing) : 0;

    if (sent)
        websocket_cause(w, fault_err(sent), sent, fault_text(sent));
    else
        websocket_cause(w, err, 0, detail);
}

static void on_stream_end(struct stream *s, void *arg)
{
    struct websocket *w = arg;

    (void)s;
    set_lost_cause(w, -ECONNRESET, w->state == WS_SHAKING ? "the server hung up before its answer was complete"
                                                          : "the connection ended without a close frame");
    websocket_fail(w, 0, "");
}

static void on_stream_closed(struct stream *s, int err, void *arg)
{
    struct websocket *w = arg;

    (void)s;
    set_lost_cause(w, err ? err : -ECONNRESET, err ? err_text(err) : "the connection was lost");
    finish(w);
}

/* ---- time ---- */

static void on_deadline(void *arg)
{
    struct websocket *w = arg;

    switch (w->state) {
    case WS_DIALING:
        dial_cancel(w->dial);
        w->dial = NULL;
        websocket_cause(w, -ETIMEDOUT, 0, "the connection was not made in time");
        finish(w);
        break;
    case WS_SHAKING:
        websocket_fail(w, -ETIMEDOUT, "the server did not answer the request in time");
        break;
    case WS_CLOSING:
        set_lost_cause(w, -ETIMEDOUT, "the peer did not take what was sent before the close");
        websocket_fail(w, 0, "");
        break;
    default:
        break;
    }
}

static void on_ping_time(void *arg)
{
    struct websocket *w = arg;

    if (w->state != WS_OPEN)
        return;
    w->pings_unanswered = w->has_heard ? 0 : w->pings_unanswered + 1;
    w->has_heard = false;
    if (w->pings_unanswered == PINGS_UNANSWERED) {
        websocket_fail(w, -ETIMEDOUT, "nothing came back for two pings");
        return;
    }
    timer_start(w->pinger, w->ping_ms);
    if (ws_framing_ping(w->framing) == 0)
        pump(w);
}

/* ---- the beginning ---- */

static const struct stream_handlers stream_on = { on_stream_data, on_stream_end, on_stream_drain, on_stream_closed };

static void on_dialed(struct stream *s, int err, const char *detail, void *arg)
{
    struct websocket *w = arg;

    w->dial = NULL;
    if (err) {
        websocket_cause(w, err, 0, detail);
        finish(w);
        return;
    }
    w->stream = s;
    w->state = WS_SHAKING;
    stream_handle(s, &stream_on, w);
    err = stream_send_text(s, buf_text(&w->request));
    explicit_bzero(w->request.p, w->request.n);
    buf_free(&w->request);
    if (err)
        websocket_fail(w, err, "the request could not be sent");
}

static void on_dial_abandoned(void *arg)
{
    struct websocket *w = arg;

    w->dial = NULL;
    websocket_cause(w, -ECANCELED, 0, "the dialer was closed");
    loop_defer(w->loop, &w->ending);
}

static void destroy(void *obj)
{
    struct websocket *w = obj;

    if (w->request.p)
        explicit_bzero(w->request.p, w->request.n);
    buf_free(&w->request);
    buf_free(&w->answer);
    buf_free(&w->staged);
    ws_framing_free(w->framing);
    timer_free(w->deadline);
    timer_free(w->pinger);
    free(w->subprotocol);
}

static int websocket_prepare(struct websocket *w, const struct websocket_options *opt, bool is_server)
{
    const struct ws_framing_handlers on = { on_message, on_frame_bytes };
    const size_t message_max = opt->message_max ? opt->message_max : MESSAGE_MAX;
    int err = is_server ? ws_framing_new_server(&w->framing, message_max, &on, w) : ws_framing_new(&w->framing, message_max, &on, w);

    if (err)
        return err;
    err = timer_new(&w->deadline, w->loop, on_deadline, w);
    if (err)
        return err;
    err = timer_new(&w->pinger, w->loop, on_ping_time, w);
    if (err)
        return err;
    if (opt->subprotocol) {
        w->subprotocol = text_dup(text_of(opt->subprotocol));
        if (!w->subprotocol)
            return -ENOMEM;
    }
    return 0;
}

static int request_prepare(struct websocket *w, const struct websocket_options *opt, const struct ws_url *url)
{
    const struct ws_request r = {
        .url = *url,
        .key = w->key,
        .user = opt->user,
        .password = opt->password,
        .headers = opt->headers,
        .subprotocol = opt->subprotocol,
    };

    ws_key_make(w->key);
    return ws_request_write(&w->request, &r);
}

static int dial(struct websocket *w, struct dialer *d, const struct ws_url *url, int64_t connect_ms)
{
    char where[300];
    int err;

    snprintf(where, sizeof where, "%s://%.*s:%u", url->is_tls ? "tls" : "tcp", TEXT_ARG(url->host), url->port);
    err = dial_open(&w->dial, d, where, connect_ms, on_dialed, w);
    if (err)
        return err;
    dial_on_abandon(w->dial, on_dial_abandoned);
    timer_start(w->deadline, connect_ms);
    return 0;
}

static void settle(struct websocket *w, struct loop *l, const struct websocket_options *opt, const struct websocket_handlers *on, void *arg)
{
    w->loop = l;
    w->on = *on;
    w->arg = arg;
    w->queue_max = opt->queue_max ? opt->queue_max : QUEUE_MAX;
    w->ping_ms = opt->ping_ms;
    w->confirms = opt->confirms;
    w->ending = (struct loop_deferred){ .fn = on_ending, .arg = w };
    buf_init(&w->request, WS_HEAD_MAX);
    buf_init(&w->answer, WS_HEAD_MAX);
    buf_init(&w->staged, STAGED_MAX);
}

int websocket_open(struct websocket **out, struct dialer *d, const struct websocket_options *opt,
                   const struct websocket_handlers *on, void *arg)
{
    struct websocket *w;
    struct ws_url url;
    int err;

    if (opt->connect_ms <= 0 || ws_url_parse(text_of(opt->url), &url))
        return -EINVAL;
    w = ref_new(sizeof *w, destroy);
    if (!w)
        return -ENOMEM;
    settle(w, d->loop, opt, on, arg);
    err = websocket_prepare(w, opt, false);
    if (!err)
        err = request_prepare(w, opt, &url);
    if (!err)
        err = dial(w, d, &url, opt->connect_ms);
    if (err) {
        ref_drop(w);
        return err;
    }
    ref_hold(w); /* the loop's, until on_closed */
    *out = w;
    return 0;
}

int websocket_accept(struct websocket **out, struct stream *s, const struct websocket_options *opt, websocket_on_request *on_request,
                     const struct websocket_handlers *on, void *arg)
{
    struct websocket *w = opt->connect_ms > 0 ? ref_new(sizeof *w, destroy) : NULL;
    int err = opt->connect_ms > 0 ? -ENOMEM : -EINVAL;

    if (w) {
        settle(w, stream_loop(s), opt, on, arg);
        w->on_request = on_request;
        err = websocket_prepare(w, opt, true);
    }
    if (err) {
        stream_abort(s);
        ref_drop(s);
        ref_drop(w);
        return err;
    }
    w->stream = s;
    w->state = WS_SHAKING;
    timer_start(w->deadline, opt->connect_ms);
    stream_handle(s, &stream_on, w);
    ref_hold(w); /* the loop's, until on_closed */
    *out = w;
    return 0;
}

int websocket_adopt(struct websocket **out, struct stream *s, bool is_server, const struct websocket_options *opt,
                    const struct websocket_handlers *on, void *arg)
{
    struct websocket *w = ref_new(sizeof *w, destroy);
    int err = -ENOMEM;

    if (w) {
        settle(w, stream_loop(s), opt, on, arg);
        err = websocket_prepare(w, opt, is_server);
    }
    if (err) {
        stream_abort(s);
        ref_drop(s);
        ref_drop(w);
        return err;
    }
    w->stream = s;
    w->state = WS_OPEN;
    w->has_heard = true;
    if (w->ping_ms > 0)
        timer_start(w->pinger, w->ping_ms);
    stream_handle(s, &stream_on, w);
    ref_hold(w); /* the loop's, until on_closed */
    *out = w;
    return 0;
}

void websocket_deafen(struct websocket *w)
{
    timer_stop(w->pinger);
    if (w->stream)
        stream_pause(w->stream);
}

void websocket_abort(struct websocket *w)
{
    if (w->state == WS_OPEN || w->state == WS_CLOSING)
        websocket_fail(w, 0, "given up by us");
    else
        websocket_close(w, 1000, NULL);
}

int websocket_send(struct websocket *w, bool is_text, struct text message)
{
    int err;

    if (w->state != WS_OPEN)
        return -EPIPE;
    if (message.n > w->queue_max)
        return -EMSGSIZE;
    if (unsent(w) + message.n > w->queue_max) {
        w->is_refused = true;
        stream_want_drain(w->stream);
        return -ENOBUFS;
    }
    err = ws_framing_queue(w->framing, is_text, message);
    if (err)
        return err;
    pump(w);
    return 0;
}

void websocket_close(struct websocket *w, int status, const char *reason)
{
    switch (w->state) {
    case WS_DIALING:
        dial_cancel(w->dial);
        w->dial = NULL;
        websocket_cause(w, 0, 0, "closed before it was open");
        timer_stop(w->deadline);
        w->state = WS_ENDING;
        loop_defer(w->loop, &w->ending);
        break;
    case WS_SHAKING:
        websocket_fail(w, 0, "closed before it was open");
        break;
    case WS_OPEN:
        w->close_wanted = status > 0 ? status : 1000;
        text_copy(w->close_reason, sizeof w->close_reason, text_of(reason));
        w->state = WS_CLOSING;
        timer_start(w->deadline, CLOSE_MS);
        pump(w);
        break;
    default:
        break;
    }
}
