/* The verb `call`: the whole story of one call, out of the tap's journal and the daemon's own timeline. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "app/config.h"
#include "cli/cli.h"
#include "cli/journal_view.h"
#include "cli/problems.h"
#include "store/store.h"

enum { LINE_BYTES = 1 << 20, PAGE = 500, LINES_MAX = 20000, DETAIL_SHOWN = 160 };

/* Lines of both sources, put in order of time before they are printed. */
struct story_lines {
    struct line {
        int64_t at_us;
        size_t order;
        char *text;
    } *list;
    size_t count, room, left_out;
};

struct teller {
    struct story_lines lines;
    struct buf buf;
    char id[CALL_ID_MAX];               /* the call's, as found */
    int64_t started_us;
    bool json, shows_events;
    size_t found;
};

static void lines_add(struct story_lines *s, int64_t at_us, char *text)
{
    if (s->count == s->room) {
        const size_t room = s->room ? s->room * 2 : 256;
        struct line *more = s->count < LINES_MAX ? realloc(s->list, room * sizeof *more) : NULL;

        if (!more) {
            s->left_out++;
            free(text);
            return;
        }
        s->list = more;
        s->room = room;
    }
    s->list[s->count] = (struct line){ .at_us = at_us, .order = s->count, .text = text };
    s->count++;
}

static int compare(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* {"queue":"sales","position":1} as: queue=sales position=1 */
static void add_detail(struct buf *b, const char *detail)
{
    cJSON *all = cJSON_Parse(detail);
    const cJSON *v;

    cJSON_ArrayForEach(v, all) {
        char *text = cJSON_IsString(v) ? NULL : cJSON_PrintUnformatted(v), cell[DETAIL_SHOWN + 1];

        if (cJSON_IsNull(v) || (cJSON_IsString(v) && !v->valuestring[0])) {
            free(text);
            continue;
        }
        buf_addf(b, " %s=%s", v->string, view_cell(text ? text : v->valuestring, DETAIL_SHOWN, cell, sizeof cell));
        free(text);
    }
    cJSON_Delete(all);
}

static void add_line(struct teller *t, int64_t at_us, const char *who, const char *what, const char *detail)
{
    char *text;

    buf_clear(&t->buf);
    buf_addf(&t->buf, "%-6s %-22s", who, what);
    if (detail)
        add_detail(&t->buf, detail);
    text = text_dup(buf_text(&t->buf));
    if (text)
        lines_add(&t->lines, at_us, text);
}

static void print_json(struct teller *t, const char *what)
{
    if (buf_cstr(&t->buf))
        printf("{\"%s\":%s}\n", what, t->buf.p);
}

/* ---- what the journal gives ---- */

static void print_head(const struct journal_call *c)
{
    const struct call_record *r = &c->record;
    char at[24], span[4][16], cells[6][128];

    printf("call      %s on %s%s%s\n", view_cell(r->id, 100, cells[0], sizeof cells[0]), c->node, r->is_partial ? ", partly seen" : "",
           r->is_suspect ? ", forged events carried its ids" : "");
    printf("from      %s %s\n", view_cell(r->caller, 40, cells[1], sizeof cells[1]), r->caller_name[0] ? view_cell(r->caller_name, 60, cells[2], sizeof cells[2]) : "");
    printf("to        %s in %s\n", view_cell(r->dialled, 40, cells[3], sizeof cells[3]), view_cell(r->context, 60, cells[4], sizeof cells[4]));
    printf("began     %s\n", view_time(r->started_us, at, sizeof at));
    printf("outcome   %s%s%s%s%s\n", c->outcome, r->answered_by[0] ? " by " : "", r->answered_by[0] ? view_cell(r->answered_by, 100, cells[5], sizeof cells[5]) : "",
           r->cause_text[0] ? ", " : "", r->cause_text);
    printf("times     ring %s, talk %s, hold %s, queue %s\n\n", view_span(r->ring_us, span[0], 16), view_span(r->talk_us, span[1], 16),
           view_span(r->hold_us, span[2], 16), view_span(r->queue_us, span[3], 16));
}

static void on_call(const struct journal_call *c, void *arg)
{
    struct teller *t = arg;

    if (t->found++ > 0)
        return;
    text_copy(t->id, sizeof t->id, text_of(c->record.id));
    t->started_us = c->record.started_us;
    if (!t->json) {
        print_head(c);
        return;
    }
    buf_clear(&t->buf);
    view_call_json(&t->buf, c);
    print_json(t, "call");
}

static void on_fact(const struct journal_fact *f, void *arg)
{
    struct teller *t = arg;

    if (!t->json) {
        /* The record is told above; here only that it ended. */
        add_line(t, f->at_us, "pbx", f->kind, strcmp(f->kind, "call.ended") == 0 ? NULL : f->detail);
        return;
    }
    buf_clear(&t->buf);
    view_fact_json(&t->buf, f);
    print_json(t, "fact");
}

static void on_event(const struct journal_event *e, void *arg)
{
    struct teller *t = arg;
    const struct text name = tap_event_name(e->event), channel = tap_get(e->event, TAP_H_CHANNEL);
    char what[64], detail[300], cell[120], kind[64];

    if (t->json) {
        buf_clear(&t->buf);
        view_event_json(&t->buf, e);
        print_json(t, "event");
        return;
    }
    text_copy(what, sizeof what, name);
    text_copy(detail, sizeof detail, channel);
    buf_clear(&t->buf);
    buf_addf(&t->buf, "%-6s %-22s %s", "event", view_cell(what, 60, kind, sizeof kind), view_cell(detail, 100, cell, sizeof cell));
    lines_add(&t->lines, e->event->order_us, text_dup(buf_text(&t->buf)));
}

static int read_journal(struct teller *t, struct journal_reader *r, struct text id)
{
    const struct journal_query q = { .id = id, .max = 2 };
    int64_t after = 0;
    int got = journal_read_calls(r, &q, on_call, t);

    if (got <= 0 || t->found == 0)
        return got;
    while ((got = journal_read_facts(r, text_of(t->id), &after, PAGE, on_fact, t)) == PAGE)
        ;
    after = 0;
    while (got >= 0 && t->shows_events && (got = journal_read_events(r, text_of(t->id), &after, PAGE, on_event, t)) == PAGE)
        ;
    return got;
}

/* ---- what the daemon did on it: agi and talk facts carry the Uniqueid of the caller's channel, which is the Linkedid of a call that it began ---- */

static void on_own_fact(int64_t id, const struct fact *f, void *arg)
{
    struct teller *t = arg;

    (void)id;
    t->found++;
    if (!t->json) {
        add_line(t, f->wall_us, "own", f->kind, f->detail);
        return;
    }
    printf("{\"own\":{\"at_us\":%" PRId64 ",\"kind\":\"%s\",\"detail\":%s}}\n", f->wall_us, f->kind, f->detail && f->detail[0] == '{' ? f->detail : "{}");
}

static void read_own(struct teller *t, const char *path, struct text id)
{
    struct store_reader *r;
    int64_t after = 0;

    if (!path || store_reader_open(&r, path))
        return;
    while (store_reader_next(r, id, &after, PAGE, on_own_fact, t) == PAGE)
        ;
    store_reader_close(r);
}

static void print_lines(struct teller *t)
{
    if (t->lines.count == 0)
        return;                         /* JSON is printed as it comes; and qsort takes no NULL */
    qsort(t->lines.list, t->lines.count, sizeof *t->lines.list, compare);
    for (size_t i = 0; i < t->lines.count; i++) {
        const int64_t zero = t->started_us ? t->started_us : t->lines.list[0].at_us;

        printf("%+10.3f s  %s\n", (double)(t->lines.list[i].at_us - zero) / 1e6, t->lines.list[i].text ? t->lines.list[i].text : "");
    }
    if (t->lines.left_out)
        printf("%zu more are left out\n", t->lines.left_out);
}

static int tell(const char *journal, const char *store, const char *id, struct teller *t)
{
    struct journal_reader *r = NULL;
    int got = journal_reader_open(&r, journal);

    if (got == 0) {
        got = read_journal(t, r, text_of(id));
        journal_reader_close(r);
    }
    if (got < 0 && got != -ENOENT) {
        fprintf(stderr, "sidetone call: %s: %s\n", journal, got == -EINVAL ? "not a journal of sidetone" : err_text(got));
        return CLI_FAILED;
    }
    read_own(t, store, t->id[0] ? text_of(t->id) : text_of(id));
    if (t->found == 0) {
        fprintf(stderr, "sidetone call: no call %s: expected an id as `sidetone calls` prints it, or a Uniqueid\n", id);
        return CLI_FAILED;
    }
    print_lines(t);
    return cli_done(CLI_FINE);
}

int cmd_call(int argc, char **argv)
{
    const char *config_path = NULL, *db = NULL, *store = NULL, *words[1];
    bool json = false, events = false;
    const struct cli_option options[] = {
        { .name = "events", .help = "every stored event, too", .is_set = &events },
        { .name = "json", .help = "a JSON object a line: {\"call\":}, {\"fact\":}, {\"event\":}, and {\"own\":} for what the daemon did", .is_set = &json },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config_path },
        { .name = "db", .takes = "FILE", .help = "this journal, instead of the configuration's", .value = &db },
        { .name = "store", .takes = "FILE", .help = "this sidetone.db, instead of the configuration's", .value = &store },
    };
    const struct cli_syntax syntax = {
        .verb = "call", .usage = "ID [--events] [--json]",
        .about = "Tells one call from its begin to its end: what the PBX did with it (pbx), and what the daemon did on it (own: AGI sessions,\n"
                 "talks). ID is a Linkedid as `sidetone calls` prints it, or the Uniqueid of a leg.",
        .options = options, .option_count = sizeof options / sizeof *options, .words_min = 1, .words_max = 1,
    };
    struct teller t = { 0 };
    struct config *config = NULL;
    size_t count;
    int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (!db && config_load(&config, config_path, CONFIG_SKIP_SECRETS, problem_print, stderr))
        return CLI_FAILED;
    t.json = json;
    t.shows_events = events;
    buf_init(&t.buf, LINE_BYTES);
    code = tell(db ? db : config->journal_path, store ? store : config ? config->store_path : NULL, words[0], &t);
    for (size_t i = 0; i < t.lines.count; i++)
        free(t.lines.list[i].text);
    free(t.lines.list);
    buf_free(&t.buf);
    if (config)
        config_free(config);
    return code;
}
