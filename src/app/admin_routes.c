/* Answers the admin verb `routes` with one JSON object. */
#include "app/admin_routes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"

struct question {
    const struct admin_routes *routes;
    struct admin_request *request;
    struct gather *gather;
};

static void add_text(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, "\"%s\":\"", name);
    buf_add_json(b, text_of(value));
    buf_add_char(b, '"');
}

static void add_times(struct buf *b, const char *name, const struct hist *h)
{
    buf_addf(b, ",\"%s\":{\"count\":%" PRIu64 ",\"p50_us\":%" PRId64 ",\"p99_us\":%" PRId64 "}", name, h->count, hist_quantile(h, 0.50),
             hist_quantile(h, 0.99));
}

static void add_route(struct buf *b, const struct route_figures *f)
{
    const struct shadow_figures *s = &f->shadow;

    buf_add_char(b, '{');
    add_text(b, "route", f->name);
    buf_addf(b, ",\"sessions\":%" PRIu64 ",\"active\":%" PRIu64 ",\"timeouts\":%" PRIu64 ",\"errors\":%" PRIu64, f->sessions, f->active,
             f->timeouts, f->errors);
    buf_addf(b, ",\"waiting\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"busy\":%" PRIu64, f->waiting, f->queued, f->busy);
    buf_addf(b, ",\"recorded\":%" PRIu64 ",\"record_dropped\":%" PRIu64, f->recorded, f->record_dropped);
    add_times(b, "command", &f->command_us);
    add_times(b, "session", &f->session_us);
    buf_addf(b, ",\"shadow\":{\"sessions\":%" PRIu64 ",\"differing\":%" PRIu64 ",\"differences\":%" PRIu64 ",\"skipped\":%" PRIu64
             ",\"off\":%s,", s->sessions, s->differing, s->differences, s->skipped, s->is_off ? "true" : "false");
    add_text(b, "last", s->last);
    buf_add_text(b, TEXT("}}"));
}

static void on_done(const struct route_figures *sums, size_t late, void *arg)
{
    struct question *q = arg;
    const struct gather_from *from = &q->routes->from;
    struct buf b;

    buf_init(&b, ADMIN_ANSWER_MAX);
    buf_addf(&b, "{\"loops\":%zu,\"loops_late\":%zu,\"store_dropped\":%" PRIu64 ",\"routes\":[", from->loop_count, late,
             q->routes->store ? store_sessions_dropped(q->routes->store) : 0);
    for (size_t i = 0; sums && i <= from->route_count; i++) {
        if (i > 0)
            buf_add_char(&b, ',');
        add_route(&b, &sums[i]);
    }
    buf_add_text(&b, TEXT("]}"));
    if (!sums || b.err)
        admin_refuse(q->request, "out of memory");
    else
        admin_answer(q->request, buf_text(&b));
    buf_free(&b);
}

static void on_late(struct admin_request *request, void *context)
{
    struct question *q = context;

    (void)request;
    gather_finish(q->gather);
}

static void on_over(void *context)
{
    struct question *q = context;

    if (q->gather)
        gather_drop(q->gather);
    free(q);
}

static void begin(struct admin_request *request, struct text args, void *arg)
{
    struct question *q = calloc(1, sizeof *q);

    (void)args;
    if (!q) {
        admin_refuse(request, "out of memory");
        return;
    }
    *q = (struct question){ .routes = arg, .request = request };
    admin_context(request, q);
    if (gather_begin(&q->gather, &q->routes->from, on_done, q))
        admin_refuse(request, "out of memory");
}

struct admin_verb admin_routes_verb(struct admin_routes *r)
{
    return (struct admin_verb){ .name = "routes", .begin = begin, .late = on_late, .over = on_over, .arg = r };
}
