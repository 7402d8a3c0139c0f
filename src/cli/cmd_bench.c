/* The verb `bench`; here its part `agi`: plays Asterisk against a FastAGI server, ours or any other, and prints what it measured. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/cmd_bench.h"
#include "sim/agi_load.h"

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

/* A whole number within the range, or wrong use. */
static int take_number(const char *text, const char *what, int64_t low, int64_t high, int64_t *out)
{
    if (!text || (text_to_i64(text_of(text), out) == 0 && *out >= low && *out <= high))
        return CLI_GO_ON;
    return cli_wrong_use("bench agi", "--%s takes a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", what, low, high, text);
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
    const char *target = NULL, *script = "bench", *concurrent = NULL, *rate = NULL, *seconds = NULL, *held = NULL;
    bool as_json = false;
    const struct cli_option options[] = {
        { .name = "target", .takes = "HOST:PORT", .help = "a FastAGI server (numeric address)", .value = &target },
        { .name = "script", .takes = "NAME", .help = "path of the agi:// URL (default bench)", .value = &script },
        { .name = "concurrent", .takes = "N", .help = "sessions at a time (default 64)", .value = &concurrent },
        { .name = "rate", .takes = "N", .help = "open loop: N sessions a second from a schedule; times count from the scheduled arrival",
          .value = &rate },
        { .name = "seconds", .takes = "N", .help = "how long sessions are begun (default 5)", .value = &seconds },
        { .name = "held", .takes = "N", .help = "sessions that are opened first and held until the end", .value = &held },
        { .name = "json", .help = "one line of JSON", .is_set = &as_json },
    };
    const struct cli_syntax syntax = {
        .verb = "bench agi",
        .usage = "--target HOST:PORT [options]",
        .about = "Plays Asterisk against a FastAGI server, ours or any other: 22 agi_ lines, 3 arguments, an answer to each\n"
                 "command, until the server closes. Exit status 1 when a session failed.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    int64_t n[4] = { 64, 0, 5, 0 };
    struct agi_load_options opt = { 0 };
    size_t words;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code == CLI_GO_ON)
        code = take_number(concurrent, "concurrent", 1, 60000, &n[0]);
    if (code == CLI_GO_ON)
        code = take_number(rate, "rate", 1, 1000000, &n[1]);
    if (code == CLI_GO_ON)
        code = take_number(seconds, "seconds", 1, 3600, &n[2]);
    if (code == CLI_GO_ON)
        code = take_number(held, "held", 0, 60000, &n[3]);
    if (code != CLI_GO_ON)
        return code;
    if (!target || address_parse(text_of(target), &opt.target))
        return cli_wrong_use("bench agi", "--target takes a numeric address and a port, as 127.0.0.1:4573");
    opt.script = script;
    opt.concurrent = (unsigned)n[0];
    opt.rate = (double)n[1];
    opt.seconds = (double)n[2];
    opt.held = (unsigned)n[3];
    return cli_done(measure(&opt, as_json));
}

int cmd_bench(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        { "agi", bench_agi, "plays Asterisk against a FastAGI server and measures" },
        { "ami", cmd_bench_ami, "plays the manager ports of many Asterisks, and measures the tap" },
        { "call", cmd_bench_call, "many calls at once to a daemon and its agent, by AudioSocket" },
        { "media", cmd_bench_media, "many callers' voices at once, through the media plane and back" },
    };

    return cli_dispatch("sidetone bench", "Measures.", verbs, sizeof verbs / sizeof *verbs, argc, argv);
}
