/* The verb `bench media`: many callers' voices at once, and the media plane that gives them back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/echo_plane.h"
#include "cli/cli.h"
#include "cli/cmd_bench.h"
#include "cli/load_result.h"
#include "sim/media_load.h"

enum { SECONDS_MAX = 70 };

static int failed(int err)
{
    fprintf(stderr, "sidetone bench media: %s\n", err_text(err));
    return CLI_FAILED;
}

/* ---- the plane ---- */

static void on_listening(const struct address *at, void *arg)
{
    (void)arg;
    printf("%u\n", at->port);
    fflush(stdout);
}

static int serve(const struct address *at, unsigned legs)
{
    const struct log_sink sink = { .fd = 2, .level = LOG_WARN };
    const struct log log = { .sink = &sink, .module = "bench" };
    const struct echo_plane_options opt = { .at = *at, .legs = legs, .on_listening = on_listening };
    struct echo_plane_result r;
    const int err = echo_plane_run(&opt, &r, &log);

    if (err)
        return failed(err);
    printf("{\"talks\":%" PRIu64 ",\"underruns\":%" PRIu64 ",\"ticks\":%" PRIu64 ",\"ticks_missed\":%" PRIu64 ",\"slow_turns\":%" PRIu64
           ",\"tick_late_max_us\":%" PRId64 "}\n", r.talks, r.underruns, r.ticks, r.ticks_missed, r.slow_turns, r.tick_late_max_us);
    return cli_done(CLI_FINE);
}

/* ---- the callers ---- */

int cmd_bench_media(int argc, char **argv)
{
    const char *target = NULL, *at = NULL, *legs_text = NULL, *seconds_text = NULL;
    bool as_json = false;
    const struct cli_option options[] = {
        { .name = "serve", .takes = "HOST:PORT", .help = "be the plane: every leg is a conversation with an echo; prints its port, ends on a signal",
          .value = &at },
        { .name = "target", .takes = "HOST:PORT", .help = "be the callers, against a plane or any other AudioSocket echo (numeric address)",
          .value = &target },
        { .name = "legs", .takes = "N", .help = "how many (default 100)", .value = &legs_text },
        { .name = "seconds", .takes = "N", .help = "how long they speak (default 10)", .value = &seconds_text },
        { .name = "json", .help = "one line of JSON", .is_set = &as_json },
    };
    const struct cli_syntax syntax = {
        .verb = "bench media",
        .usage = "--serve HOST:PORT | --target HOST:PORT [options]",
        .about = "The callers send a marked frame every 20 ms and look for the marks in what comes back. Exit status 1 when a leg broke.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    int64_t legs = 100, seconds = 10;
    struct address where;
    size_t words;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code == CLI_GO_ON)
        code = load_number("bench media", legs_text, "legs", 1, MEDIA_LOAD_LEGS_MAX, &legs);
    if (code == CLI_GO_ON)
        code = load_number("bench media", seconds_text, "seconds", 1, SECONDS_MAX, &seconds);
    if (code != CLI_GO_ON)
        return code;
    if (!at == !target)
        return cli_wrong_use("bench media", "give one of --serve HOST:PORT and --target HOST:PORT");
    if (address_parse(text_of(at ? at : target), &where))
        return cli_wrong_use("bench media", "--%s takes a numeric address and a port, as 127.0.0.1:9092", at ? "serve" : "target");
    load_files_raise();
    if (at)
        return serve(&where, (unsigned)legs);
    return load_run("bench media", &(struct media_load_options){ .target = where, .legs = (unsigned)legs, .seconds = (double)seconds }, as_json);
}
