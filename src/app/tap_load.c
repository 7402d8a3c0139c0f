/* Opens firehose, writer and tap, lets them run, waits until all is stored, and reads every counter. */
#include "app/tap_load.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/ami_fire.h"
#include "store/tap_writer.h"
#include "tap/tap.h"

enum { NAME = 16, URL = 48, QUEUE_EVENTS = 65536, QUEUE_ENOUGH = 8192, WAIT_US = 20000, PING_MS = 1000, START_US = 10000000, REST_US = 60000000 };

struct load {
    const struct tap_load_options *opt;
    struct tap_load_result *out;
    struct ami_fire *fire;
    struct tap_writer *writer;
    struct tap *tap;
    char path[512];
    char (*names)[NAME], (*urls)[URL];
    const char **name_list;
    struct tap_node_options *nodes;
    struct log_sink sink;
    struct log log;
    atomic_int_least64_t writer_cpu_us;
    cpu_set_t cores;                        /* that we may use */
    _Atomic(struct tap_queue *) *queues;    /* set once the writer is there */
};

/* ---- call backs ---- */

/* Flat out means as fast as it is stored: nothing is to be lost on the way. */
static bool may_send(unsigned node, void *arg)
{
    struct load *l = arg;
    const struct tap_queue *q = atomic_load(&l->queues[node]);

    return q && tap_queue_depth(q) < QUEUE_ENOUGH;
}

static void on_clock(uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us, void *arg)
{
    tap_writer_clock(((struct load *)arg)->writer, node, sent_us, got_us, node_us);
}

static void on_commit(void *arg)
{
    struct load *l = arg;
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    atomic_store(&l->writer_cpu_us, (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

/* ---- opening ---- */

/* Threads that are begun from now on stay on the nth core of those we may use. */
static void pin(const struct load *l, int nth)
{
    cpu_set_t one;
    int seen = 0;

    if (!l->opt->pins || CPU_COUNT(&l->cores) < 2)
        return;
    CPU_ZERO(&one);
    for (size_t c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET(c, &l->cores) && seen++ == nth)
            CPU_SET(c, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

static int open_fire(struct load *l)
{
    const struct ami_fire_options opt = { .nodes = l->opt->nodes, .rate = l->opt->rate, .calls = l->opt->calls, .clock_ahead_us = l->opt->ahead_us,
                                          .user = "tap", .secret = "tap",
                                          .may_send = l->opt->rate ? NULL : may_send, .arg = l };

    return ami_fire_open(&l->fire, &opt);
}

static int open_writer(struct load *l, char **problem)
{
    const struct tap_writer_options opt = {
        .path = l->path, .journal = { .nodes = l->name_list, .node_count = l->opt->nodes, .keeps_events = true },
        .queue_events = QUEUE_EVENTS, .on_commit = on_commit, .arg = l, .log = &l->log,
    };
    const int err = tap_writer_open(&l->writer, &opt, problem);

    for (unsigned i = 0; !err && i < l->opt->nodes; i++) {
        l->nodes[i].queue = tap_writer_queue(l->writer, i);
        atomic_store(&l->queues[i], l->nodes[i].queue);
    }
    return err;
}

static int open_tap(struct load *l, char **problem)
{
    const struct tap_options opt = { .nodes = l->nodes, .count = l->opt->nodes, .on_clock = on_clock, .arg = l, .log = &l->log,
                                     .ping_ms = PING_MS };

    return tap_open(&l->tap, &opt, problem);
}

static int make_room(struct load *l)
{
    const unsigned n = l->opt->nodes;

    l->names = calloc(n, sizeof *l->names);
    l->urls = calloc(n, sizeof *l->urls);
    l->name_list = calloc(n, sizeof *l->name_list);
    l->nodes = calloc(n, sizeof *l->nodes);
    l->queues = calloc(n, sizeof *l->queues);
    return l->names && l->urls && l->name_list && l->nodes && l->queues ? 0 : -ENOMEM;
}

static void name_nodes(struct load *l)
{
    for (unsigned i = 0; i < l->opt->nodes; i++) {
        snprintf(l->names[i], sizeof l->names[i], "fire%02u", i + 1);
        snprintf(l->urls[i], sizeof l->urls[i], "tcp://127.0.0.1:%u", ami_fire_port(l->fire, i));
        l->name_list[i] = l->names[i];
        l->nodes[i] = (struct tap_node_options){ .name = l->names[i], .url = l->urls[i], .user = "tap", .secret = "tap", .control_user = "tap",
                                                 .control_secret = "tap" };
    }
}

static void remove_file(const struct load *l)
{
    static const char *const tails[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char name[sizeof l->path + 8];

        snprintf(name, sizeof name, "%s%s", l->path, tails[i]);
        (void)unlink(name);
    }
}

static int prepare(struct load *l)
{
    int err = make_room(l);

    if (err)
        return err;
    snprintf(l->path, sizeof l->path, "%s/tap-load.journal", l->opt->folder);
    remove_file(l);
    if (sched_getaffinity(0, sizeof l->cores, &l->cores))
        CPU_ZERO(&l->cores);
    l->sink = (struct log_sink){ .fd = 2, .level = LOG_WARN };
    l->log = (struct log){ .sink = &l->sink, .module = "bench" };
    pin(l, 1);
    err = open_fire(l);
    if (err)
        return err;
    name_nodes(l);
    return 0;
}

/* ---- running ---- */

static uint64_t sent(const struct load *l)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < l->opt->nodes; i++) {
        struct ami_fire_figures f;

        ami_fire_figures_of(l->fire, i, &f);
        sum += f.sent;
    }
    return sum;
}

/* FullyBooted is an event, too: one of each login that wants events. */
static uint64_t stored(const struct load *l)
{
    struct tap_writer_figures f;
    uint64_t greetings = 0;

    for (unsigned i = 0; i < l->opt->nodes; i++) {
        struct tap_node_figures n;

        tap_node_figures_of(l->tap, i, &n);
        greetings += n.connects;
    }
    tap_writer_figures_of(l->writer, &f);
    return f.events > greetings ? f.events - greetings : 0;
}

static void rest(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = WAIT_US * 1000L }, NULL);
}

static void note_memory(struct load *l, bool is_early)
{
    struct tap_writer_figures f;

    tap_writer_figures_of(l->writer, &f);
    l->out->rss_end = f.rss_bytes;
    if (is_early)
        l->out->rss_early = f.rss_bytes;
    if (f.rss_bytes > l->out->rss_max)
        l->out->rss_max = f.rss_bytes;
}

static int run(struct load *l)
{
    const int64_t opened = clock_mono_us(), length = l->opt->seconds * 1000000;
    int64_t began, last;

    while (stored(l) == 0 && clock_mono_us() - opened < START_US)
        rest();
    began = clock_mono_us();
    l->out->sent = stored(l); /* what was stored before the watch ran does not count */
    while (clock_mono_us() - began < length) {
        rest();
        note_memory(l, clock_mono_us() - began < length / 4);
    }
    ami_fire_hold(l->fire);
    last = clock_mono_us();
    while ((!ami_fire_is_held(l->fire) || stored(l) < sent(l)) && clock_mono_us() - last < REST_US)
        rest();
    l->out->seconds = (double)(clock_mono_us() - began) / 1e6;
    return ami_fire_is_held(l->fire) && stored(l) >= sent(l) ? 0 : -ETIMEDOUT;
}

/* ---- the figures ---- */

static void read_node(struct load *l, unsigned i)
{
    struct tap_load_result *r = l->out;
    struct ami_fire_figures f;
    struct tap_writer_node n;

    ami_fire_figures_of(l->fire, i, &f);
    r->calls_sent += f.calls;
    if (!tap_writer_node_figures(l->writer, i, &n))
        return;
    r->lost += n.lost;
    r->gaps += n.gaps;
    r->late += n.late;
    if (n.clock.error_us > r->clock_doubt_us)
        r->clock_doubt_us = n.clock.error_us;
    if (!n.clock.is_known)
        r->clock_error_us = -1;
    else if (r->clock_error_us >= 0 && llabs(n.clock.offset_us - l->opt->ahead_us) > r->clock_error_us)
        r->clock_error_us = llabs(n.clock.offset_us - l->opt->ahead_us);
    if (n.lag_p99_us > r->lag_p99_us) {
        r->lag_p99_us = n.lag_p99_us;
        r->lag_p50_us = n.lag_p50_us;
    }
    if (n.lag_max_us > r->lag_max_us)
        r->lag_max_us = n.lag_max_us;
}

static void read_figures(struct load *l)
{
    struct tap_load_result *r = l->out;
    struct tap_writer_figures f;
    struct stat st;
    const uint64_t before = r->sent;

    r->lag_p50_us = r->lag_p99_us = r->lag_max_us = -1;
    for (unsigned i = 0; i < l->opt->nodes; i++)
        read_node(l, i);
    tap_writer_figures_of(l->writer, &f);
    r->sent = sent(l) - before;
    r->stored = stored(l) - before;
    r->facts = f.facts;
    r->calls_stored = f.calls;
    r->failures = f.failures;
    r->batches = f.batches;
    r->writer_cpu_seconds = (double)atomic_load(&l->writer_cpu_us) / 1e6;
    if (stat(l->path, &st) == 0)
        r->file_bytes = (uint64_t)st.st_size;
}

int tap_load_run(const struct tap_load_options *opt, struct tap_load_result *out, char **problem)
{
    struct load l = { .opt = opt, .out = out };
    int err;

    *problem = NULL;
    memset(out, 0, sizeof *out);
    err = prepare(&l);
    if (!err) {
        pin(&l, 0);
        err = open_writer(&l, problem);
    }
    pin(&l, 1);
    if (!err)
        err = open_tap(&l, problem);
    if (!err) {
        err = run(&l);
        read_figures(&l);
    }
    tap_close(l.tap);
    tap_writer_close(l.writer);
    ami_fire_close(l.fire);
    if (l.path[0])
        remove_file(&l);
    if (opt->pins)
        (void)sched_setaffinity(0, sizeof l.cores, &l.cores);
    free(l.names);
    free(l.urls);
    free(l.name_list);
    free(l.nodes);
    free(l.queues);
    return err;
}
