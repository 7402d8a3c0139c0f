/* The verb `replay`: plays recorded sessions to another handler and tells the differences. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "app/replay.h"
#include "cli/cli.h"
#include "cli/problems.h"

enum { DEADLINE_MS = 60000 };

static const char *const about =
    "Plays recorded sessions (record = yes in a route) to HANDLER and prints each difference: - is recorded, + is asked now.\n"
    "SESSION is a number that --list shows; ROUTE stands for all of its sessions. Nothing is touched: no channel, no network;\n"
    "store.get reads the store as it is now. Exit status: 0 all equal, 1 differences or a failure, 2 wrong use.";

struct words {
    const char *db, *config, *with, *max, *deadline, *sessions;
    bool json, list;
};

static int run_on(const struct words *w, struct replay_options *opt)
{
    int got;

    if (w->list)
        return replay_list(opt, stdout, stderr) < 0 ? CLI_FAILED : cli_done(CLI_FINE);
    got = replay_run(opt, stdout, stderr);
    return cli_done(got == 0 ? CLI_FINE : CLI_FAILED);
}

static int read_numbers(const struct words *w, struct replay_options *opt)
{
    int64_t max = 0;

    opt->deadline_ms = DEADLINE_MS;
    if (w->max && (text_to_i64(text_of(w->max), &max) || max < 1))
        return cli_wrong_use("replay", "--max: expected a number from 1, came \"%s\"", w->max);
    if (w->deadline && (text_to_ms(text_of(w->deadline), &opt->deadline_ms) || opt->deadline_ms < 1))
        return cli_wrong_use("replay", "--deadline: expected a duration such as 5s, came \"%s\"", w->deadline);
    opt->max = (size_t)max;
    return CLI_GO_ON;
}

static int run(const struct words *w)
{
    const struct log_sink sink = { .fd = STDERR_FILENO, .level = LOG_ERROR };
    const struct log log = { .sink = &sink, .module = "replay" };
    struct replay_options opt = { .db = w->db, .handler = w->with, .sessions = w->sessions, .json = w->json, .log = &log };
    struct config *config = NULL;
    int code = read_numbers(w, &opt);

    if (code != CLI_GO_ON)
        return code;
    if (!w->db && config_load(&config, w->config, CONFIG_SKIP_SECRETS, problem_print, stderr)) {
        fprintf(stderr, "sidetone replay: nothing played; --db PATH does without a configuration\n");
        return CLI_FAILED;
    }
    if (config)
        opt.db = config->store_path;
    code = run_on(w, &opt);
    config_free(config);
    return code;
}

int cmd_replay(int argc, char **argv)
{
    struct words w = { .db = NULL };
    const struct cli_option options[] = {
        { .name = "with", .takes = "HANDLER", .help = "a Lua handler (.lua), or a script as AGI() runs it", .value = &w.with },
        { .name = "list", .help = "shows what is recorded (of ROUTE, or all)", .is_set = &w.list },
        { .name = "max", .takes = "N", .help = "the newest N sessions of a route", .value = &w.max },
        { .name = "deadline", .takes = "TIME", .help = "of each session (default 60s)", .value = &w.deadline },
        { .name = "config", .takes = "FILE", .help = "configuration that names the store (default " CONFIG_DEFAULT_PATH ")", .value = &w.config },
        { .name = "db", .takes = "PATH", .help = "the store itself", .value = &w.db },
        { .name = "json", .help = "one JSON object a session and line", .is_set = &w.json },
    };
    const struct cli_syntax syntax = {
        .verb = "replay", .usage = "SESSION|ROUTE --with HANDLER [--max N] [--deadline TIME] [--db PATH | --config FILE] [--json]\n"
                                   "       sidetone replay --list [ROUTE] [--db PATH | --config FILE] [--json]",
        .about = about, .options = options, .option_count = sizeof options / sizeof *options, .words_min = 0, .words_max = 1,
    };
    const char *words[1];
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (w.db && w.config)
        return cli_wrong_use("replay", "expected --config or --db, came both");
    if (w.list && w.with)
        return cli_wrong_use("replay", "expected --list or --with, came both");
    if (!w.list && count == 0)
        return cli_wrong_use("replay", "expected a session or a route");
    if (!w.list && !w.with)
        return cli_wrong_use("replay", "expected --with HANDLER");
    w.sessions = count ? words[0] : NULL;
    return run(&w);
}
