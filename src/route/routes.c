/* Opens the routes of one call loop, keeps the figures of each, and closes them when the last visitor has gone. */
#include "route/routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "route/routes_inner.h"

enum { SESSIONS_MAX = 4096 };

/* ---- opening ---- */

static void routes_free(struct routes *rs)
{
    for (size_t i = 0; rs->list && i < rs->count; i++) {
        script_release(rs->list[i].script);
        shadow_free(rs->list[i].shadow);
        hosted_pool_close(rs->list[i].host);
        admission_free(rs->list[i].admission);
    }
    timer_free(rs->linger);
    timer_free(rs->starts);
    free(rs->list);
    free(rs);
}

static void on_shadow_idle(void *arg)
{
    routes_close_check(arg);
}

static int load(struct routes *rs, size_t i, const struct route_options *opt, void (*problem)(const char *line, void *arg), void *arg)
{
    struct route *r = &rs->list[i];
    char *why = NULL;
    int err;

    (void)text_copy(r->figures.name, sizeof r->figures.name, text_of(opt->name));
    r->opt = *opt;
    r->opt.name = r->opt.handler = r->opt.http_hosts = r->opt.shadow = NULL;
    r->opt.script = NULL;
    r->records = opt->record && rs->recordings;
    r->record = (struct recorder_options){ .route = r->figures.name, .keep = opt->record_max, .masks = opt->record_masks };
    if (opt->script)
        err = hosted_pool_open(&r->host, rs->loop, opt->script, &rs->log, problem, arg);
    else
        err = script_load(&r->script, rs->engine, opt->handler, "handle", &why);
    if (!err && r->script)
        err = script_grant_http(r->script, opt->http_hosts);
    if (!err && opt->shadow)
        err = shadow_open(&r->shadow, rs->loop, rs->engine, opt->shadow, opt->name, &rs->log, on_shadow_idle, rs, &why);
    if (!err)
        return admission_new(&r->admission, rs->loop, opt->gate, opt->queue, opt->queue_wait_ms);
    if (err != -ENOMEM && why)
        problem(why, arg);
    free(why);
    return err;
}

static int load_all(struct routes *rs, const struct routes_options *opt, void (*problem)(const char *line, void *arg), void *arg)
{
    int worst = 0;

    for (size_t i = 0; i < opt->count; i++) {
        const int err = load(rs, i, &opt->routes[i], problem, arg);

        if (err == -ENOMEM)
            return err;
        if (err)
            worst = -EINVAL;
    }
    return worst;
}

static void on_linger(void *arg);

int routes_open(struct routes **out, struct loop *l, struct script_engine *e, const struct routes_options *opt,
                const struct timeline *timeline, const struct log *log,
                void (*problem)(const char *line, void *arg), void *arg)
{
    struct routes *rs = calloc(1, sizeof *rs);
    int err = -ENOMEM;

    if (!rs)
        return err;
    rs->loop = l;
    rs->engine = e;
    rs->timeline = timeline;
    rs->recordings = opt->recordings;
    rs->log = log_for(log, "routes");
    rs->gate = opt->gate;
    rs->env_ms = opt->env_ms;
    rs->sessions_max = opt->sessions_max ? opt->sessions_max : SESSIONS_MAX;
    rs->count = opt->count;
    rs->list = calloc(opt->count + 1, sizeof *rs->list);
    if (rs->list) {
        (void)text_copy(rs->list[rs->count].figures.name, sizeof rs->list->figures.name, TEXT("(none)"));
        err = timer_new(&rs->linger, l, on_linger, rs);
    }
    if (!err)
        err = timer_new(&rs->starts, l, routes_tell_starts, rs);
    if (!err)
        err = load_all(rs, opt, problem, arg);
    if (err) {
        routes_free(rs);
        return err;
    }
    *out = rs;
    return 0;
}

size_t routes_reload(struct routes *rs, void (*problem)(const char *line, void *arg), void *arg)
{
    size_t fresh = 0;

    for (size_t i = 0; i < rs->count; i++) {
        char *why = NULL, line[700];
        const int err = rs->list[i].script ? script_reload(&rs->list[i].script, &why) : 0;

        if (err) {
            snprintf(line, sizeof line, "route %s: %s", rs->list[i].figures.name, why ? why : err_text(err));
            problem(line, arg);
        }
        fresh += !err && rs->list[i].script;
        if (rs->list[i].host)
            hosted_pool_reload(rs->list[i].host);
        free(why);
        why = NULL;
        if (rs->list[i].shadow && shadow_reload(rs->list[i].shadow, &why)) {
            snprintf(line, sizeof line, "route %s: shadow: %s", rs->list[i].figures.name, why ? why : "not enough memory");
            problem(line, arg);
        }
        free(why);
    }
    return fresh;
}

bool routes_hosted(const struct routes *r, size_t i, struct hosted_figures *out)
{
    if (i >= r->count || !r->list[i].host)
        return false;
    hosted_pool_figures(r->list[i].host, out);
    return true;
}

bool routes_figures(const struct routes *r, size_t i, struct route_figures *out)
{
    if (i > r->count)
        return false;
    *out = r->list[i].figures;
    if (r->list[i].shadow)
        shadow_figures(r->list[i].shadow, &out->shadow);
    return true;
}

void routes_doors(const struct routes *r, struct routes_doors *out)
{
    *out = r->doors;
    out->arriving = r->arriving;
    out->sessions = r->active + r->refusals;
}

/* ---- closing ---- */

static bool shadows_are_idle(const struct routes *rs)
{
    for (size_t i = 0; i < rs->count; i++)
        if (rs->list[i].shadow && !shadow_is_idle(rs->list[i].shadow))
            return false;
    return true;
}

void routes_close_check(struct routes *rs)
{
    if (rs->closing && !rs->visits && !rs->arrivals && shadows_are_idle(rs))
        timer_start(rs->linger, 0); /* not from inside routes_close or a session's handler */
}

static void on_linger(void *arg)
{
    struct routes *rs = arg;
    void (*const on_closed_all)(void *arg) = rs->on_closed;
    void *const closed_arg = rs->closed_arg;

    if (rs->visits || rs->arrivals) {
        routes_stop_all(rs);
        return;
    }
    if (!shadows_are_idle(rs))
        return; /* they were told to stop; close_check follows */
    on_closed_all(closed_arg); /* the figures may be read a last time */
    routes_free(rs);
}

void routes_close(struct routes *r, int64_t linger_ms, void (*on_closed_all)(void *arg), void *arg)
{
    r->closing = true;
    r->on_closed = on_closed_all;
    r->closed_arg = arg;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].shadow)
            shadow_stop(r->list[i].shadow);
    timer_start(r->linger, linger_ms > 0 && (r->visits || r->arrivals) ? linger_ms : 0);
}
