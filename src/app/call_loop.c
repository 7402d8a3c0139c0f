/* Puts one call loop together, runs it in its thread, and takes it apart. */
#include "app/call_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/call_loop_parts.h"

enum { CALL_LOOP_BUSY = 2048 };

static int lookup(void *arg, struct loop *l, struct text table, struct text key, script_on_value *on_value, void *value_arg)
{
    struct call_loop *c = arg;

    return store_get(c->store, l, table, key, on_value, value_arg);
}

static int keep(void *arg, struct loop *l, struct text table, struct text key, struct text value, script_on_put *on_put, void *put_arg)
{
    struct call_loop *c = arg;

    return store_put(c->store, l, table, key, value, on_put, put_arg);
}

static int load_tools(struct call_loop *c, const char *http_hosts, void (*problem)(const char *line, void *arg), void *arg)
{
    int err = 0;

    c->own = calloc(agents_count(c->agents) + 1, sizeof *c->own);
    if (!c->own)
        return -ENOMEM;
    for (size_t i = 0; i < agents_count(c->agents); i++) {
        const struct agent *a = agents_at(c->agents, i);

        c->own[i].tools = calloc(a->tools.file_count + 1, sizeof *c->own[i].tools);
        if (!c->own[i].tools)
            return -ENOMEM;
        for (size_t k = 0; k < a->tools.file_count; k++) {
            char *why = NULL, line[700];
            const int e = script_load(&c->own[i].tools[k], c->engine, a->tools.items[k].path, "run", &why);

            if (e) {
                snprintf(line, sizeof line, "agent %s: tool %s: %s", a->name, a->tools.items[k].name, why ? why : err_text(e));
                problem(line, arg);
                err = e;
            } else {
                c->own[i].count++;
                if (script_grant_http(c->own[i].tools[k], http_hosts))
                    return -ENOMEM;
            }
            free(why);
            if (e)
                break;
        }
    }
    return err;
}

static int open_fastagi(struct call_loop *c, const struct call_loop_options *opt, void (*problem)(const char *line, void *arg),
                        void *arg)
{
    /* Room beyond the ceiling of sessions: those get a BUSY in words, only a flood is closed without. */
    const struct listener_options lo = { .reuse_port = true, .max_streams = opt->routes.sessions_max + CALL_LOOP_BUSY,
                                         .allow = opt->allow };
    char where[100], line[200];
    int err;

    if (!opt->has_fastagi)
        return 0;
    err = listener_open(&c->fastagi, c->loop, &opt->fastagi, &lo, routes_accept, c->routes);
    if (!err)
        return 0;
    address_format(&opt->fastagi, where, sizeof where);
    snprintf(line, sizeof line, "fastagi/listen: cannot listen on %s: %s", where, err_text(err));
    problem(line, arg);
    return err;
}

int call_loop_new(struct call_loop **out, const struct call_loop_options *opt, void (*problem)(const char *line, void *arg),
                  void *arg)
{
    struct call_loop *c = calloc(1, sizeof *c);
    int err = -ENOMEM;

    if (!c)
        return err;
    c->index = opt->index;
    c->services = (struct script_services){ .store_get = lookup, .store_put = keep, .arg = c };
    c->log = log_for(opt->log, "call_loop");
    c->agents = opt->agents;
    c->store = opt->store;
    c->voice = opt->voice;
    c->speech = opt->speech;
    c->meters = opt->meters;
    c->files = opt->files;
    c->control = opt->control;
    c->route_count = opt->routes.count;
    c->figures = calloc(c->route_count + 1, sizeof *c->figures);
    if (c->figures)
        err = loop_new(&c->loop, opt->log);
    if (!err)
        loop_hold(c->loop);
    if (!err)
        err = ticker_new(&c->ticker, c->loop);
    if (!err)
        err = dialer_new(&c->dialer, c->loop, &(struct dialer_options){ .tls = { .ca_file = opt->ca } });
    if (!err) {
        c->services.dialer = c->dialer;
        err = script_engine_new(&c->engine, c->loop, &c->services, NULL, opt->log);
    }
    if (!err)
        err = load_tools(c, opt->http_hosts, problem, arg);
    if (!err)
        err = routes_open(&c->routes, c->loop, c->engine, &opt->routes, store_timeline(c->store), opt->log, problem, arg);
    if (!err)
        err = open_fastagi(c, opt, problem, arg);
    if (err) {
        call_loop_free(c);
        return err;
    }
    *out = c;
    return 0;
}

static void *thread_main(void *arg)
{
    struct call_loop *c = arg;

    loop_run(c->loop);
    return NULL;
}

int call_loop_start(struct call_loop *c)
{
    sigset_t all, before;
    int err;

    /* Signals are the control loop's: a thread inherits the mask it is born under. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&c->thread, NULL, thread_main, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->is_started = !err;
    return err;
}

void call_loop_address(const struct call_loop *c, struct address *fastagi)
{
    listener_address(c->fastagi, fastagi);
}

void call_loop_check_done(struct call_loop *c)
{
    if (c->is_closing && c->routes_closed && !c->live)
        loop_stop(c->loop);
}

static void on_routes_closed(void *arg)
{
    struct call_loop *c = arg;

    while (c->figures && c->figure_count < c->route_count && routes_figures(c->routes, c->figure_count, &c->figures[c->figure_count]))
        c->figure_count++;
    c->routes = NULL;
    c->routes_closed = true;
    call_loop_check_done(c);
}

static void on_kept(const char *line, void *arg)
{
    struct call_loop *c = arg;

    log_error(&c->log, "old_version_kept", kv_str("problem", line), kv_int("loop", c->index));
}

static size_t reload_tools(struct call_loop *c)
{
    size_t fresh = 0;

    for (size_t i = 0; i < agents_count(c->agents); i++) {
        for (size_t k = 0; k < c->own[i].count; k++) {
            char *why = NULL, line[700];
            const int err = script_reload(&c->own[i].tools[k], &why);

            if (err) {
                snprintf(line, sizeof line, "agent %s: tool %s: %s", agents_at(c->agents, i)->name, agents_at(c->agents, i)->tools.items[k].name,
                         why ? why : err_text(err));
                on_kept(line, c);
            }
            fresh += !err;
            free(why);
        }
    }
    return fresh;
}

static void on_reload(void *arg)
{
    struct call_loop *c = arg;
    size_t fresh;

    if (c->is_closing)
        return;
    fresh = routes_reload(c->routes, on_kept, c);
    fresh += reload_tools(c);
    log_info(&c->log, "scripts_reloaded", kv_int("files", (int64_t)fresh), kv_int("loop", c->index));
}

void call_loop_reload(struct call_loop *c)
{
    if (c->is_started && loop_post(c->loop, on_reload, c))
        log_error(&c->log, "reload_refused", kv_str("why", "the loop takes no posts"));
}

static void begin_close(void *arg)
{
    struct call_loop *c = arg;

    if (c->is_closing)
        return;
    c->is_closing = true;
    listener_close(c->fastagi);
    c->fastagi = NULL;
    call_talk_stop_all(c);
    routes_close(c->routes, c->linger_ms, on_routes_closed, c);
}

void call_loop_stop(struct call_loop *c, int64_t linger_ms)
{
    c->linger_ms = linger_ms;
    /* A full post queue of a loop that is to end: it is emptied every turn, so this ends. */
    while (c->is_started && loop_post(c->loop, begin_close, c) == -ENOBUFS)
        sched_yield();
}

void call_loop_join(struct call_loop *c)
{
    if (c->is_started)
        pthread_join(c->thread, NULL);
    c->is_started = false;
}

static void release_tools(struct call_loop *c)
{
    for (size_t i = 0; c->own && i < agents_count(c->agents); i++) {
        for (size_t k = 0; k < c->own[i].count; k++)
            script_release(c->own[i].tools[k]);
        free(c->own[i].tools);
    }
    free(c->own);
}

void call_loop_free(struct call_loop *c)
{
    if (!c)
        return;
    listener_close(c->fastagi);
    if (c->routes) { /* never started */
        c->is_closing = true;
        routes_close(c->routes, 0, on_routes_closed, c);
        loop_run(c->loop);
    }
    release_tools(c);
    if (c->engine)
        script_engine_free(c->engine);
    if (c->dialer)
        dialer_free(c->dialer);
    if (c->ticker)
        ticker_free(c->ticker);
    if (c->loop)
        loop_release(c->loop);
    loop_free(c->loop);
    free(c->figures);
    free(c);
}

struct question {
    struct call_loop *loop;
    void (*fn)(struct routes *routes, void *arg);
    void *arg;
};

static void on_question(void *arg)
{
    struct question *q = arg;

    q->fn(q->loop->routes, q->arg);
    free(q);
}

int call_loop_ask(struct call_loop *c, void (*fn)(struct routes *routes, void *arg), void *arg)
{
    struct question *q = malloc(sizeof *q);
    int err;

    if (!q)
        return -ENOMEM;
    *q = (struct question){ .loop = c, .fn = fn, .arg = arg };
    err = loop_post(c->loop, on_question, q);
    if (err)
        free(q);
    return err;
}

bool call_loop_figures(const struct call_loop *c, size_t i, struct route_figures *out)
{
    if (i >= c->figure_count)
        return false;
    *out = c->figures[i];
    return true;
}

struct loop *call_loop_loop(const struct call_loop *c)
{
    return c->loop;
}

int call_loop_take(void *place, struct agi_carrier *carrier)
{
    struct call_loop *c = place;

    return c->routes ? routes_take(c->routes, carrier) : -EBUSY;
}

size_t call_loop_talks(const struct call_loop *c)
{
    return c->talks;
}
