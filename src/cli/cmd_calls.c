/* The verb `calls`: the calls that the tap saw, now and before. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/journal_view.h"

enum { LINE_BYTES = 1 << 20, SHOWN = 50, SHOWN_MAX = 1000000 };

struct listing {
    struct buf line;
    bool json;
    size_t count;
};

static void print_json(struct listing *l, const struct journal_call *c)
{
    buf_clear(&l->line);
    view_call_json(&l->line, c);
    if (buf_cstr(&l->line))
        puts(l->line.p);
}

static void print_line(const struct journal_call *c)
{
    const struct call_record *r = &c->record;
    char at[24], ring[16], talk[16], queue[16], cells[5][80];

    printf("%-19s  %-16s %-16s %-11s %-20s %8s %8s  %-14s %8s  %s%s%s\n", view_time(r->started_us, at, sizeof at),
           view_cell(r->caller, 16, cells[0], sizeof cells[0]), view_cell(r->dialled, 16, cells[1], sizeof cells[1]), c->outcome,
           view_cell(r->answered_by, 20, cells[2], sizeof cells[2]), view_span(r->ring_us, ring, sizeof ring),
           view_span(r->talk_us, talk, sizeof talk), view_cell(r->queue, 14, cells[3], sizeof cells[3]), view_span(r->queue_us, queue, sizeof queue),
           view_cell(r->id, 60, cells[4], sizeof cells[4]), r->is_partial ? "  (partly seen)" : "", r->is_suspect ? "  (forged events)" : "");
}

static void on_call(const struct journal_call *c, void *arg)
{
    struct listing *l = arg;

    if (!l->json && l->count == 0)
        printf("%-19s  %-16s %-16s %-11s %-20s %8s %8s  %-14s %8s  %s\n", "started", "caller", "dialled", "outcome", "answered by", "ring", "talk",
               "queue", "waited", "id");
    l->count++;
    if (l->json)
        print_json(l, c);
    else
        print_line(c);
}

static void on_gap(const struct journal_gap_row *g, void *arg)
{
    char from[24], to[24];

    (void)arg;
    printf("not watched: node %s from %s to %s (%s%s%s), calls affected: %" PRIu64 "\n", g->node, view_time(g->from_us, from, sizeof from),
           g->to_us ? view_time(g->to_us, to, sizeof to) : "now", g->cause, g->detail && g->detail[0] ? ": " : "", g->detail ? g->detail : "",
           g->calls_affected);
}

static int list(const char *path, const struct journal_query *q, bool json)
{
    struct listing l = { .json = json };
    struct journal_reader *r;
    int got = view_open("calls", path, &r);

    if (got)
        return got;
    buf_init(&l.line, LINE_BYTES);
    got = journal_read_calls(r, q, on_call, &l);
    if (got >= 0 && !json)
        got = journal_read_gaps(r, q->since_us, on_gap, NULL);
    journal_reader_close(r);
    buf_free(&l.line);
    if (got < 0) {
        fprintf(stderr, "sidetone calls: %s: %s\n", path, err_text(got));
        return CLI_FAILED;
    }
    if (l.count == 0 && !json)
        puts("no calls");
    return cli_done(CLI_FINE);
}

int cmd_calls(int argc, char **argv)
{
    const char *config = NULL, *db = NULL, *since = NULL, *until = NULL, *queue = NULL, *number = NULL, *node = NULL, *max = NULL;
    bool json = false, now = false;
    const struct cli_option options[] = {
        { .name = "now", .help = "those that run", .is_set = &now },
        { .name = "since", .takes = "WHEN", .help = "begun since: 15m, 2h, 3d ago, or 2026-11-22, or \"2026-11-22 14:00\" (default 1d; --now: all)", .value = &since },
        { .name = "until", .takes = "WHEN", .help = "begun before", .value = &until },
        { .name = "queue", .takes = "NAME", .help = "those that waited in this queue", .value = &queue },
        { .name = "number", .takes = "NUMBER", .help = "those with this caller, dialled number or leg", .value = &number },
        { .name = "node", .takes = "NAME", .help = "those of this Asterisk", .value = &node },
        { .name = "max", .takes = "N", .help = "the newest N (default 50)", .value = &max },
        { .name = "json", .help = "a JSON object a line; times in microseconds", .is_set = &json },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config },
        { .name = "db", .takes = "FILE", .help = "this journal, instead of the configuration's", .value = &db },
    };
    const struct cli_syntax syntax = {
        .verb = "calls", .usage = "[--now] [--since WHEN] [--queue NAME] [--number NUMBER] [--json]",
        .about = "Lists the calls that the tap saw, newest first, and when it was not watching. `sidetone call ID` tells one of them.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    const int64_t now_us = clock_wall_us();
    struct journal_query q = { .since_us = now_us - 86400LL * 1000000, .max = SHOWN };
    int64_t count = SHOWN;
    size_t words;
    char *path;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (now)
        q.since_us = 0;
    if (since && view_since(text_of(since), now_us, &q.since_us))
        return cli_wrong_use("calls", "--since: expected a time such as 2h, 3d or \"2026-11-22 14:00\", came \"%s\"", since);
    if (until && view_since(text_of(until), now_us, &q.until_us))
        return cli_wrong_use("calls", "--until: expected a time such as 2h, 3d or \"2026-11-22 14:00\", came \"%s\"", until);
    if (max && (text_to_i64(text_of(max), &count) || count < 1 || count > SHOWN_MAX))
        return cli_wrong_use("calls", "--max: expected 1 to %d, came \"%s\"", SHOWN_MAX, max);
    q.max = (size_t)count;
    q.only_open = now;
    q.queue = text_of(queue);
    q.number = text_of(number);
    q.node = text_of(node);
    code = view_path("calls", config, db, &path);
    if (code)
        return code;
    code = list(path, &q, json);
    free(path);
    return code;
}
