/* The handshake on the stream, of both ends: takes the head, judges it, and passes on what came behind it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/stream_internal.h"
#include "net/websocket_internal.h"

static void opened(struct websocket *w)
{
    timer_stop(w->deadline);
    buf_free(&w->answer);
    w->state = WS_OPEN;
    w->has_heard = true;
    if (w->ping_ms > 0)
        timer_start(w->pinger, w->ping_ms);
    if (w->on.on_open)
        w->on.on_open(w, w->arg);
}

/* What of the answer's body came with its head tells more than the status ("insufficient_quota"). Not of 401 and 403: a server may
 * repeat the credentials there. */
static void refused(struct websocket *w, int err, const char *what, int status, struct text body)
{
    char detail[WS_DETAIL_MAX];

    if (status < 300) /* it did upgrade, but wrongly */
        status = 0;
    if (status == 0 || status == 401 || status == 403)
        body.n = 0;
    snprintf(detail, sizeof detail, "%.90s%s%.*s", what, body.n > 0 ? ": " : "", (int)(body.n < 360 ? body.n : 360), body.p ? body.p : "");
    for (char *c = detail; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = ' ';
    websocket_cause(w, err, status, detail);
    websocket_fail(w, err, detail);
}

/* Takes what belongs to the answer's head; the rest are frames already. */
void ws_opening_answer(struct websocket *w, struct text bytes)
{
    struct buf *head = &w->answer;
    const size_t before = head->n;
    const struct text mine = text_head(bytes, WS_HEAD_MAX - before);
    char detail[WS_DETAIL_MAX];
    ptrdiff_t end;
    int err;

    if (buf_add_text(head, mine)) {
        websocket_fail(w, -ENOMEM, "out of memory");
        return;
    }
    end = text_find_text(buf_text(head), TEXT("\r\n\r\n"));
    if (end < 0 && head->n == WS_HEAD_MAX)
        websocket_fail(w, -EMSGSIZE, "the server's answer has a head over 16 KiB");
    if (end < 0)
        return;
    end += 4;
    err = ws_answer_check(text_make(head->p, (size_t)end), w->key, w->subprotocol, detail, sizeof detail);
    if (err) {
        refused(w, err, detail, ws_answer_status(buf_text(head)), text_skip(bytes, (size_t)end - before));
        return;
    }
    bytes = text_skip(bytes, (size_t)end - before);
    opened(w);
    if (bytes.n > 0 && (w->state == WS_OPEN || w->state == WS_CLOSING))
        websocket_frames(w, bytes);
}

/* ---- the server's end of the handshake ---- */

static void request_refuse(struct websocket *w, int status, const char *body, const char *detail)
{
    struct buf b;

    buf_init(&b, WS_HEAD_MAX);
    buf_addf(&b, "HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
             strlen(body), body);
    websocket_cause(w, -EACCES, status, detail);
    if (!b.err && stream_send_text(w->stream, buf_text(&b)) == 0) {
        timer_stop(w->deadline);
        w->state = WS_ENDING;
        stream_close(w->stream, WS_CLOSE_LINGER_MS);
    } else {
        websocket_fail(w, -EACCES, detail);
    }
    buf_free(&b);
}

static void request_answer(struct websocket *w, struct text head)
{
    struct websocket_reply reply = { .body = "{}" };
    struct ws_asked asked;
    char detail[WS_DETAIL_MAX];
    struct buf b;
    int status;

    if (ws_request_check(head, &asked, detail, sizeof detail)) {
        request_refuse(w, 400, reply.body, detail);
        return;
    }
    status = w->on_request(asked.target, asked.authorization, &reply, w->arg);
    if (status != 101) {
        request_refuse(w, status, reply.body, "refused by us");
        return;
    }
    buf_init(&b, WS_HEAD_MAX);
    if (ws_answer_write(&b, asked.key) || stream_send_text(w->stream, buf_text(&b)))
        websocket_fail(w, -ENOMEM, "out of memory");
    else
        opened(w);
    buf_free(&b);
}

void ws_opening_request(struct websocket *w, struct text bytes)
{
    const size_t before = w->request.n;
    ptrdiff_t end;

    if (buf_add_text(&w->request, text_head(bytes, WS_HEAD_MAX - before))) {
        websocket_fail(w, -ENOMEM, "out of memory");
        return;
    }
    end = text_find_text(buf_text(&w->request), TEXT("\r\n\r\n"));
    if (end < 0 && w->request.n == WS_HEAD_MAX)
        websocket_fail(w, -EMSGSIZE, "the client's request has a head over 16 KiB");
    if (end < 0)
        return;
    end += 4;
    request_answer(w, text_make(w->request.p, (size_t)end));
    explicit_bzero(w->request.p, w->request.n); /* it held credentials */
    bytes = text_skip(bytes, (size_t)end - before);
    if (bytes.n > 0 && (w->state == WS_OPEN || w->state == WS_CLOSING))
        websocket_frames(w, bytes);
}
