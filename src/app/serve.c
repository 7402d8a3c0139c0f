/* The daemon: check, open, run, drain, close. */
#include "app/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/admin_routes.h"
#include "app/call_loop.h"
#include "app/serve_console.h"
#include "app/serve_nodes.h"
#include "app/serve_scripts.h"
#include "app/serve_tap.h"
#include "app/talk_files.h"
#include "call/talk_meters.h"
#include "store/store.h"

enum {
    SERVE_SPEECH_QUEUE = 512,      /* utterances and sentences that may wait; more are refused and said so */
    SERVE_VOICE_CACHE = 32 << 20,  /* bytes of ready sentences: about half an hour of speech */
    SERVE_READY_MS = 100,
    SERVE_HAND_BACK_MS = 2000,
    SERVE_SINK_LINGER_MS = 3000,   /* what the sinks have of the end, together */
};

struct daemon {
    const struct config *config;
    struct log_sink sink;
    struct log log;
    struct store *store;
    struct worker_pool *speech;
    struct synthesiser *voice;
    struct agents *agents;
    struct loop *control;
    struct call_loop **loops;
    size_t loop_count;
    struct serve_scripts *scripts;
    struct gate sessions, *route_gates; /* places that all loops share; route_gates as config->routes */
    struct serve_nodes *nodes;
    struct admin *admin;
    struct admin_routes admin_routes;
    struct admin_verb admin_verbs[1];
    struct metrics *metrics;
    struct talk_meters talk_meters;
    struct talk_files *files;
    struct serve_console *console;
    struct serve_tap *tap;
    struct timer *ready;
    struct loop_signal *term, *interrupt, *hangup;
    bool is_closing, is_told_ready;
};

static void on_problem(const char *line, void *arg)
{
    (void)arg;
    fprintf(stderr, "sidetone: %s\n", line);
}

static size_t count_or_cores(int64_t n)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (n > 0)
        return (size_t)n;
    return cores > 0 ? (size_t)cores : 1;
}

/* ---- open ---- */

static int make_state_dir(const char *dir)
{
    char line[600];

    if (mkdir(dir, 0750) == 0 || errno == EEXIST) {
        if (access(dir, W_OK | X_OK) == 0)
            return 0;
    }
    snprintf(line, sizeof line, "sidetone/state_dir: %s: %s", dir, err_text(-errno));
    on_problem(line, NULL);
    return -EACCES;
}

static int open_store(struct daemon *d)
{
    char *problem = NULL;
    const int err = store_open(&d->store, d->config->store_path, &d->log, &problem);

    if (err)
        fprintf(stderr, "sidetone: store %s: %s\n", d->config->store_path, problem ? problem : err_text(err));
    free(problem);
    return err;
}

static int open_speech(struct daemon *d)
{
    int err = worker_pool_new(&d->speech, count_or_cores(d->config->sidetone.speech_threads), SERVE_SPEECH_QUEUE, "speech");

    if (!err)
        err = synthesiser_new(&d->voice, d->speech, SERVE_VOICE_CACHE);
    return err ? err : agents_load(&d->agents, d->config, d->config->sidetone.state_dir, on_problem, NULL);
}

static struct route_options route_options_of(const struct config *c, const struct config_route *r, struct gate *gate)
{
    struct route_options opt = {
        .name = r->head.name, .handler = r->handler, .deadline_ms = r->deadline_ms, .idle_ms = r->idle_ms, .gate = gate,
        .http_hosts = r->http_hosts ? r->http_hosts : c->sidetone.http_hosts,
        .queue = r->max > 0 ? (size_t)r->queue : 0, .queue_wait_ms = r->queue_wait_ms,
        .record = r->record, .record_max = (unsigned)r->record_max, .record_masks = r->record_mask == CONFIG_MASK_NUMBERS,
        .shadow = r->shadow,
    };

    gate->max = (size_t)r->max;
    if (r->on_full == CONFIG_FULL_FALLBACK)
        opt.when_full = (struct route_place){ r->fallback.context, r->fallback.extension, r->fallback.priority };
    return opt;
}

static int open_loops(struct daemon *d)
{
    const struct config *c = d->config;
    struct route_options *routes = calloc(c->route_count + 1, sizeof *routes);
    struct call_loop_options lo = {
        .fastagi = c->fastagi.listen, .has_fastagi = c->route_count > 0, .agents = d->agents, .store = d->store,
        .voice = d->voice, .speech = d->speech, .meters = &d->talk_meters, .files = d->files, .control = d->control, .log = &d->log,
        .allow = &c->fastagi.allow, .http_hosts = c->sidetone.http_hosts, .ca = c->sidetone.ca,
        .routes = { .routes = routes, .count = c->route_count, .sessions_max = (size_t)c->fastagi.sessions_max, .gate = &d->sessions,
                    .env_ms = c->fastagi.env_ms, .recordings = store_recordings(d->store) },
    };
    const size_t count = count_or_cores(c->sidetone.workers);
    int err = serve_scripts_new(&d->scripts, c);

    d->loops = calloc(count, sizeof *d->loops);
    d->route_gates = calloc(c->route_count + 1, sizeof *d->route_gates);
    d->sessions.max = (size_t)c->fastagi.sessions_max;
    if (!routes || !d->loops || !d->route_gates)
        err = -ENOMEM;
    for (size_t i = 0; !err && i < c->route_count; i++) {
        routes[i] = route_options_of(c, &c->routes[i], &d->route_gates[i]);
        routes[i].script = serve_scripts_options(d->scripts, i);
    }
    while (!err && d->loop_count < count) {
        lo.index = (unsigned)d->loop_count;
        err = call_loop_new(&d->loops[d->loop_count], &lo, on_problem, NULL);
        if (err)
            break;
        /* Port 0: the first loop learns the number, the others share it. */
        if (lo.has_fastagi)
            call_loop_address(d->loops[d->loop_count], &lo.fastagi);
        d->loop_count++;
    }
    free(routes);
    return err;
}

static int open_nodes(struct daemon *d)
{
    const struct serve_nodes_options no = {
        .config = d->config, .agents = d->agents, .loops = d->loops, .loop_count = d->loop_count, .control = d->control,
        .timeline = store_timeline(d->store), .log = &d->log,
    };

    return serve_nodes_open(&d->nodes, &no, on_problem, NULL);
}

/* Without it the daemon still does its work, so a socket that cannot be had is only told. */
static int open_admin(struct daemon *d)
{
    int err;

    d->admin_routes = (struct admin_routes){ .from = { d->control, d->loops, d->loop_count, d->config->route_count }, .store = d->store };
    d->admin_verbs[0] = admin_routes_verb(&d->admin_routes);
    err = admin_open(&d->admin, d->control, d->config->admin_path, d->admin_verbs, 1, &d->log);
    if (err && err != -ENOMEM)
        log_warn(&d->log, "no_admin_socket", kv_str("path", d->config->admin_path), kv_err(err));
    return err == -ENOMEM ? err : 0;
}

static int open_console(struct daemon *d)
{
    const struct serve_console_options so = { .config = d->config, .control = d->control, .from = &d->admin_routes.from, .nodes = d->nodes,
                                              .store = d->store, .metrics = d->metrics, .log = &d->log };

    return serve_console_open(&d->console, &so, on_problem, NULL);
}

static int open_tap(struct daemon *d)
{
    const struct serve_tap_options to = { .config = d->config, .store = d->store, .metrics = d->metrics, .log = &d->log };
    const int err = serve_tap_open(&d->tap, &to, on_problem, NULL);

    return err ? err : serve_tap_checks(d->tap, d->console);
}

/* ---- run ---- */

static void on_nodes_closed(void *arg)
{
    struct daemon *d = arg;

    loop_stop(d->control);
}

static void begin_close(struct daemon *d)
{
    if (d->is_closing) {
        loop_stop(d->control);     /* asked twice: no more waiting */
        return;
    }
    d->is_closing = true;
    log_info(&d->log, "stopping", kv_int("calls", d->nodes ? (int64_t)serve_nodes_calls(d->nodes) : 0));
    timer_stop(d->ready);
    if (d->nodes)
        serve_nodes_close(d->nodes, SERVE_HAND_BACK_MS, on_nodes_closed, d);
    else
        loop_stop(d->control);
}

static void on_signal(void *arg)
{
    begin_close(arg);
}

/* SIGHUP: handlers and tools are read again; the configuration, and with it nodes, filters and sinks, is not. */
static void on_reload(void *arg)
{
    struct daemon *d = arg;

    if (d->is_closing)
        return;
    log_info(&d->log, "reloading", kv_int("loops", (int64_t)d->loop_count));
    for (size_t i = 0; i < d->loop_count; i++)
        call_loop_reload(d->loops[i]);
}

static void on_ready_time(void *arg)
{
    struct daemon *d = arg;

    if (!serve_nodes_are_up(d->nodes) || !serve_tap_is_up(d->tap)) {
        timer_start(d->ready, SERVE_READY_MS);
        return;
    }
    log_info(&d->log, "ready", kv_int("nodes", (int64_t)d->config->node_count), kv_int("routes", (int64_t)d->config->route_count),
             kv_int("agents", (int64_t)d->config->agent_count));
}

static void tell_listening(const struct daemon *d)
{
    struct address at;
    char where[100];

    if (d->config->route_count > 0) {
        call_loop_address(d->loops[0], &at);
        address_format(&at, where, sizeof where);
        log_info(&d->log, "listening", kv_str("what", "fastagi"), kv_str("address", where), kv_int("loops", (int64_t)d->loop_count));
    }
    if (serve_nodes_has_door(d->nodes)) {
        address_format(&d->config->audiosocket.listen, where, sizeof where);
        log_info(&d->log, "listening", kv_str("what", "audiosocket"), kv_str("address", where));
    }
}

static int open_all(struct daemon *d)
{
    int err = make_state_dir(d->config->sidetone.state_dir);

    if (!err)
        err = open_store(d);
    if (!err)
        err = open_speech(d);
    if (!err)
        err = metrics_new(&d->metrics);
    if (!err)
        err = talk_meters_add(&d->talk_meters, d->metrics);
    if (!err)
        err = loop_new(&d->control, &d->log);
    if (!err)
        loop_hold(d->control);
    if (!err)
        err = timer_new(&d->ready, d->control, on_ready_time, d);
    if (!err)
        err = loop_signal_new(&d->term, d->control, SIGTERM, on_signal, d);
    if (!err)
        err = loop_signal_new(&d->interrupt, d->control, SIGINT, on_signal, d);
    if (!err)
        err = loop_signal_new(&d->hangup, d->control, SIGHUP, on_reload, d);
    if (!err)
        err = talk_files_open(&d->files, d->control, d->config->recordings_dir, d->config->sidetone.keep_recordings_ms, &d->log);
    if (!err)
        err = open_loops(d);
    if (!err)
        err = open_nodes(d);
    for (size_t i = 0; !err && i < d->loop_count; i++)
        err = call_loop_start(d->loops[i]);
    if (!err)
        err = open_admin(d);
    if (!err)
        err = open_console(d);
    return err ? err : open_tap(d);
}

/* ---- close ---- */

static void tell_figures(const struct daemon *d)
{
    struct route_figures *sum = malloc(sizeof *sum), *one = malloc(sizeof *one);

    for (size_t i = 0; sum && one && i < d->config->route_count; i++) {
        memset(sum, 0, sizeof *sum);
        for (size_t k = 0; k < d->loop_count; k++) {
            if (!call_loop_figures(d->loops[k], i, one))
                continue;
            sum->sessions += one->sessions;
            if (d->loop_count > 1)
                log_info(&d->log, "loop_figures", kv_int("loop", (int64_t)k), kv_str("route", one->name),
                         kv_int("sessions", (int64_t)one->sessions));
            sum->timeouts += one->timeouts;
            sum->errors += one->errors;
            hist_merge(&sum->command_us, &one->command_us);
            hist_merge(&sum->session_us, &one->session_us);
        }
        const struct kv fields[] = {
            kv_str("route", d->config->routes[i].head.name),
            kv_int("sessions", (int64_t)sum->sessions),
            kv_int("timeouts", (int64_t)sum->timeouts),
            kv_int("errors", (int64_t)sum->errors),
            kv_int("commands", (int64_t)sum->command_us.count),
            kv_int("command_p50_us", hist_quantile(&sum->command_us, 0.50)),
            kv_int("command_p99_us", hist_quantile(&sum->command_us, 0.99)),
            kv_int("session_p50_us", hist_quantile(&sum->session_us, 0.50)),
            kv_int("session_p99_us", hist_quantile(&sum->session_us, 0.99)),
            { .key = NULL },
        };

        log_write(&d->log, LOG_INFO, "figures", fields);
        timeline_add(store_timeline(d->store), TEXT(""), "figures", fields);
    }
    free(sum);
    free(one);
}

static void on_drained(void *arg)
{
    loop_stop(arg);
}

/* What call loops still told the control loop is heard before anything is freed. */
static void join_loops(struct daemon *d)
{
    admin_close(d->admin);
    d->admin = NULL;
    serve_console_close(d->console);
    d->console = NULL;
    serve_tap_close(d->tap, SERVE_SINK_LINGER_MS);
    d->tap = NULL;
    for (size_t i = 0; i < d->loop_count; i++)
        call_loop_stop(d->loops[i], d->config->fastagi.linger_ms);
    for (size_t i = 0; i < d->loop_count; i++)
        call_loop_join(d->loops[i]);
    if (loop_post(d->control, on_drained, d->control) == 0)
        loop_run(d->control);
}

static void close_all(struct daemon *d)
{
    if (d->control && d->loops)
        join_loops(d);
    if (d->store && d->loops)
        tell_figures(d);
    serve_nodes_free(d->nodes);
    /* Speech and store answer by posts, so they go before the loops; loop_free runs the posts that still wait. */
    if (d->speech)
        worker_pool_free(d->speech);
    talk_files_close(d->files);
    store_close(d->store);
    for (size_t i = 0; i < d->loop_count; i++)
        call_loop_free(d->loops[i]);
    free(d->loops);
    free(d->route_gates);
    serve_scripts_free(d->scripts);
    timer_free(d->ready);
    if (d->term)
        loop_signal_free(d->term);
    if (d->interrupt)
        loop_signal_free(d->interrupt);
    if (d->hangup)
        loop_signal_free(d->hangup);
    if (d->control)
        loop_release(d->control);
    loop_free(d->control);
    if (d->voice)
        synthesiser_free(d->voice);
    agents_free(d->agents);
    metrics_free(d->metrics);
}

int serve_run(const struct config *config)
{
    struct daemon d = { .config = config };
    int err;

    signal(SIGPIPE, SIG_IGN);
    d.sink = (struct log_sink){ .fd = STDERR_FILENO, .level = (enum log_level)config->sidetone.log_level,
                                .journal = getenv("JOURNAL_STREAM") != NULL };
    d.log = (struct log){ .sink = &d.sink, .module = "serve" };
    err = open_all(&d);
    if (!err) {
        tell_listening(&d);
        timer_start(d.ready, 0);
        loop_run(d.control);
    } else {
        fprintf(stderr, "sidetone: not started\n");
        if (d.nodes) { /* what did open is closed on its loop */
            begin_close(&d);
            loop_run(d.control);
        }
    }
    close_all(&d);
    if (!err)
        log_info(&d.log, "stopped");
    return err ? 1 : 0;
}
