/* The verb `tap`: watches what the daemon's tap stores; and its sub-verbs. */
#include "cli/cmd_tap.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/journal_view.h"

enum { LINE_BYTES = 1 << 20, PAGE = 500, POLL_MS = 100, DETAIL_SHOWN = 200 };

struct watch {
    struct journal_reader *reader;
    struct buf line;
    bool json, shows_events;
    const char *node, *kind, *call;     /* NULL: any; kind may end in '*' */
    int64_t after, since_us;
};

/* ---- filters ---- */

static bool kind_fits(const struct watch *w, struct text kind)
{
    const struct text want = text_of(w->kind);

    if (!w->kind)
        return true;
    if (text_ends(want, TEXT("*")))
        return text_starts_nocase(kind, text_head(want, want.n - 1));
    return text_eq_nocase(kind, want);
}

static bool node_fits(const struct watch *w, const char *node)
{
    return !w->node || strcmp(w->node, node) == 0;
}

/* ---- lines ---- */

static void print_json(struct watch *w)
{
    if (buf_cstr(&w->line))
        puts(w->line.p);
}

static void print_start(int64_t at_us, const char *node)
{
    char at[24], cell[40];

    printf("%s.%03d %-10s ", view_time(at_us, at, sizeof at) + 11, (int)(at_us / 1000 % 1000), view_cell(node, 20, cell, sizeof cell));
}

static void on_fact(const struct journal_fact *f, void *arg)
{
    struct watch *w = arg;
    char call[60], detail[DETAIL_SHOWN + 1];

    if (f->at_us < w->since_us || !node_fits(w, f->node) || !kind_fits(w, text_of(f->kind)))
        return;
    if (w->json) {
        buf_clear(&w->line);
        view_fact_json(&w->line, f);
        print_json(w);
        return;
    }
    print_start(f->at_us, f->node);
    printf("%-20s %-28s %s\n", f->kind, view_cell(f->call, 28, call, sizeof call), view_cell(f->detail, DETAIL_SHOWN, detail, sizeof detail));
}

/* The headers that every event of its kind has say little on a line. */
static bool is_common(struct text name)
{
    static const char *const common[] = { "Event", "Privilege", "Timestamp", "SystemName", "ChannelState", "Language", "AccountCode", "Priority",
                                          "ConnectedLineNum", "ConnectedLineName", "CallerIDName", "Context" };

    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (text_eq(name, text_of(common[i])))
            return true;
    return text_starts(name, TEXT("Dest")) && !text_eq(name, TEXT("DestChannel")) && !text_eq(name, TEXT("DestUniqueid"));
}

static void add_pair(struct buf *b, struct text name, struct text value)
{
    char text[61], cell[61];

    text_copy(text, sizeof text, value);
    buf_addf(b, " %.*s=%s", TEXT_ARG(name), view_cell(text, 60, cell, sizeof cell));
}

static void on_event(const struct journal_event *e, void *arg)
{
    struct watch *w = arg;
    const struct text kind = tap_event_name(e->event);
    struct text name, value;
    char what[64], cell[64], rest[400];

    if (e->event->order_us < w->since_us || !node_fits(w, e->node) || !kind_fits(w, kind))
        return;
    buf_clear(&w->line);
    if (w->json) {
        view_event_json(&w->line, e);
        print_json(w);
        return;
    }
    text_copy(what, sizeof what, e->event->kind == TAP_FORGED ? TEXT("(forged block)") : kind);
    for (size_t i = 0; tap_at(e->event, i, &name, &value); i++)
        if (value.n && !is_common(name))
            add_pair(&w->line, name, value);
    print_start(e->event->order_us, e->node);
    printf("%-20s%s%s\n", view_cell(what, 40, cell, sizeof cell), e->event->flags & TAP_SUSPECT ? " SUSPECT" : "",
           buf_cstr(&w->line) ? view_cell(w->line.p, sizeof rest - 1, rest, sizeof rest) : "");
}

/* ---- watching ---- */

static int read_page(struct watch *w)
{
    const struct text call = text_of(w->call);

    return w->shows_events ? journal_read_events(w->reader, call, &w->after, PAGE, on_event, w)
                           : journal_read_facts(w->reader, call, &w->after, PAGE, on_fact, w);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static int watch(struct watch *w, bool follows)
{
    int got;

    while ((got = read_page(w)) > 0 || (got == 0 && follows)) {
        if (fflush(stdout) != 0)
            break;                      /* whoever read it has gone */
        if (got == 0)
            pause_ms(POLL_MS);
    }
    return got;
}

static int open_and_watch(struct watch *w, const char *path, bool follows, bool from_now)
{
    int got = view_open("tap", path, &w->reader);

    if (got)
        return got;
    if (from_now)
        w->after = w->shows_events ? journal_last_event(w->reader) : journal_last_fact(w->reader);
    buf_init(&w->line, LINE_BYTES);
    got = watch(w, follows);
    buf_free(&w->line);
    journal_reader_close(w->reader);
    if (got >= 0)
        return cli_done(CLI_FINE);
    fprintf(stderr, "sidetone tap: %s: %s\n", path, err_text(got));
    return CLI_FAILED;
}

int cmd_tap_live(int argc, char **argv)
{
    const char *config = NULL, *db = NULL, *since = NULL;
    struct watch w = { 0 };
    bool ends = false;
    const struct cli_option options[] = {
        { .name = "events", .help = "one line per event; else one per fact", .is_set = &w.shows_events },
        { .name = "kind", .takes = "KIND", .help = "only this kind of fact or event; queue.* takes all that begin so", .value = &w.kind },
        { .name = "call", .takes = "ID", .help = "only this call", .value = &w.call },
        { .name = "node", .takes = "NAME", .help = "only this Asterisk", .value = &w.node },
        { .name = "since", .takes = "WHEN", .help = "begin then, not now: 15m, 2h, 3d, or \"2026-11-22 14:00\"", .value = &since },
        { .name = "once", .help = "end when nothing more is there, do not wait", .is_set = &ends },
        { .name = "json", .help = "a JSON object a line", .is_set = &w.json },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config },
        { .name = "db", .takes = "FILE", .help = "this journal, instead of the configuration's", .value = &db },
    };
    const struct cli_syntax syntax = {
        .verb = "tap", .usage = "[--events] [--kind KIND] [--call ID] [--since WHEN] [--json] | gaps | record | replay | advise",
        .about = "Shows what the tap stores while it stores it: facts about calls, or with --events Asterisk's own events. Ctrl-C ends it.\n"
                 "sidetone tap gaps      when it was not watching, and why\n"
                 "sidetone tap record    a node's events into a file, without the daemon\n"
                 "sidetone tap replay    such a file through the same pipeline, into a journal of its own\n"
                 "sidetone tap advise    the smallest read= and eventfilter lines that still carry what is used",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    size_t words;
    char *path;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (since && view_since(text_of(since), clock_wall_us(), &w.since_us))
        return cli_wrong_use("tap", "--since: expected a time such as 2h, 3d or \"2026-11-22 14:00\", came \"%s\"", since);
    code = view_path("tap", config, db, &path);
    if (code)
        return code;
    signal(SIGPIPE, SIG_IGN);
    code = open_and_watch(&w, path, !ends, !since && !ends);
    free(path);
    return code;
}

/* ---- gaps ---- */

static void print_gap(const struct journal_gap_row *g, void *arg)
{
    char from[24], to[24], cell[200];

    (void)arg;
    printf("%-12s %-19s  %-19s  %-11s %9" PRIu64 " %8" PRIu64 "  %s\n", g->node, view_time(g->from_us, from, sizeof from),
           g->to_us ? view_time(g->to_us, to, sizeof to) : "(open)", g->cause, g->events_lost, g->calls_affected,
           view_cell(g->detail, 180, cell, sizeof cell));
}

static void print_gap_json(const struct journal_gap_row *g, void *arg)
{
    struct buf *b = arg;

    buf_clear(b);
    buf_addf(b, "{\"node\":\"%s\",\"from_us\":%" PRId64 ",\"to_us\":%" PRId64 ",\"cause\":\"%s\",\"events_lost\":%" PRIu64
             ",\"calls_affected\":%" PRIu64 ",\"detail\":\"", g->node, g->from_us, g->to_us, g->cause, g->events_lost, g->calls_affected);
    buf_add_json(b, text_of(g->detail ? g->detail : ""));
    buf_add_text(b, TEXT("\"}"));
    if (buf_cstr(b))
        puts(b->p);
}

static int list_gaps(const char *path, int64_t since_us, bool json)
{
    struct journal_reader *r;
    struct buf b;
    int got = view_open("tap gaps", path, &r);

    if (got)
        return got;
    buf_init(&b, LINE_BYTES);
    if (!json)
        printf("%-12s %-19s  %-19s  %-11s %9s %8s  %s\n", "node", "from", "to", "cause", "lost", "calls", "detail");
    got = journal_read_gaps(r, since_us, json ? print_gap_json : print_gap, &b);
    journal_reader_close(r);
    buf_free(&b);
    if (got >= 0)
        return cli_done(CLI_FINE);
    fprintf(stderr, "sidetone tap gaps: %s: %s\n", path, err_text(got));
    return CLI_FAILED;
}

int cmd_tap_gaps(int argc, char **argv)
{
    const char *config = NULL, *db = NULL, *since = NULL;
    bool json = false;
    const struct cli_option options[] = {
        { .name = "since", .takes = "WHEN", .help = "those that reach beyond: 15m, 2h, 3d, or \"2026-11-22 14:00\"", .value = &since },
        { .name = "json", .help = "a JSON object a line; times in microseconds", .is_set = &json },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config },
        { .name = "db", .takes = "FILE", .help = "this journal, instead of the configuration's", .value = &db },
    };
    const struct cli_syntax syntax = {
        .verb = "tap gaps", .usage = "[--since WHEN] [--json]",
        .about = "Lists the times in which events of a node did not reach the journal, with the cause. lost 0: nobody knows how many.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    int64_t since_us = 0;
    size_t words;
    char *path;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (since && view_since(text_of(since), clock_wall_us(), &since_us))
        return cli_wrong_use("tap gaps", "--since: expected a time such as 2h, 3d or \"2026-11-22 14:00\", came \"%s\"", since);
    code = view_path("tap gaps", config, db, &path);
    if (code)
        return code;
    code = list_gaps(path, since_us, json);
    free(path);
    return code;
}

int cmd_tap(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        { "gaps", cmd_tap_gaps, NULL }, { "record", cmd_tap_record, NULL }, { "replay", cmd_tap_replay, NULL }, { "advise", cmd_tap_advise, NULL },
    };

    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return cmd_tap_live(argc, argv);
}
