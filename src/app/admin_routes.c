/* Asks each call loop for its figures by a post, adds them up, and answers by the deadline with what has come. */
#include "app/admin_routes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* One loop's part. The loop fills it, then posts it back; only the control loop reads it. */
struct part {
    struct gather *gather;
    struct route_figures *figures;      /* count of them, then those who fit none */
    size_t count;
    bool came;                          /* control loop */
};

/* One question. It lives until the last loop has let go of it, which may be after the answer. */
struct gather {
    const struct admin_routes *routes;
    struct admin_request *request;      /* control loop; NULL: nobody waits any more */
    atomic_uint holders;
    size_t part_count, came;
    struct part *parts;
};

static void gather_drop(struct gather *g)
{
    if (atomic_fetch_sub(&g->holders, 1) != 1)
        return;
    for (size_t i = 0; i < g->part_count; i++)
        free(g->parts[i].figures);
    free(g->parts);
    free(g);
}

/* ---- the sum ---- */

static void sum_add(struct route_figures *sum, const struct route_figures *one)
{
    struct shadow_figures *s = &sum->shadow;

    memcpy(sum->name, one->name, sizeof sum->name);
    sum->sessions += one->sessions;
    sum->active += one->active;
    sum->timeouts += one->timeouts;
    sum->errors += one->errors;
    sum->busy += one->busy;
    sum->queued += one->queued;
    sum->waiting += one->waiting;
    sum->recorded += one->recorded;
    sum->record_dropped += one->record_dropped;
    s->sessions += one->shadow.sessions;
    s->differing += one->shadow.differing;
    s->differences += one->shadow.differences;
    s->skipped += one->shadow.skipped;
    s->is_off |= one->shadow.is_off;
    if (one->shadow.last[0])
        memcpy(s->last, one->shadow.last, sizeof s->last);
    hist_merge(&sum->command_us, &one->command_us);
    hist_merge(&sum->session_us, &one->session_us);
}

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

static void answer(struct gather *g)
{
    struct admin_request *q = g->request;
    struct route_figures *sum = malloc(sizeof *sum);
    struct buf b;

    buf_init(&b, ADMIN_ANSWER_MAX);
    buf_addf(&b, "{\"loops\":%zu,\"loops_late\":%zu,\"store_dropped\":%" PRIu64 ",\"routes\":[", g->part_count, g->part_count - g->came,
             g->routes->store ? store_sessions_dropped(g->routes->store) : 0);
    for (size_t i = 0; sum && i <= g->routes->route_count; i++) {
        memset(sum, 0, sizeof *sum);
        for (size_t k = 0; k < g->part_count; k++)
            if (g->parts[k].came && i < g->parts[k].count)
                sum_add(sum, &g->parts[k].figures[i]);
        if (i > 0)
            buf_add_char(&b, ',');
        add_route(&b, sum);
    }
    buf_add_text(&b, TEXT("]}"));
    if (!sum || b.err)
        admin_refuse(q, "out of memory");
    else
        admin_answer(q, buf_text(&b));
    buf_free(&b);
    free(sum);
}

/* ---- gathering ---- */

static void on_part(void *arg)
{
    struct part *p = arg;
    struct gather *g = p->gather;

    p->came = true;
    if (++g->came == g->part_count && g->request)
        answer(g);
    gather_drop(g);
}

/* On a call loop. */
static void fill(struct routes *routes, void *arg)
{
    struct part *p = arg;

    while (routes && p->count <= p->gather->routes->route_count && routes_figures(routes, p->count, &p->figures[p->count]))
        p->count++;
    if (loop_post(p->gather->routes->control, on_part, p) != 0)
        gather_drop(p->gather); /* told as late */
}

static void on_late(struct admin_request *q, void *context)
{
    (void)q;
    answer(context);
}

static void on_over(void *context)
{
    struct gather *g = context;

    g->request = NULL;
    gather_drop(g);
}

static struct gather *gather_new(const struct admin_routes *r)
{
    struct gather *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->routes = r;
    atomic_init(&g->holders, 1);
    g->parts = calloc(r->loop_count + 1, sizeof *g->parts);
    for (; g->parts && g->part_count < r->loop_count; g->part_count++) {
        g->parts[g->part_count].gather = g;
        g->parts[g->part_count].figures = calloc(r->route_count + 1, sizeof *g->parts->figures);
        if (!g->parts[g->part_count].figures)
            break;
    }
    if (g->parts && g->part_count == r->loop_count)
        return g;
    gather_drop(g);
    return NULL;
}

static void begin(struct admin_request *q, struct text args, void *arg)
{
    const struct admin_routes *r = arg;
    struct gather *g = gather_new(r);

    (void)args;
    if (!g) {
        admin_refuse(q, "out of memory");
        return;
    }
    g->request = q;
    admin_context(q, g);
    for (size_t i = 0; i < g->part_count; i++) {
        atomic_fetch_add(&g->holders, 1);
        if (call_loop_ask(r->loops[i], fill, &g->parts[i]) != 0)
            gather_drop(g); /* told as late */
    }
    if (g->part_count == 0)
        answer(g);
}

struct admin_verb admin_routes_verb(struct admin_routes *r)
{
    return (struct admin_verb){ .name = "routes", .begin = begin, .late = on_late, .over = on_over, .arg = r };
}
