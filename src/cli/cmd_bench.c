/* The verb `bench`: plays Asterisk against a FastAGI server, ours or any other, and prints what it measured. */
#include "cli/cmd_bench.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sim/agi_load.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: sidetone bench agi --target HOST:PORT [options]\n\n"
            "Plays Asterisk: 22 agi_ lines, 3 arguments, an answer to each command, until the server closes.\n\n"
            "  -t, --target HOST:PORT  a FastAGI server (numeric address)\n"
            "  -S, --script NAME       path of the agi:// URL (default bench)\n"
            "  -c, --concurrent N      sessions at a time (default 64)\n"
            "  -r, --rate N            open loop: N sessions a second from a schedule; times count from the scheduled arrival\n"
            "  -s, --seconds N         how long (default 5)\n"
            "  -H, --held N            sessions that are opened first and held until the end\n"
            "  -j, --json              one line of JSON\n"
            "  -h, --help              this text\n");
}

static void print_text(const struct agi_load_result *r)
{
    printf("%.0f sessions/s (%" PRIu64 " sessions, %" PRIu64 " commands, %" PRIu64 " failed, %" PRIu64 " held) in %.2f s\n",
           r->seconds > 0 ? (double)r->sessions / r->seconds : 0, r->sessions, r->commands, r->failed, r->held, r->seconds);
    printf("session        p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms\n", (double)hist_quantile(&r->session_us, 0.5) / 1000,
           (double)hist_quantile(&r->session_us, 0.99) / 1000, (double)r->session_us.max / 1000);
    printf("first command  p50 %7.2f ms   p99 %7.2f ms\n", (double)hist_quantile(&r->first_us, 0.5) / 1000,
           (double)hist_quantile(&r->first_us, 0.99) / 1000);
    if (r->late_starts)
        printf("the ceiling of sessions was met %" PRIu64 " times; those arrivals count from their scheduled time\n", r->late_starts);
}

static void print_json(const struct agi_load_result *r)
{
    printf("{\"sessions\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"held\":%" PRIu64 ",\"commands\":%" PRIu64
           ",\"seconds\":%.4f,\"sessions_per_second\":%.1f,\"session_p50_us\":%" PRId64 ",\"session_p99_us\":%" PRId64
           ",\"session_max_us\":%" PRIu64 ",\"first_p50_us\":%" PRId64 ",\"first_p99_us\":%" PRId64 ",\"late_starts\":%" PRIu64 "}\n",
           r->sessions, r->failed, r->held, r->commands, r->seconds, r->seconds > 0 ? (double)r->sessions / r->seconds : 0,
           hist_quantile(&r->session_us, 0.5), hist_quantile(&r->session_us, 0.99), r->session_us.max,
           hist_quantile(&r->first_us, 0.5), hist_quantile(&r->first_us, 0.99), r->late_starts);
}

/* Digits within the range, or wrong use. */
static bool take_number(const char *text, const char *what, int64_t low, int64_t high, int64_t *out)
{
    if (text_to_i64(text_of(text), out) == 0 && *out >= low && *out <= high)
        return true;
    fprintf(stderr, "sidetone bench agi: --%s takes a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"\n", what, low, high, text);
    return false;
}

static int measure(const struct agi_load_options *opt, bool as_json)
{
    struct agi_load_result *r = malloc(sizeof *r);
    struct rlimit files;
    int err;

    if (!r)
        return 1;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* as many as this user may */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    err = agi_load_run(opt, r);
    if (err) {
        fprintf(stderr, "sidetone bench agi: %s\n", err_text(err));
        free(r);
        return 1;
    }
    if (as_json)
        print_json(r);
    else
        print_text(r);
    err = r->failed > 0 || r->sessions == 0;
    free(r);
    return err;
}

static int bench_agi(int argc, char **argv)
{
    static const struct option options[] = {
        { "target", required_argument, NULL, 't' },     { "script", required_argument, NULL, 'S' },
        { "concurrent", required_argument, NULL, 'c' }, { "rate", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },    { "held", required_argument, NULL, 'H' },
        { "json", no_argument, NULL, 'j' },             { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct agi_load_options opt = { .script = "bench", .concurrent = 64, .seconds = 5 };
    bool as_json = false, ok = true, has_target = false;
    int64_t n = 0;
    int c;

    while (ok && (c = getopt_long(argc, argv, "t:S:c:r:s:H:jh", options, NULL)) != -1) {
        switch (c) {
        case 't':
            has_target = ok = address_parse(text_of(optarg), &opt.target) == 0;
            if (!ok)
                fprintf(stderr, "sidetone bench agi: --target takes a numeric address and a port (127.0.0.1:4573), not \"%s\"\n", optarg);
            break;
        case 'S':
            opt.script = optarg;
            break;
        case 'c':
            ok = take_number(optarg, "concurrent", 1, 60000, &n);
            opt.concurrent = (unsigned)n;
            break;
        case 'r':
            ok = take_number(optarg, "rate", 1, 1000000, &n);
            opt.rate = (double)n;
            break;
        case 's':
            ok = take_number(optarg, "seconds", 1, 3600, &n);
            opt.seconds = (double)n;
            break;
        case 'H':
            ok = take_number(optarg, "held", 0, 60000, &n);
            opt.held = (unsigned)n;
            break;
        case 'j':
            as_json = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            ok = false;
        }
    }
    if (ok && (!has_target || optind < argc)) {
        fprintf(stderr, "sidetone bench agi: %s\n", has_target ? "too many words" : "--target is needed");
        ok = false;
    }
    if (!ok) {
        fprintf(stderr, "See sidetone bench --help.\n");
        return 2;
    }
    return measure(&opt, as_json);
}

int cmd_bench(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "agi") == 0)
        return bench_agi(argc - 1, argv + 1);
    fprintf(stderr, "sidetone bench: what to measure? \"agi\" is there; see sidetone bench --help\n");
    return 2;
}
