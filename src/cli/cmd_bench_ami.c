/* The verb `bench ami`: a firehose of AMI events, and what reads them. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tap_load.h"
#include "cli/cli.h"
#include "cli/cmd_bench.h"
#include "sim/ami_fire.h"
#include "sim/ami_gauge.h"

enum { SECONDS_MAX = 86400, GREETINGS = 2 /* FullyBooted, Shutdown */ };

struct wish {
    struct ami_fire_options fire;
    struct address target;
    bool has_target, is_plain, as_json, asks_lag, pins;
    int64_t seconds;
    const char *folder;
};

static int failed(const char *what, int err)
{
    fprintf(stderr, "sidetone bench ami: %s: %s\n", what, err_text(err));
    return CLI_FAILED;
}

/* ---- serve ---- */

static int serve(const struct wish *w)
{
    struct ami_fire *f;
    sigset_t ends;
    int signal, err;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    err = ami_fire_open(&f, &w->fire);
    if (err)
        return failed("firehose", err);
    for (unsigned i = 0; i < w->fire.nodes; i++)
        printf("%s%u", i ? " " : "", ami_fire_port(f, i));
    printf("\n");
    fflush(stdout);
    (void)sigwait(&ends, &signal);
    for (unsigned i = 0; i < w->fire.nodes; i++) {
        struct ami_fire_figures g;

        ami_fire_figures_of(f, i, &g);
        printf("{\"node\":%u,\"logins\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"sent\":%" PRIu64 "}\n", i + 1, g.logins, g.refused, g.sent);
    }
    ami_fire_close(f);
    return CLI_FINE;
}

/* ---- parse ---- */

static void tell_parse(const struct wish *w, const struct ami_gauge_result *r, uint64_t sent, uint64_t missing)
{
    const double rate = r->seconds > 0 ? (double)r->events / r->seconds : 0;
    const double cpu_ns = r->events ? (double)r->cpu_us * 1000 / (double)r->events : 0;

    if (w->as_json) {
        printf("{\"sent\":%" PRIu64 ",\"events\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"forged\":%" PRIu64 ",\"suspect\":%" PRIu64 ",\"fields\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"seconds\":%.4f,\"events_per_second\":%.0f,\"cpu_ns_per_event\":%.1f,\"lag_p50_us\":%" PRId64
               ",\"lag_p99_us\":%" PRId64 "}\n", sent, r->events, missing, r->forged, r->suspect, r->fields, r->bytes, r->seconds, rate, cpu_ns,
               r->lag_us.count ? hist_quantile(&r->lag_us, 0.5) : -1, r->lag_us.count ? hist_quantile(&r->lag_us, 0.99) : -1);
        return;
    }
    printf("%.0f typed events/s (%" PRIu64 " events, %" PRIu64 " sent, %" PRIu64 " missing, %" PRIu64 " forged) in %.2f s\n", rate, r->events,
           sent, missing, r->forged, r->seconds);
    printf("%.0f ns of CPU an event, %.1f headers each, %.1f MB/s\n", cpu_ns, r->events ? (double)r->fields / (double)r->events : 0,
           r->seconds > 0 ? (double)r->bytes / r->seconds / 1e6 : 0);
    if (r->lag_us.count)
        printf("lag, from the Timestamp to the typed event: p50 %" PRId64 " us, p99 %" PRId64 " us\n", hist_quantile(&r->lag_us, 0.5),
               hist_quantile(&r->lag_us, 0.99));
}

static int gauge(const struct wish *w, const struct address *target, struct ami_fire *own)
{
    const struct ami_gauge_options opt = { .target = *target, .user = w->fire.user, .secret = w->fire.secret, .is_plain = w->is_plain,
                                           .takes_lag = w->fire.rate != 0 || w->asks_lag };
    struct ami_gauge_result *r = malloc(sizeof *r);
    uint64_t sent = w->fire.events_max, missing;
    int err = r ? ami_gauge_run(&opt, r) : -ENOMEM;

    if (err) {
        free(r);
        return failed("reading", err);
    }
    if (own) {
        struct ami_fire_figures g;

        ami_fire_figures_of(own, 0, &g);
        sent = g.sent;
    }
    missing = r->events < sent + GREETINGS ? sent + GREETINGS - r->events : 0;
    tell_parse(w, r, sent, missing);
    err = missing || r->forged || r->suspect || r->cut || !r->saw_shutdown || r->events <= GREETINGS;
    free(r);
    return err ? CLI_FAILED : CLI_FINE;
}

static int parse(const struct wish *w)
{
    struct address own = { .host = "127.0.0.1" };
    struct ami_fire *f;
    int code, err;

    if (w->has_target)
        return gauge(w, &w->target, NULL);
    err = ami_fire_open(&f, &w->fire);
    if (err)
        return failed("firehose", err);
    own.port = ami_fire_port(f, 0);
    code = gauge(w, &own, f);
    ami_fire_close(f);
    return code;
}

/* ---- store ---- */

static void tell_store(const struct wish *w, const struct tap_load_result *r)
{
    const double rate = r->seconds > 0 ? (double)r->stored / r->seconds : 0, cpu = r->stored ? r->writer_cpu_seconds * 1e6 / (double)r->stored : 0;

    if (w->as_json) {
        printf("{\"sent\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"late\":%" PRIu64 ",\"facts\":%" PRIu64
               ",\"calls_sent\":%" PRIu64 ",\"calls_stored\":%" PRIu64 ",\"seconds\":%.3f,\"stored_per_second\":%.0f,\"writer_cpu_seconds\":%.3f"
               ",\"writer_cpu_us_per_event\":%.3f,\"events_per_writer_cpu_second\":%.0f,", r->sent, r->stored, r->lost, r->gaps, r->late, r->facts,
               r->calls_sent, r->calls_stored, r->seconds, rate, r->writer_cpu_seconds, cpu, cpu > 0 ? 1e6 / cpu : 0);
        printf("\"lag_p50_us\":%" PRId64 ",\"lag_p99_us\":%" PRId64 ",\"lag_max_us\":%" PRId64 ",\"clock_error_us\":%" PRId64 ",\"clock_doubt_us\":%" PRId64 ",\"rss_early\":%" PRIu64 ",\"rss_end\":%" PRIu64
               ",\"rss_max\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"batches\":%" PRIu64 ",\"failures\":%" PRIu64 "}\n", r->lag_p50_us, r->lag_p99_us,
               r->lag_max_us, r->clock_error_us, r->clock_doubt_us, r->rss_early, r->rss_end, r->rss_max, r->file_bytes, r->batches, r->failures);
        return;
    }
    printf("%.0f events/s stored (%" PRIu64 " sent, %" PRIu64 " stored, %" PRIu64 " lost, %" PRIu64 " gaps, %" PRIu64 " late) in %.2f s\n", rate, r->sent,
           r->stored, r->lost, r->gaps, r->late, r->seconds);
    printf("%.2f us of the writer's CPU an event: %.0f events/s of one core\n", cpu, cpu > 0 ? 1e6 / cpu : 0);
    printf("%" PRIu64 " facts; calls that ended: %" PRIu64 " sent, %" PRIu64 " stored\n", r->facts, r->calls_sent, r->calls_stored);
    if (r->lag_p99_us >= 0)
        printf("lag, from the Timestamp to the commit: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", (double)r->lag_p50_us / 1000,
               (double)r->lag_p99_us / 1000, (double)r->lag_max_us / 1000);
    if (r->clock_error_us >= 0)
        printf("the nodes' clocks are known to %.2f ms\n", (double)r->clock_error_us / 1000);
    printf("memory: %.1f MB after a quarter, %.1f MB at the end, %.1f MB at most; the file has %.1f MB\n", (double)r->rss_early / 1e6,
           (double)r->rss_end / 1e6, (double)r->rss_max / 1e6, (double)r->file_bytes / 1e6);
}

static int run_store(const struct wish *w)
{
    const struct tap_load_options opt = { .nodes = w->fire.nodes, .rate = w->fire.rate, .calls = w->fire.calls, .seconds = w->seconds,
                                          .ahead_us = w->fire.clock_ahead_us, .folder = w->folder, .pins = w->pins };
    struct tap_load_result r;
    char *problem;
    const int err = tap_load_run(&opt, &r, &problem);

    if (err && err != -ETIMEDOUT) {
        fprintf(stderr, "sidetone bench ami: %s\n", problem ? problem : err_text(err));
        free(problem);
        return CLI_FAILED;
    }
    tell_store(w, &r);
    return err || r.stored != r.sent || r.sent == 0 || r.lost || r.gaps || r.failures || r.calls_stored < r.calls_sent ? CLI_FAILED : CLI_FINE;
}

/* ---- the command line ---- */

static int take_number(const char *text, const char *what, int64_t low, int64_t high, int64_t *out)
{
    if (!text || (text_to_i64(text_of(text), out) == 0 && *out >= low && *out <= high))
        return CLI_GO_ON;
    return cli_wrong_use("bench ami", "--%s takes a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", what, low, high, text);
}

static const struct part {
    const char *name;
    int (*run)(const struct wish *w);
} parts[] = { { "serve", serve }, { "parse", parse }, { "store", run_store } };

struct given {
    const char *target, *nodes, *rate, *seconds, *events, *calls, *port, *login, *folder, *ahead;
};

static int take_wish(const struct given *g, struct wish *w)
{
    int64_t nodes = 1, rate = 0, seconds = 5, events = 0, calls = 64, port = 0, ahead = 0;
    int code = take_number(g->nodes, "nodes", 1, 200, &nodes);

    if (code == CLI_GO_ON)
        code = take_number(g->rate, "rate", 0, 10000000, &rate);
    if (code == CLI_GO_ON)
        code = take_number(g->seconds, "seconds", 1, SECONDS_MAX, &seconds);
    if (code == CLI_GO_ON)
        code = take_number(g->events, "events", 0, INT64_MAX / 2, &events);
    if (code == CLI_GO_ON)
        code = take_number(g->calls, "calls", 1, 100000, &calls);
    if (code == CLI_GO_ON)
        code = take_number(g->port, "port", 0, 65000, &port);
    if (code == CLI_GO_ON)
        code = take_number(g->ahead, "ahead", -86400000, 86400000, &ahead);
    if (code != CLI_GO_ON)
        return code;
    if (g->target && address_parse(text_of(g->target), &w->target))
        return cli_wrong_use("bench ami", "--target takes a numeric address and a port, as 127.0.0.1:5038");
    if (g->login && strcmp(g->login, "md5") != 0 && strcmp(g->login, "plain") != 0)
        return cli_wrong_use("bench ami", "--login takes md5 or plain, not \"%s\"", g->login);
    w->has_target = g->target != NULL;
    w->is_plain = g->login && strcmp(g->login, "plain") == 0;
    w->seconds = seconds;
    w->folder = g->folder ? g->folder : ".";
    w->fire = (struct ami_fire_options){ .nodes = (unsigned)nodes, .port = (uint16_t)port, .rate = (unsigned)rate, .events_max = (uint64_t)events,
                                         .calls = (unsigned)calls, .user = "tap", .secret = "tap", .ends = true, .clock_ahead_us = ahead * 1000 };
    if (!events)
        w->fire.events_max = rate ? (uint64_t)(rate * seconds) : 1000000;
    return CLI_GO_ON;
}

int cmd_bench_ami(int argc, char **argv)
{
    struct given g = { 0 };
    struct wish w = { 0 };
    const struct cli_option options[] = {
        { .name = "target", .takes = "HOST:PORT", .help = "parse: read from there instead of a firehose of its own", .value = &g.target },
        { .name = "nodes", .takes = "N", .help = "serve, store: so many Asterisks (default 1)", .value = &g.nodes },
        { .name = "rate", .takes = "N", .help = "events a second of each node; 0, the default: as fast as they are read (store: stored)", .value = &g.rate },
        { .name = "seconds", .takes = "N", .help = "store, and others with --rate: how long (default 5)", .value = &g.seconds },
        { .name = "events", .takes = "N", .help = "of each session, then Shutdown (default 1,000,000, or rate times seconds)", .value = &g.events },
        { .name = "calls", .takes = "N", .help = "open at one time on each node (default 64)", .value = &g.calls },
        { .name = "port", .takes = "N", .help = "serve: of the first node (default: any free ones)", .value = &g.port },
        { .name = "ahead", .takes = "MS", .help = "the nodes' clocks against ours (default 0)", .value = &g.ahead },
        { .name = "login", .takes = "HOW", .help = "parse: md5 (default) or plain; user and secret are \"tap\"", .value = &g.login },
        { .name = "dir", .takes = "FOLDER", .help = "store: where the journal is made, and removed (default: here)", .value = &g.folder },
        { .name = "pin", .help = "store: a core for the writer alone, another for all the rest", .is_set = &w.pins },
        { .name = "lag", .help = "parse: measure the lag also without --rate", .is_set = &w.asks_lag },
        { .name = "json", .help = "one line of JSON", .is_set = &w.as_json },
    };
    const struct cli_syntax syntax = {
        .verb = "bench ami",
        .usage = "serve|parse|store [options]",
        .about = "Plays the manager port of one or many Asterisks with the events of plain calls.\n"
                 "  serve   only that: prints the ports, ends on a signal, tells what was sent\n"
                 "  parse   reads them as the tap does and makes typed events; exit status 1 when one is missing, forged or suspect\n"
                 "  store   firehose, tap, writer and journal together; exit status 1 when not all that was sent is stored",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .words_min = 1,
        .words_max = 1,
    };
    const char *word = NULL;
    size_t words;
    int code = cli_read(&syntax, argc, argv, &word, &words);

    if (code == CLI_GO_ON)
        code = take_wish(&g, &w);
    if (code != CLI_GO_ON)
        return code;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(word, parts[i].name) == 0)
            return cli_done(parts[i].run(&w));
    return cli_wrong_use("bench ami", "serve, parse or store, not \"%s\"", word);
}
