/* Opens writer, sinks and tap from the configuration, in that order, and closes them so that nothing is lost in between. */
#include "app/serve_tap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/serve_tap_figures.h"
#include "app/sink_setup.h"
#include "base/clock.h"

enum {
    DRAIN_MS = 2000,                /* longest wait for the writer, once nothing comes any more */
    DRAIN_STILL_MS = 150,           /* it holds events for merge and batch: so long without a change, and it is done */
    DRAIN_STEP_MS = 10,
};

struct sink_home {
    struct sink *sink;
    const struct config_sink *config;
    char *template_text;
};

struct node_check {
    struct serve_tap *tap;
    uint32_t index;
};

struct serve_tap {
    struct serve_tap_options opt;
    struct log log;
    const struct config_node **nodes;   /* the tapped ones, by the tap's index */
    const char **names, **sink_names;
    size_t count;
    struct tap_writer *writer;
    struct tap *tap;
    struct sink_home *sinks;
    atomic_size_t sink_count;           /* those that the writer may wake */
    struct node_check *checks;
    struct serve_tap_figures *figures;
};

static void tell(void (*problem)(const char *line, void *arg), void *arg, const char *what, const char *name, char *why, int err)
{
    char line[400];

    snprintf(line, sizeof line, "%s%s%s: %.300s", what, *name ? " " : "", name, why ? why : err_text(err));
    problem(line, arg);
    free(why);
}

/* ---- what the threads tell each other ---- */

/* The writer has logged it. */
static void on_gap(const char *node, const char *cause, int64_t from_us, int64_t to_us, void *arg)
{
    struct serve_tap *t = arg;
    const struct kv fields[] = { kv_str("node", node), kv_str("cause", cause), kv_int("from_us", from_us), kv_int("to_us", to_us), { .key = NULL } };

    timeline_add(store_timeline(t->opt.store), TEXT(""), "tap.gap", fields);
}

static void on_commit(void *arg)
{
    struct serve_tap *t = arg;
    const size_t count = atomic_load_explicit(&t->sink_count, memory_order_acquire);

    for (size_t i = 0; i < count; i++)
        sink_wake(t->sinks[i].sink);
}

static void on_cursor(const char *sink, int64_t fact_id, int64_t event_id, void *arg)
{
    tap_writer_cursor(((struct serve_tap *)arg)->writer, sink, fact_id, event_id);
}

static void on_clock(uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us, void *arg)
{
    tap_writer_clock(((struct serve_tap *)arg)->writer, node, sent_us, got_us, node_us);
}

/* ---- open ---- */

static int find_nodes(struct serve_tap *t)
{
    const struct config *c = t->opt.config;

    t->nodes = calloc(c->node_count + 1, sizeof *t->nodes);
    t->names = calloc(c->node_count + 1, sizeof *t->names);
    t->sink_names = calloc(c->sink_count + 1, sizeof *t->sink_names);
    if (!t->nodes || !t->names || !t->sink_names)
        return -ENOMEM;
    for (size_t i = 0; i < c->sink_count; i++)
        t->sink_names[i] = c->sinks[i].head.name;
    for (size_t i = 0; i < c->node_count; i++)
        if (c->nodes[i].tap) {
            t->names[t->count] = c->nodes[i].head.name;
            t->nodes[t->count++] = &c->nodes[i];
        }
    return 0;
}

static int open_writer(struct serve_tap *t, void (*problem)(const char *line, void *arg), void *arg)
{
    const struct config *c = t->opt.config;
    const struct tap_writer_options wo = {
        .path = c->journal_path,
        .journal = { .nodes = t->names, .node_count = t->count, .keep_age_us = c->tap.keep_age_ms * 1000, .keep_bytes = c->tap.keep_bytes,
                     .keeps_events = c->tap.events, .sinks = t->sink_names, .sink_count = c->sink_count },
        .merge = { .hold_us = c->tap.hold_ms * 1000 },
        .facts = { .nodes = t->count },
        .queue_events = (size_t)c->tap.queue_events, .queue_bytes = (size_t)c->tap.queue_bytes,
        .on_gap = on_gap, .on_commit = on_commit, .arg = t, .log = t->opt.log,
    };
    char *why = NULL;
    const int err = tap_writer_open(&t->writer, &wo, &why);

    if (err)
        tell(problem, arg, c->journal_path, "", why, err);
    return err;
}

static int open_sink(struct serve_tap *t, struct sink_home *h, char **why)
{
    static const unsigned carries[] = { [CONFIG_CARRY_FACTS] = SINK_FACTS, [CONFIG_CARRY_EVENTS] = SINK_EVENTS,
                                        [CONFIG_CARRY_BOTH] = SINK_FACTS | SINK_EVENTS };
    const struct config_sink *k = h->config;
    struct sink_settings settings;
    const int err = sink_setup(&settings, k, &h->template_text, why);
    const struct sink_options so = {
        .driver = sink_driver_named(config_drivers[k->driver]), .settings = settings,
        .journal_path = t->opt.config->journal_path, .carries = carries[k->carry], .kinds = k->kinds.items, .kind_count = k->kinds.count,
        .on_cursor = on_cursor, .arg = t, .log = t->opt.log,
    };

    if (err)
        return err;
    if (!so.driver) {
        *why = text_dup(TEXT("the driver is not built into this program"));
        return -ENOSYS;
    }
    if (k->insecure)
        log_warn(&t->log, "tls_not_verified", kv_str("sink", k->head.name));
    return sink_open(&h->sink, &so, why);
}

static int open_sinks(struct serve_tap *t, void (*problem)(const char *line, void *arg), void *arg)
{
    const struct config *c = t->opt.config;

    t->sinks = calloc(c->sink_count + 1, sizeof *t->sinks);
    if (!t->sinks)
        return -ENOMEM;
    for (size_t i = 0; i < c->sink_count; i++) {
        char *why = NULL;
        int err;

        t->sinks[i].config = &c->sinks[i];
        err = open_sink(t, &t->sinks[i], &why);
        if (err) {
            tell(problem, arg, "sink", c->sinks[i].head.name, why, err);
            return err;
        }
        atomic_store_explicit(&t->sink_count, i + 1, memory_order_release);
        log_info(&t->log, "sink", kv_str("name", c->sinks[i].head.name), kv_str("driver", config_drivers[c->sinks[i].driver]));
    }
    return 0;
}

static void set_node(struct tap_node_options *o, const struct config_node *n, struct tap_queue *queue)
{
    *o = (struct tap_node_options){
        .name = n->head.name, .url = n->ami, .user = n->ami_user, .secret = secret_reveal(&n->ami_secret), .ca = n->ca, .pin = n->ami_pin,
        .is_insecure = n->insecure && text_starts(text_of(n->ami), TEXT("tls://")), .is_plain = n->ami_plain, .events = n->ami_events,
        .filters = n->ami_filters.items, .filter_count = n->ami_filters.count, .control_user = n->control_user,
        .control_secret = n->control_user ? secret_reveal(&n->control_secret) : NULL, .queue = queue,
        .again = { secret_read_again, &n->ami_secret }, .control_again = { secret_read_again, &n->control_secret },
    };
}

static int open_tap(struct serve_tap *t, void (*problem)(const char *line, void *arg), void *arg)
{
    struct tap_node_options *nodes = calloc(t->count + 1, sizeof *nodes);
    const struct tap_options to = { .nodes = nodes, .count = t->count, .on_clock = on_clock, .arg = t, .log = t->opt.log };
    char *why = NULL;
    int err = nodes ? 0 : -ENOMEM;

    for (size_t i = 0; !err && i < t->count; i++)
        set_node(&nodes[i], t->nodes[i], tap_writer_queue(t->writer, (uint32_t)i));
    if (!err)
        err = tap_open(&t->tap, &to, &why);
    if (err)
        tell(problem, arg, "tap", "", why, err);
    free(nodes);
    return err;
}

int serve_tap_open(struct serve_tap **out, const struct serve_tap_options *opt, void (*problem)(const char *line, void *arg), void *arg)
{
    struct serve_tap *t = calloc(1, sizeof *t);
    int err = -ENOMEM;

    *out = NULL;
    if (!t)
        return err;
    t->opt = *opt;
    t->log = log_for(opt->log, "tap");
    err = find_nodes(t);
    if (!err && t->count == 0) {
        if (opt->config->sink_count)
            log_warn(&t->log, "sinks_idle", kv_str("why", "no node is tapped: [node NAME] needs ami, ami_user and ami_secret"));
        serve_tap_close(t, 0);
        return 0;
    }
    if (!err)
        err = open_writer(t, problem, arg);
    if (!err)
        err = open_sinks(t, problem, arg);
    if (!err)
        err = open_tap(t, problem, arg);
    if (!err && opt->metrics)
        err = serve_tap_figures_open(&t->figures, opt->metrics, t, t->writer);
    if (err)
        serve_tap_close(t, 0);
    else
        *out = t;
    return err;
}

/* ---- asking ---- */

bool serve_tap_is_up(const struct serve_tap *t)
{
    struct tap_node_figures f;

    for (size_t i = 0; t && i < t->count; i++) {
        tap_node_figures_of(t->tap, (uint32_t)i, &f);
        if (!f.is_up)
            return false;
    }
    return true;
}

static bool node_is_up(void *arg)
{
    const struct node_check *c = arg;
    struct tap_node_figures f;

    tap_node_figures_of(c->tap->tap, c->index, &f);
    return f.is_up;
}

int serve_tap_checks(struct serve_tap *t, struct serve_console *c)
{
    char name[CONSOLE_NAME_MAX];
    int err = 0;

    if (!t)
        return 0;
    t->checks = calloc(t->count + 1, sizeof *t->checks);
    if (!t->checks)
        return -ENOMEM;
    for (size_t i = 0; !err && i < t->count; i++) {
        t->checks[i] = (struct node_check){ t, (uint32_t)i };
        snprintf(name, sizeof name, "node %s: ami", t->names[i]);
        err = serve_console_check(c, name, node_is_up, &t->checks[i]);
    }
    return err;
}

bool serve_tap_node_at(const struct serve_tap *t, size_t i, struct serve_tap_node *out)
{
    if (!t || i >= t->count)
        return false;
    out->name = t->names[i];
    tap_node_figures_of(t->tap, (uint32_t)i, &out->session);
    return tap_writer_node_figures(t->writer, (uint32_t)i, &out->writer);
}

bool serve_tap_sink_at(const struct serve_tap *t, size_t i, struct serve_tap_sink *out)
{
    if (!t || i >= atomic_load_explicit(&t->sink_count, memory_order_relaxed))
        return false;
    out->name = t->sinks[i].config->head.name;
    out->driver = config_drivers[t->sinks[i].config->driver];
    sink_figures_of(t->sinks[i].sink, &out->figures);
    return true;
}

/* ---- close ---- */

static bool has_changed(const struct serve_tap *t, uint64_t *seen)
{
    struct tap_writer_figures f;
    struct tap_writer_node n;
    uint64_t sum;
    size_t queued = 0;
    bool is_changed;

    tap_writer_figures_of(t->writer, &f);
    sum = f.events + f.facts + f.batches;
    for (size_t i = 0; i < t->count; i++)
        if (tap_writer_node_figures(t->writer, (uint32_t)i, &n))
            queued += n.queued;
    is_changed = queued > 0 || sum != *seen;
    *seen = sum;
    return is_changed;
}

/* The sinks' cursors are made durable by the writer, so it closes last; yet what it still holds is for the sinks. */
static void drain_writer(const struct serve_tap *t)
{
    const struct timespec step = { .tv_nsec = DRAIN_STEP_MS * 1000000L };
    int64_t still_ms = 0;
    uint64_t seen = 0;

    for (int64_t ms = 0; ms < DRAIN_MS && still_ms < DRAIN_STILL_MS; ms += DRAIN_STEP_MS) {
        still_ms = has_changed(t, &seen) ? 0 : still_ms + DRAIN_STEP_MS;
        nanosleep(&step, NULL);
    }
}

static void close_sinks(struct serve_tap *t, int64_t linger_ms)
{
    const int64_t until_ms = clock_mono_us() / 1000 + linger_ms;
    const size_t count = atomic_exchange(&t->sink_count, 0);

    for (size_t i = 0; i < count; i++) {
        const int64_t left = until_ms - clock_mono_us() / 1000;

        sink_close(t->sinks[i].sink, left > 0 ? left : 0);
    }
    for (size_t i = 0; t->sinks && i < t->opt.config->sink_count; i++)
        free(t->sinks[i].template_text);
}

void serve_tap_close(struct serve_tap *t, int64_t linger_ms)
{
    if (!t)
        return;
    serve_tap_figures_close(t->figures);
    tap_close(t->tap);
    t->tap = NULL;
    if (t->writer && atomic_load(&t->sink_count))
        drain_writer(t);
    close_sinks(t, linger_ms);
    tap_writer_close(t->writer);
    free(t->sinks);
    free(t->checks);
    free(t->nodes);
    free(t->names);
    free(t->sink_names);
    free(t);
}
