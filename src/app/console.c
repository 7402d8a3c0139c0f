/* Answers /metrics, /live and /ready: what needs the call loops asks them first, and waits for the late ones no longer than half a second. */
#include "app/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/console_agi.h"

enum { WAIT_MS = 500, METRICS_BYTES = 8 << 20, READY_BYTES = 64 * 1024, VISITS_MAX = 64 };

struct check {
    char name[CONSOLE_NAME_MAX];
    bool (*is_ready)(void *arg);
    void *arg;
};

struct console {
    struct console_options opt;
    struct log log;
    struct httpd *server;
    struct console_agi agi;
    struct check checks[CONSOLE_CHECKS_MAX];
    size_t check_count;
    struct visit *visits;               /* those that wait for the call loops */
    size_t visit_count;
};

/* One request that waits for the call loops. */
struct visit {
    struct visit *next;
    struct console *console;
    struct httpd_request *request;
    struct gather *gather;
    struct timer *late;
    void (*answer)(struct visit *v, const struct route_figures *sums, size_t late);
    bool is_told;
};

static void visit_free(struct visit *v)
{
    struct visit **at = &v->console->visits;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    v->console->visit_count--;
    if (v->gather)
        gather_drop(v->gather);
    timer_free(v->late);
    free(v);
}

static void on_gathered(const struct route_figures *sums, size_t late, void *arg)
{
    struct visit *v = arg;

    v->answer(v, sums, late);
    v->is_told = true;
    if (v->gather)                      /* else gather_begin has not returned: begin_visit frees it */
        visit_free(v);
}

static void on_late(void *arg)
{
    struct visit *v = arg;

    gather_finish(v->gather);
}

static void begin_visit(struct console *c, struct httpd_request *r,
                        void (*answer)(struct visit *v, const struct route_figures *sums, size_t late))
{
    struct visit *v = c->visit_count < VISITS_MAX ? calloc(1, sizeof *v) : NULL;
    struct gather *g;

    if (!v) {
        httpd_answer(r, 503, "text/plain", TEXT("Too many at one time; ask again.\n"));
        return;
    }
    *v = (struct visit){ .console = c, .request = r, .answer = answer, .next = c->visits };
    c->visits = v;
    c->visit_count++;
    if (timer_new(&v->late, c->opt.control, on_late, v) || gather_begin(&g, c->opt.from, on_gathered, v)) {
        httpd_answer(r, 503, "text/plain", TEXT("Out of memory.\n"));
        visit_free(v);
        return;
    }
    v->gather = g;
    if (v->is_told)
        visit_free(v);
    else
        timer_start(v->late, WAIT_MS);
}

/* ---- /metrics ---- */

static void answer_metrics(struct visit *v, const struct route_figures *sums, size_t late)
{
    struct console *c = v->console;
    struct buf b;

    console_agi_load(&c->agi, sums, c->opt.from->route_count, late);
    buf_init(&b, METRICS_BYTES);
    if (metrics_print(c->opt.metrics, &b))
        httpd_answer(v->request, 500, "text/plain", TEXT("The metrics do not fit into memory.\n"));
    else
        httpd_answer(v->request, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&b));
    buf_free(&b);
}

/* ---- /live: does every loop turn? ---- */

static void answer_live(struct visit *v, const struct route_figures *sums, size_t late)
{
    char line[120];

    (void)sums;
    if (late == 0) {
        httpd_answer(v->request, 200, "text/plain", TEXT("live\n"));
        return;
    }
    snprintf(line, sizeof line, "%zu of %zu call loops did not answer within %d ms\n", late, v->console->opt.from->loop_count, WAIT_MS);
    httpd_answer(v->request, 503, "text/plain", text_of(line));
}

/* ---- /ready: is everything connected that the configuration names? ---- */

static void answer_ready(struct console *c, struct httpd_request *r)
{
    struct buf b;
    bool all = true;

    buf_init(&b, READY_BYTES);
    for (size_t i = 0; i < c->check_count; i++) {
        const bool is = c->checks[i].is_ready(c->checks[i].arg);

        all &= is;
        buf_addf(&b, "%s %s\n", is ? "ready" : "waiting", c->checks[i].name);
    }
    if (c->check_count == 0)
        buf_add_text(&b, TEXT("ready\n"));
    httpd_answer(r, all ? 200 : 503, "text/plain", buf_text(&b));
    buf_free(&b);
}

static void on_request(struct httpd_request *r, struct text method, struct text path, struct text query, struct text body, void *arg)
{
    struct console *c = arg;

    (void)query;
    (void)body;
    if (!text_eq(method, TEXT("GET")) && !text_eq(method, TEXT("HEAD")))
        httpd_answer(r, 405, "text/plain", TEXT("Only GET.\n"));
    else if (text_eq(path, TEXT("/metrics")))
        begin_visit(c, r, answer_metrics);
    else if (text_eq(path, TEXT("/live")))
        begin_visit(c, r, answer_live);
    else if (text_eq(path, TEXT("/ready")))
        answer_ready(c, r);
    else if (text_eq(path, TEXT("/")))
        httpd_answer(r, 200, "text/plain", TEXT("Sidetone. /metrics /live /ready\n"));
    else
        httpd_answer(r, 404, "text/plain", TEXT("There are /metrics, /live and /ready.\n"));
}

int console_open(struct console **out, const struct console_options *opt)
{
    struct console *c = calloc(1, sizeof *c);
    struct httpd_options ho = { .listen = opt->listen };
    int err = -ENOMEM;

    if (!c)
        return err;
    c->opt = *opt;
    c->log = log_for(opt->log, "console");
    ho.log = &c->log;
    err = console_agi_add(&c->agi, opt->metrics);
    if (!err)
        err = httpd_open(&c->server, opt->control, &ho, on_request, c);
    if (err)
        free(c);
    else
        *out = c;
    return err;
}

int console_check(struct console *c, const char *name, bool (*is_ready)(void *arg), void *arg)
{
    if (c->check_count == CONSOLE_CHECKS_MAX)
        return -ENOBUFS;
    c->checks[c->check_count] = (struct check){ .is_ready = is_ready, .arg = arg };
    text_copy(c->checks[c->check_count++].name, CONSOLE_NAME_MAX, text_of(name));
    return 0;
}

unsigned console_port(const struct console *c)
{
    return httpd_port(c->server);
}

void console_close(struct console *c)
{
    if (!c)
        return;
    while (c->visits)
        visit_free(c->visits);
    httpd_close(c->server);
    free(c);
}
