/* Serves the admin socket: one line in, one line of JSON out. */
#include "app/admin.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net/local.h"

enum { LINGER_MS = 1000 };

struct admin_request {
    struct admin *admin;
    struct stream *stream;
    struct timer *timer;
    struct buf line;
    const struct admin_verb *verb;     /* NULL until the line is there, and after the answer */
    void *context;
    bool answered;
    struct admin_request *prev, *next;
};

struct admin {
    struct loop *loop;
    struct log log;
    const struct admin_verb *verbs;
    size_t count;
    struct local_listener *listener;
    struct admin_request *requests;
};

/* ---- the end ---- */

static void request_over(struct admin_request *q)
{
    const struct admin_verb *verb = q->verb;
    void *context = q->context;

    timer_stop(q->timer);
    q->verb = NULL;
    q->context = NULL;
    if (verb && verb->over && context)
        verb->over(context);
}

static void request_free(struct admin_request *q)
{
    DL_DELETE(q->admin->requests, q);
    request_over(q);
    timer_free(q->timer);
    ref_drop(q->stream);
    buf_free(&q->line);
    free(q);
}

static void on_closed(struct stream *s, int err, void *arg)
{
    struct admin_request *q = arg;

    (void)s;
    (void)err;
    local_listener_left(q->admin->listener);
    request_free(q);
}

void admin_answer(struct admin_request *q, struct text json)
{
    const struct text parts[] = { json, TEXT("\n") };

    if (q->answered)
        return;
    q->answered = true;
    request_over(q);
    if (stream_send(q->stream, parts, 2))
        stream_abort(q->stream);
    else
        stream_close(q->stream, LINGER_MS);
}

void admin_refuse(struct admin_request *q, const char *why)
{
    struct buf b;

    buf_init(&b, 2 * ADMIN_LINE_MAX);
    buf_add_text(&b, TEXT("{\"error\":\""));
    buf_add_json(&b, text_of(why));
    buf_add_text(&b, TEXT("\"}"));
    admin_answer(q, b.err ? TEXT("{\"error\":\"out of memory\"}") : buf_text(&b));
    buf_free(&b);
}

void admin_context(struct admin_request *q, void *context)
{
    q->context = context;
}

/* ---- the line ---- */

static void on_time(void *arg)
{
    struct admin_request *q = arg;

    if (!q->verb)
        stream_abort(q->stream); /* said nothing */
    else if (q->verb->late)
        q->verb->late(q, q->context);
    else
        admin_refuse(q, "no answer in time");
}

static void take_line(struct admin_request *q, struct text line)
{
    const ptrdiff_t blank = text_find(line, ' ');
    const struct text name = blank < 0 ? line : text_head(line, (size_t)blank);

    for (size_t i = 0; i < q->admin->count; i++) {
        const struct admin_verb *v = &q->admin->verbs[i];

        if (!text_eq(name, text_of(v->name)))
            continue;
        q->verb = v;
        timer_start(q->timer, ADMIN_LATE_MS);
        v->begin(q, blank < 0 ? TEXT("") : text_trim(text_skip(line, (size_t)blank)), v->arg);
        return;
    }
    admin_refuse(q, "no such verb");
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct admin_request *q = arg;
    ptrdiff_t lf;

    if (q->verb || q->answered)
        return; /* one question a connection */
    if (buf_add_text(&q->line, bytes)) {
        stream_abort(s);
        return;
    }
    lf = text_find(buf_text(&q->line), '\n');
    if (lf >= 0)
        take_line(q, text_head(buf_text(&q->line), (size_t)lf));
}

static void on_end(struct stream *s, void *arg)
{
    const struct admin_request *q = arg;

    if (!q->verb && !q->answered)
        stream_close(s, LINGER_MS); /* half a line, or none */
}

static void on_accept(struct stream *s, void *arg)
{
    static const struct stream_handlers handlers = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };
    struct admin *a = arg;
    struct admin_request *q = calloc(1, sizeof *q);

    if (!q || timer_new(&q->timer, a->loop, on_time, q) != 0) {
        free(q);
        local_listener_left(a->listener);
        stream_abort(s);
        ref_drop(s);
        return;
    }
    q->admin = a;
    q->stream = s;
    buf_init(&q->line, ADMIN_LINE_MAX);
    DL_APPEND(a->requests, q);
    stream_handle(s, &handlers, q);
    timer_start(q->timer, ADMIN_LATE_MS);
}

/* ---- coming and going ---- */

int admin_open(struct admin **out, struct loop *l, const char *path, const struct admin_verb *verbs, size_t count, const struct log *log)
{
    struct admin *a = calloc(1, sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    a->loop = l;
    a->log = log_for(log, "admin");
    a->verbs = verbs;
    a->count = count;
    err = local_listener_open(&a->listener, l, path, ADMIN_CLIENTS_MAX, on_accept, a);
    if (err) {
        free(a);
        return err;
    }
    *out = a;
    return 0;
}

void admin_close(struct admin *a)
{
    static const struct stream_handlers none = { 0 };

    if (!a)
        return;
    while (a->requests) {
        stream_handle(a->requests->stream, &none, NULL);
        stream_abort(a->requests->stream);
        request_free(a->requests);
    }
    local_listener_close(a->listener);
    free(a);
}
