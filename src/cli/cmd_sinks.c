/* The verb `sinks`: how far each configured sink has come, read from the journal, with or without a daemon. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "cli/cli.h"
#include "cli/journal_view.h"
#include "cli/problems.h"
#include "sink/sink.h"

struct standing {
    bool is_known;                  /* it has a cursor: it ran at least once */
    int64_t fact_id, event_id;
    int64_t depth;                  /* rows behind the cursor of what it carries */
    uint64_t dead;
    char *dead_path;
};

/* Lines of a file; 0 when there is none. */
static uint64_t lines_of(const char *path)
{
    FILE *f = path ? fopen(path, "r") : NULL;
    uint64_t n = 0;
    int c;

    while (f && (c = getc_unlocked(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static int64_t behind(int64_t last, int64_t cursor)
{
    return last > cursor ? last - cursor : 0;
}

static int look(struct journal_reader *r, const char *journal, const struct config_sink *k, struct standing *s)
{
    const int known = journal_read_cursor(r, k->head.name, &s->fact_id, &s->event_id);

    if (known < 0)
        return known;
    s->is_known = known > 0;
    if (k->carry != CONFIG_CARRY_EVENTS)
        s->depth += behind(journal_last_fact(r), s->fact_id);
    if (k->carry != CONFIG_CARRY_FACTS)
        s->depth += behind(journal_last_event(r), s->event_id);
    s->dead_path = sink_dead_path(journal, k->head.name);
    s->dead = lines_of(s->dead_path);
    return s->dead_path ? 0 : -ENOMEM;
}

/* Names of sinks are words of the configuration; a path may hold anything. */
static void print_json(const struct config_sink *k, const struct standing *s)
{
    struct buf b;

    buf_init(&b, 65536);
    buf_addf(&b, "{\"sink\":\"%s\",\"driver\":\"%s\",\"began\":%s,\"fact_id\":%" PRId64 ",\"event_id\":%" PRId64 ",\"depth\":%" PRId64
             ",\"dead_letters\":%" PRIu64 ",\"dead_letter_file\":\"", k->head.name, config_drivers[k->driver], s->is_known ? "true" : "false",
             s->fact_id, s->event_id, s->depth, s->dead);
    buf_add_json(&b, text_of(s->dead_path));
    buf_add_text(&b, TEXT("\"}"));
    if (buf_cstr(&b))
        puts(b.p);
    buf_free(&b);
}

static void print_line(const struct config_sink *k, const struct standing *s)
{
    printf("%-20s %-9s %12" PRId64 " %12" PRId64 " %12" PRId64 " %12" PRIu64 "  %s\n", k->head.name, config_drivers[k->driver], s->fact_id, s->event_id,
           s->depth, s->dead, s->dead ? s->dead_path : s->is_known ? "" : "(has not begun)");
}

static int list(const struct config *c, const char *journal, bool json)
{
    struct journal_reader *r;
    int code = view_open("sinks", journal, &r), err = 0;

    if (code)
        return code;
    if (!json && c->sink_count)
        printf("%-20s %-9s %12s %12s %12s %12s\n", "sink", "driver", "fact", "event", "waiting", "dead letters");
    for (size_t i = 0; i < c->sink_count && !err; i++) {
        struct standing s = { .is_known = false };

        err = look(r, journal, &c->sinks[i], &s);
        if (!err && json)
            print_json(&c->sinks[i], &s);
        else if (!err)
            print_line(&c->sinks[i], &s);
        free(s.dead_path);
    }
    journal_reader_close(r);
    if (err) {
        fprintf(stderr, "sidetone sinks: %s: %s\n", journal, err_text(err));
        return CLI_FAILED;
    }
    if (!json && !c->sink_count)
        puts("no [sink NAME] is configured");
    return cli_done(CLI_FINE);
}

int cmd_sinks(int argc, char **argv)
{
    const char *path = NULL, *db = NULL;
    bool json = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "a JSON object a line", .is_set = &json },
        { .name = "config", .takes = "FILE", .help = "configuration that names the sinks (default " CONFIG_DEFAULT_PATH ")", .value = &path },
        { .name = "db", .takes = "FILE", .help = "this journal, instead of the configuration's", .value = &db },
    };
    const struct cli_syntax syntax = {
        .verb = "sinks", .usage = "[--json] [--config FILE] [--db FILE]\n       sidetone sinks retry NAME [--json] [--config FILE]",
        .about = "Lists the configured sinks: up to which fact and event each has delivered, how many rows of the journal wait behind it, and how\n"
                 "many rows it gave up (its dead letters). Reads the journal itself, so it works while the daemon is down.\n"
                 "`sinks retry NAME` delivers the dead letters of one sink once more.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    struct config *config;
    size_t words;

    if (argc > 1 && !strcmp(argv[1], "retry"))
        return cmd_sinks_retry(argc - 1, argv + 1);

    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&config, path, CONFIG_SKIP_SECRETS, problem_print, stderr))
        return CLI_FAILED;
    code = list(config, db ? db : config->journal_path, json);
    config_free(config);
    return code;
}
