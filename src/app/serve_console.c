/* Joins the console with what the daemon is made of. */
#include "app/serve_console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct node_check {
    const struct serve_nodes *nodes;
    size_t index;
};

struct serve_console {
    struct serve_console_options opt;
    struct console *console;
    struct node_check *checks;
    struct metric *ari_connected, *calls_active;
    struct series *facts_written, *facts_dropped, *sessions_dropped, *slow_turns;
};

static bool node_ari_is_up(void *arg)
{
    const struct node_check *c = arg;
    struct serve_node_state state;

    return serve_nodes_state(c->nodes, c->index, &state) && state.ari_is_up;
}

static bool node_asyncagi_is_up(void *arg)
{
    const struct node_check *c = arg;
    struct serve_node_state state;

    return serve_nodes_state(c->nodes, c->index, &state) && state.asyncagi_is_up;
}

static int add_checks(struct serve_console *c)
{
    struct serve_node_state state;
    char name[CONSOLE_NAME_MAX];
    int err = 0;

    c->checks = calloc(c->opt.config->node_count + 1, sizeof *c->checks);
    if (!c->checks)
        return -ENOMEM;
    for (size_t i = 0; !err && serve_nodes_state(c->opt.nodes, i, &state); i++) {
        c->checks[i] = (struct node_check){ c->opt.nodes, i };
        snprintf(name, sizeof name, "node %s: ari", state.name);
        if (state.has_ari)
            err = console_check(c->console, name, node_ari_is_up, &c->checks[i]);
        snprintf(name, sizeof name, "node %s: asyncagi", state.name);
        if (!err && state.has_asyncagi)
            err = console_check(c->console, name, node_asyncagi_is_up, &c->checks[i]);
    }
    return err;
}

/* ---- figures ---- */

static void refresh(void *arg)
{
    struct serve_console *c = arg;
    struct serve_node_state state;

    for (size_t i = 0; serve_nodes_state(c->opt.nodes, i, &state); i++) {
        if (!state.has_ari)
            continue;
        series_set(metric_series(c->ari_connected, state.name, NULL, NULL), state.ari_is_up);
        series_set(metric_series(c->calls_active, state.name, NULL, NULL), (int64_t)state.calls);
    }
    series_set(c->facts_written, (int64_t)store_facts_written(c->opt.store));
    series_set(c->facts_dropped, (int64_t)store_facts_dropped(c->opt.store));
    series_set(c->sessions_dropped, (int64_t)store_sessions_dropped(c->opt.store));
    series_set(c->slow_turns, (int64_t)loop_slow_turns(c->opt.control));
}

static int add_one(struct series **out, struct metrics *m, enum metric_kind kind, const char *name, const char *help)
{
    struct metric *k;
    const int err = metrics_add(&k, m, kind, name, help, NULL);

    if (!err)
        *out = metric_series(k, NULL, NULL, NULL);
    return err;
}

static int add_figures(struct serve_console *c)
{
    struct metrics *m = c->opt.metrics;
    int err = metrics_add(&c->ari_connected, m, METRIC_GAUGE, "sidetone_ari_connected", "1: the node's Stasis application is ours and connected.", "node");

    if (!err)
        err = metrics_add(&c->calls_active, m, METRIC_GAUGE, "sidetone_calls_active", "Calls in Stasis now.", "node");
    if (!err)
        err = add_one(&c->facts_written, m, METRIC_COUNTER, "sidetone_facts_written_total", "Facts of the timeline that are stored.");
    if (!err)
        err = add_one(&c->facts_dropped, m, METRIC_COUNTER, "sidetone_facts_dropped_total", "Facts of the timeline that were lost: queue full, or disk.");
    if (!err)
        err = add_one(&c->sessions_dropped, m, METRIC_COUNTER, "sidetone_recordings_dropped_total", "Recorded AGI sessions that were lost.");
    if (!err)
        err = add_one(&c->slow_turns, m, METRIC_COUNTER, "sidetone_slow_turns_total", "Turns of the control loop over 5 ms.");
    return err ? err : metrics_on_print(m, refresh, c);
}

/* ---- open, close ---- */

int serve_console_check(struct serve_console *c, const char *name, bool (*is_ready)(void *arg), void *arg)
{
    return c ? console_check(c->console, name, is_ready, arg) : 0;
}

static int open_port(struct serve_console *c, void (*problem)(const char *line, void *arg), void *arg)
{
    const struct console_options co = { .control = c->opt.control, .listen = c->opt.config->console.listen, .from = c->opt.from,
                                        .metrics = c->opt.metrics, .log = c->opt.log };
    const int err = console_open(&c->console, &co);
    struct address at = co.listen;
    char where[100], line[220];

    if (err) {
        address_format(&at, where, sizeof where);
        snprintf(line, sizeof line, "console/listen: cannot listen on %s: %s", where, err_text(err));
        problem(line, arg);
        return err;
    }
    at.port = (uint16_t)console_port(c->console);
    address_format(&at, where, sizeof where);
    log_info(c->opt.log, "listening", kv_str("what", "console"), kv_str("address", where));
    return 0;
}

int serve_console_open(struct serve_console **out, const struct serve_console_options *opt, void (*problem)(const char *line, void *arg),
                       void *arg)
{
    struct serve_console *c;
    int err;

    *out = NULL;
    if (!opt->config->console.listen.host[0])
        return 0;
    c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->opt = *opt;
    err = open_port(c, problem, arg);
    if (!err)
        err = add_checks(c);
    if (!err)
        err = add_figures(c);
    if (err)
        serve_console_close(c);
    else
        *out = c;
    return err;
}

void serve_console_close(struct serve_console *c)
{
    if (!c)
        return;
    metrics_off_print(c->opt.metrics, c);
    console_close(c->console);
    free(c->checks);
    free(c);
}
