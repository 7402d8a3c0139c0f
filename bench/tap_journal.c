/* Events of plain calls through the tap's writer into the durable journal: how many a second, for how much CPU of the writer's one thread.
 * usage: tap_journal FILE SECONDS [EVENTS_PER_SECOND [OPEN_CALLS [NODES]]]   rate 0: as fast as they are taken. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "sim/ami_story.h"
#include "store/tap_writer.h"

enum { NODES_MAX = 64, ROOM = 30000 };

static const struct log_sink to_stderr = { .fd = 2, .level = LOG_WARN };
static const struct log quiet = { .sink = &to_stderr, .module = "bench" };

struct feed {
    struct ami_story *story;
    struct ami_reader reader;
    struct tap_queue *queue;
    uint64_t seq;
};

static int64_t cpu_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "tap_journal: %s\n", what);
    exit(2);
}

static void put(struct feed *f, uint32_t node, enum tap_kind kind, const struct ami_message *m, int64_t session)
{
    struct tap_event *e;

    if (m ? tap_event_of(&e, kind, m) : tap_event_new(&e, kind, TEXT_NONE, NULL, 0))
        die("no memory");
    e->node = node;
    e->session = session;
    e->seq = ++f->seq;
    e->recv_us = clock_wall_us();
    tap_queue_put(f->queue, e);
}

static void feed_one(struct feed *f, uint32_t node, int64_t session)
{
    char text[AMI_STORY_EVENT_MAX];
    struct text in = text_make(text, ami_story_next(f->story, clock_wall_us(), text));
    struct ami_message m;

    while (ami_read(&f->reader, &in, &m) > 0)
        put(f, node, TAP_EVENT, &m, session);
}

static long rss_kb(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    if (!in || fscanf(in, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (in)
        fclose(in);
    return resident * 4;
}

static long long size_of(const char *path, const char *more)
{
    char name[512];
    struct stat s;

    snprintf(name, sizeof name, "%s%s", path, more);
    return stat(name, &s) ? 0 : (long long)s.st_size;
}

static void skip_banner(struct feed *f)
{
    struct text banner = TEXT("Asterisk Call Manager/11.0.0\r\n");
    struct ami_message m;

    (void)!ami_read(&f->reader, &banner, &m);
}

int main(int argc, char **argv)
{
    static char names[NODES_MAX][16];
    static const char *name_of[NODES_MAX];
    static struct feed feeds[NODES_MAX];
    const int seconds = argc > 2 ? atoi(argv[2]) : 0;
    const int64_t rate = argc > 3 ? atoll(argv[3]) : 0;
    const unsigned calls = argc > 4 ? (unsigned)atoi(argv[4]) : 64, nodes = argc > 5 ? (unsigned)atoi(argv[5]) : 1;
    struct tap_writer_options opt = { .path = argc > 1 ? argv[1] : "", .log = &quiet,
                                      .journal = { .nodes = name_of, .node_count = nodes, .keeps_events = true } };
    struct tap_writer_figures figures;
    struct tap_writer_node first;
    struct tap_writer *w;
    char *problem;
    const int64_t session = clock_wall_us();
    uint64_t sent = 0;
    long rss_early = 0;

    if (seconds <= 0 || nodes == 0 || nodes > NODES_MAX)
        die("usage: tap_journal FILE SECONDS [RATE [CALLS [NODES]]]");
    if (getenv("KEEP_BYTES"))
        opt.journal.keep_bytes = atoll(getenv("KEEP_BYTES"));
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i);
        name_of[i] = names[i];
    }
    if (tap_writer_open(&w, &opt, &problem))
        die(problem);
    for (uint32_t i = 0; i < nodes; i++) {
        if (ami_story_new(&feeds[i].story, names[i], calls, session / 1000000))
            die("no story");
        ami_reader_init(&feeds[i].reader, AMI_FROM_ASTERISK, 0);
        skip_banner(&feeds[i]);
        feeds[i].queue = tap_writer_queue(w, i);
        put(&feeds[i], i, TAP_UP, NULL, session);
        put(&feeds[i], i, TAP_PRESENT_END, NULL, session);
        for (int k = 0; k < 8; k++)
            tap_writer_clock(w, i, session, session + 20, session + 10);
    }
    const int64_t began = clock_mono_us(), cpu_began = cpu_us(CLOCK_PROCESS_CPUTIME_ID), own_began = cpu_us(CLOCK_THREAD_CPUTIME_ID);

    for (int64_t now = began; now - began < seconds * 1000000LL; now = clock_mono_us()) {
        const uint64_t due = rate ? (uint64_t)((now - began) * rate / 1000000) : sent + 256;
        bool is_full = false;

        if (!rss_early && now - began > 10 * 1000000)
            rss_early = rss_kb();
        while (sent < due && !is_full) {
            const uint32_t node = (uint32_t)(sent % nodes);

            is_full = tap_queue_depth(feeds[node].queue) > ROOM;
            if (is_full)
                break;
            feed_one(&feeds[node], node, session);
            sent++;
        }
        if (is_full || rate)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    do {
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        tap_writer_figures_of(w, &figures);
    } while (figures.events < sent && figures.failures < 100);
    const double took = (double)(clock_mono_us() - began) / 1e6;
    const int64_t writer_cpu = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_began - (cpu_us(CLOCK_THREAD_CPUTIME_ID) - own_began);

    (void)tap_writer_node_figures(w, 0, &first);
    printf("{\"events\":%llu,\"seconds\":%.2f,\"events_per_second\":%.0f,\"writer_cpu_us_per_event\":%.2f,\"per_core\":%.0f,\"facts\":%llu,\"calls\":%llu,"
           "\"batches\":%llu,\"failures\":%llu,\"lost\":%llu,\"lag_p50_ms\":%.1f,\"lag_p99_ms\":%.1f,\"lag_max_ms\":%.1f,\"rss_mb_10s\":%.1f,\"rss_mb\":%.1f,"
           "\"file_mb\":%.1f,\"wal_mb\":%.1f,\"bytes_per_event\":%.0f,\"wire_bytes_per_event\":%.0f}\n",
           (unsigned long long)figures.events, took, (double)figures.events / took, (double)writer_cpu / (double)figures.events,
           1e6 * (double)figures.events / (double)writer_cpu, (unsigned long long)figures.facts, (unsigned long long)figures.calls,
           (unsigned long long)figures.batches, (unsigned long long)figures.failures, (unsigned long long)first.lost, (double)first.lag_p50_us / 1e3,
           (double)first.lag_p99_us / 1e3, (double)first.lag_max_us / 1e3, (double)rss_early / 1e3, (double)rss_kb() / 1e3,
           (double)size_of(opt.path, "") / 1e6, (double)size_of(opt.path, "-wal") / 1e6, (double)size_of(opt.path, "") / (double)figures.events,
           (double)figures.bytes / (double)figures.events);
    tap_writer_close(w);
    for (unsigned i = 0; i < nodes; i++) {
        ami_story_free(feeds[i].story);
        ami_reader_free(&feeds[i].reader);
    }
    return figures.events == sent ? 0 : 1;
}
