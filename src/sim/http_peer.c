/* Reads requests and writes answers of HTTP/1.1, for a stand-in. */
#include "sim/http_peer.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/ref.h"

enum {
    HEAD_MAX = 16 * 1024,
    BODY_MAX = 8 * 1024 * 1024,
    REQUEST_MS = 10 * 1000,        /* from a request's first byte to its last */
    IDLE_MS = 90 * 1000,           /* between two; an answer that hangs does not live for ever, either */
    LINGER_MS = 2000,
};

struct http_peer {
    struct stream *stream;         /* NULL: gone */
    const struct http_peer_handlers *on;
    void *arg;
    struct timer *deadline;
    struct buf in;
    size_t head_n, body_n;         /* of the request that is coming; head_n 0: not known yet */
    bool is_answering, is_last, is_deaf;
    bool is_resuming;              /* the next request came while the last one was answered */
    bool was_asked_on;             /* "100 Continue" */
};

/* ---- writing ---- */

static bool send_parts(struct http_peer *p, const struct text *parts, size_t count)
{
    if (!p->stream)
        return false;
    if (stream_send(p->stream, parts, count) == 0)
        return true;
    stream_abort(p->stream);       /* it does not read: a stand-in keeps no more for it */
    return false;
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } all[] = { { 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 402, "Payment Required" }, { 404, "Not Found" },
                { 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 413, "Content Too Large" }, { 429, "Too Many Requests" },
                { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
                { 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" } };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status)
            return all[i].reason;
    return "Status";
}

static void answered(struct http_peer *p)
{
    p->is_answering = false;
    if (!p->stream)
        return;
    if (p->is_last) {
        stream_close(p->stream, LINGER_MS);
        return;
    }
    p->is_resuming = p->in.n > p->head_n + p->body_n;
    timer_start(p->deadline, p->is_resuming ? 1 : IDLE_MS);
}

void http_peer_answer(struct http_peer *p, int status, const char *headers, const char *type, struct text body)
{
    struct buf head;

    buf_init(&head, HEAD_MAX);
    buf_addf(&head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", status, reason_of(status), type, body.n, headers,
             p->is_last ? "Connection: close\r\n" : "");
    const struct text parts[] = { buf_text(&head), body };

    if (head.err && p->stream)
        stream_abort(p->stream);
    else if (send_parts(p, parts, 2))
        answered(p);
    buf_free(&head);
}

bool http_peer_begin(struct http_peer *p, const char *type)
{
    char head[200];
    const int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n%s\r\n", type,
                           p->is_last ? "Connection: close\r\n" : "");
    const struct text part = text_make(head, (size_t)n);

    return send_parts(p, &part, 1);
}

bool http_peer_piece(struct http_peer *p, struct text bytes)
{
    char size[32];
    const int n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
    const struct text parts[] = { text_make(size, (size_t)n), bytes, TEXT("\r\n") };

    return bytes.n == 0 || send_parts(p, parts, 3); /* a chunk of nothing would be the end */
}

void http_peer_finish(struct http_peer *p)
{
    const struct text end = TEXT("0\r\n\r\n");

    if (send_parts(p, &end, 1))
        answered(p);
}

/* ---- reading ---- */

static void refuse(struct http_peer *p, int status, const char *why)
{
    char body[300];
    const int n = snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}", why);

    p->is_answering = p->is_last = true;
    http_peer_answer(p, status, "", "application/json", text_make(body, (size_t)n));
    p->on->on_refused(p, status, why, p->arg);
}

static struct text header_find(struct text head, struct text name)
{
    struct text line;

    while (text_cut(&head, '\n', &line))
        if (text_starts_nocase(line, name))
            return text_trim(text_skip(line, name.n));
    return TEXT_NONE;
}

/* What the head says of the body and the connection: 0, or the status of a refusal and why. */
static int head_read(struct http_peer *p, struct text head, const char **why)
{
    const struct text length = header_find(head, TEXT("Content-Length:"));
    struct text first;
    int64_t n = 0;

    text_cut(&head, '\n', &first);
    *why = "Only HTTP/1.1 is spoken here.";
    if (!text_ends(text_trim(first), TEXT(" HTTP/1.1")))
        return 505;
    *why = "A body has to have a Content-Length.";
    if (header_find(head, TEXT("Transfer-Encoding:")).p)
        return 501;
    *why = "The Content-Length is no number.";
    if (length.p && (text_to_i64(length, &n) || n < 0))
        return 400;
    *why = "The body is too long.";
    if (n > BODY_MAX)
        return 413;
    p->body_n = (size_t)n;
    p->is_last = text_eq_nocase(header_find(head, TEXT("Connection:")), TEXT("close"));
    return 0;
}

static void request_take(struct http_peer *p)
{
    const struct text head = text_make(p->in.p, p->head_n);
    struct http_ask ask = {
        .authorization = header_find(head, TEXT("Authorization:")), .content_type = header_find(head, TEXT("Content-Type:")),
        .body = text_make(p->in.p + p->head_n, p->body_n),
    };
    struct text rest = head, target;

    text_cut(&rest, ' ', &ask.method);
    text_cut(&rest, ' ', &target);
    text_cut(&target, '?', &ask.path);
    timer_start(p->deadline, IDLE_MS);
    p->is_answering = true;
    p->on->on_request(p, &ask, p->arg);
    buf_drop(&p->in, p->head_n + p->body_n);
    p->head_n = p->body_n = 0;
}

/* False: more has to come, or nothing will. */
static bool request_look(struct http_peer *p)
{
    const char *why;
    int status;

    if (p->head_n == 0) {
        const ptrdiff_t end = text_find_text(text_head(buf_text(&p->in), HEAD_MAX), TEXT("\r\n\r\n"));

        if (end < 0 && p->in.n >= HEAD_MAX)
            refuse(p, 431, "The head is too long.");
        if (end < 0)
            return false;
        p->head_n = (size_t)end + 4;
        status = head_read(p, text_make(p->in.p, p->head_n), &why);
        if (status) {
            refuse(p, status, why);
            return false;
        }
        p->was_asked_on = false;
    }
    if (p->in.n >= p->head_n + p->body_n)
        return true;
    if (!p->was_asked_on && header_find(text_make(p->in.p, p->head_n), TEXT("Expect:")).p) {
        const struct text go_on = TEXT("HTTP/1.1 100 Continue\r\n\r\n");

        p->was_asked_on = true;
        send_parts(p, &go_on, 1);
    }
    return false;
}

static void requests_take(struct http_peer *p)
{
    ref_hold(p);
    while (p->stream && !p->is_answering && p->in.n > 0 && request_look(p))
        request_take(p);
    ref_drop(p);
}

/* ---- the connection ---- */

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct http_peer *p = arg;

    (void)s;
    if (p->is_deaf || (p->is_last && p->is_answering))
        return;
    if (p->in.n == 0 && !p->is_answering)
        timer_start(p->deadline, REQUEST_MS);
    if (buf_add_text(&p->in, bytes)) {
        stream_abort(p->stream);
        return;
    }
    requests_take(p);
}

static void on_deadline(void *arg)
{
    struct http_peer *p = arg;

    if (!p->stream)
        return;
    if (!p->is_resuming) {
        stream_abort(p->stream);
        return;
    }
    p->is_resuming = false;
    timer_start(p->deadline, REQUEST_MS);
    requests_take(p);
}

static void on_closed(struct stream *s, int err, void *arg)
{
    struct http_peer *p = arg;

    (void)err;
    timer_stop(p->deadline);
    p->stream = ref_drop(s);
    p->on->on_closed(p, p->arg);
    ref_drop(p);                   /* the connection's */
}

void http_peer_close(struct http_peer *p)
{
    if (p->stream)
        stream_close(p->stream, LINGER_MS);
}

void http_peer_abort(struct http_peer *p)
{
    if (p->stream)
        stream_abort(p->stream);
}

void http_peer_deafen(struct http_peer *p)
{
    p->is_deaf = true;
    if (p->stream)
        stream_pause(p->stream);
}

static void destroy(void *obj)
{
    struct http_peer *p = obj;

    timer_free(p->deadline);
    buf_free(&p->in);
}

int http_peer_new(struct http_peer **out, struct stream *s, const struct http_peer_handlers *on, void *arg)
{
    static const struct stream_handlers stream_on = { .on_data = on_data, .on_closed = on_closed };
    struct http_peer *p = ref_new(sizeof *p, destroy);
    int err = p ? timer_new(&p->deadline, stream_loop(s), on_deadline, p) : -ENOMEM;

    if (err) {
        ref_drop(p);
        ref_drop(s);
        return err;
    }
    buf_init(&p->in, HEAD_MAX + BODY_MAX + 64 * 1024);
    p->on = on;
    p->arg = arg;
    p->stream = s;
    stream_handle(s, &stream_on, p);
    timer_start(p->deadline, REQUEST_MS);
    *out = ref_hold(p);            /* the caller's; the other is the connection's */
    return 0;
}
