/* The verb `sinks retry`: the dead letters of one sink once more, with the daemon running or not. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "app/sink_setup.h"
#include "cli/cli.h"
#include "cli/problems.h"
#include "sink/sink.h"

static void print_json(const char *name, const struct sink_retried *r)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_addf(&b, "{\"sink\":\"%s\",\"read\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"left\":%" PRIu64 ",\"why\":\"", name,
             r->read, r->delivered, r->refused, r->left);
    buf_add_json(&b, text_of(r->why));
    buf_add_text(&b, TEXT("\"}"));
    if (buf_cstr(&b))
        puts(b.p);
    buf_free(&b);
}

static void print_line(const char *name, const struct sink_retried *r)
{
    printf("%s: %" PRIu64 " dead letters, %" PRIu64 " delivered, %" PRIu64 " refused again, %" PRIu64 " not tried\n", name, r->read, r->delivered,
           r->refused, r->left);
    if (r->why[0])
        printf("%s: %s\n", name, r->why);
}

static const struct config_sink *sink_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->sink_count; i++)
        if (!strcmp(c->sinks[i].head.name, name))
            return &c->sinks[i];
    return NULL;
}

static int say(const char *name, const char *what)
{
    fprintf(stderr, "sidetone sinks retry: %s: %s\n", name, what);
    return CLI_FAILED;
}

static int retry(const struct config *c, const struct config_sink *k, bool json)
{
    const char *name = k->head.name;
    const struct log_sink sink = { .fd = STDERR_FILENO, .level = LOG_WARN };
    const struct log log = { .sink = &sink, .module = "sink" };
    char *template_text = NULL, *why = NULL, *path = sink_dead_path(c->journal_path, name);
    struct sink_retry_options ro = { .driver = sink_driver_named(config_drivers[k->driver]), .dead_letter_file = path, .log = &log };
    struct sink_retried done = { .read = 0 };
    int err = sink_setup(&ro.settings, k, &template_text, &why), code = CLI_FINE;

    if (!err)
        err = path ? sink_retry(&ro, &done, &why) : -ENOMEM;
    free(template_text);
    free(path);
    if (err && err != -ENOENT)
        code = say(name, why ? why : err == -EBUSY ? "another retry of it is running" : err_text(err));
    free(why);
    if (code)
        return code;
    if (json)
        print_json(name, &done);
    else
        print_line(name, &done);
    return cli_done(done.refused + done.left ? CLI_FAILED : CLI_FINE);
}

int cmd_sinks_retry(int argc, char **argv)
{
    const char *path = NULL, *name = NULL;
    bool json = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "one JSON object", .is_set = &json },
        { .name = "config", .takes = "FILE", .help = "configuration that names the sink (default " CONFIG_DEFAULT_PATH ")", .value = &path },
    };
    const struct cli_syntax syntax = {
        .verb = "sinks retry", .usage = "NAME [--json] [--config FILE]",
        .about = "Delivers the dead letters of the sink NAME once more, with its configured settings and secrets, also while the daemon runs. What is\n"
                 "delivered leaves the list. What is refused again stays in it, with the new reason; when the receiver cannot be reached, the rest\n"
                 "stays untried. Exit 0: the list is empty, or was; 1: something stayed. Needs the environment of the daemon's secrets.",
        .options = options, .option_count = sizeof options / sizeof *options, .words_min = 1, .words_max = 1,
    };
    const struct config_sink *k;
    struct config *config;
    size_t words;
    int code = cli_read(&syntax, argc, argv, &name, &words);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&config, path, 0, problem_print, stderr))
        return CLI_FAILED;
    k = sink_named(config, name);
    if (!k)
        code = say(name, "no such [sink NAME] is configured");
    else if (!strcmp(config_drivers[k->driver], "jsonl"))
        code = say(name, "a file refuses no row, so it has no dead letters (and the daemon may be writing to it)");
    else if (!sink_driver_named(config_drivers[k->driver]))
        code = say(name, "the driver is not built into this program");
    else
        code = retry(config, k, json);
    config_free(config);
    return code;
}
