/* Compares a recorded session with its replay: commands in order, variables left behind, outcome. */
#include "app/replay_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "route/compare.h"

enum { REPORT_MAX = 16 << 20, VARIABLES_MAX = 512 };

struct variable {
    char *name, *before, *now;     /* before, now: NULL when that side does not set it */
};

struct report {
    const struct replay_report *r;
    bool json;
    struct text *old, *new;
    size_t old_count, new_count;
    struct compare_row *rows;
    size_t row_count;
    struct variable *variables;
    size_t variable_count;
    bool differs;
    struct buf out;
};

/* ---- variables ---- */

static struct variable *variable_of(struct report *p, const char *name)
{
    for (size_t i = 0; i < p->variable_count; i++)
        if (!strcmp(p->variables[i].name, name))
            return &p->variables[i];
    if (p->variable_count == VARIABLES_MAX)
        return NULL;
    p->variables[p->variable_count].name = text_dup(text_of(name));
    return p->variables[p->variable_count].name ? &p->variables[p->variable_count++] : NULL;
}

static int note_variables(struct report *p, const struct text *list, size_t count, bool is_new)
{
    for (size_t i = 0; i < count; i++) {
        char *name, *value, **slot;
        struct variable *v;
        const int got = command_sets(list[i], &name, &value);

        if (got < 0)
            return got;
        if (got == 0)
            continue;
        v = variable_of(p, name);
        free(name);
        if (!v) {
            free(value);
            continue;
        }
        slot = is_new ? &v->now : &v->before;
        free(*slot);
        *slot = value;
    }
    return 0;
}

static bool is_changed(const struct variable *v)
{
    return !v->before || !v->now || strcmp(v->before, v->now) != 0;
}

/* ---- words ---- */

static void add_plain(struct buf *b, struct text t);

static void add_notes(struct report *p)
{
    struct text rest = p->r->notes, line;

    while (rest.n > 0 && text_cut(&rest, '\n', &line)) {
        buf_add_text(&p->out, TEXT("  note: "));
        add_plain(&p->out, line);
        buf_add_char(&p->out, '\n');
    }
}

/* One line on a terminal: no control bytes. */
static void add_plain(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.p[i];

        if (c < ' ' || c == 0x7f)
            buf_addf(b, "\\x%02x", c);
        else
            buf_add_char(b, (char)c);
    }
}

static void add_how(struct buf *b, struct player_step s)
{
    switch (s.how) {
    case PLAYER_NEXT:
        return;
    case PLAYER_LATER:
    case PLAYER_EARLIER:
        buf_addf(b, "    [answered as command %zu of the recording]", s.answered_by + 1);
        return;
    case PLAYER_USUAL:
        buf_add_text(b, TEXT("    [not recorded; answered as Asterisk always does]"));
        return;
    case PLAYER_NONE:
        buf_add_text(b, TEXT("    [not recorded: the replay ends here]"));
        return;
    }
}

static const char *how_name(enum player_how how)
{
    static const char *const names[] = { "next", "later", "earlier", "usual", "none" };

    return names[how];
}

/* "OK" or "ERROR reason" of the recording and of now; equal unless both came to their end. */
static bool outcome_differs(const struct report *p, struct text *now_reason)
{
    const enum agi_end now = player_status(p->r->player, now_reason);

    if (player_was_stopped(p->r->player) || p->r->rec->is_cut)
        return false;
    return strcmp(p->r->rec->status, agi_end_name(now)) != 0 || !text_eq(text_of(p->r->rec->reason), *now_reason);
}

static void add_rows(struct report *p)
{
    for (size_t i = 0; i < p->row_count; i++) {
        const struct compare_row *row = &p->rows[i];

        buf_addf(&p->out, "  %c ", (char)row->side);
        add_plain(&p->out, row->side == COMPARE_NEW ? p->new[row->new_at] : p->old[row->old_at]);
        if (row->side == COMPARE_NEW)
            add_how(&p->out, player_step(p->r->player, row->new_at));
        buf_add_char(&p->out, '\n');
    }
}

static void add_value(struct buf *b, const char *value)
{
    if (!value) {
        buf_add_text(b, TEXT("not set"));
        return;
    }
    buf_add_char(b, '"');
    add_plain(b, text_of(value));
    buf_add_char(b, '"');
}

static void add_text_report(struct report *p)
{
    const struct recording *rec = p->r->rec;
    struct text reason;
    const bool outcome = outcome_differs(p, &reason);

    buf_addf(&p->out, "session %" PRId64 " (%s, call %s): %s\n", p->r->id, rec->route, rec->call, p->differs ? "differs" : "equal");
    add_notes(p);
    if (!p->differs)
        return;
    add_rows(p);
    for (size_t i = 0; i < p->variable_count; i++) {
        const struct variable *v = &p->variables[i];

        if (!is_changed(v))
            continue;
        buf_addf(&p->out, "  variable %s: recorded ", v->name);
        add_value(&p->out, v->before);
        buf_add_text(&p->out, TEXT(", now "));
        add_value(&p->out, v->now);
        buf_add_char(&p->out, '\n');
    }
    if (outcome) {
        buf_addf(&p->out, "  outcome: recorded %s %s, now %s ", rec->status, rec->reason, agi_end_name(player_status(p->r->player, &reason)));
        add_plain(&p->out, reason);
        buf_add_char(&p->out, '\n');
    }
    if (rec->is_cut)
        buf_add_text(&p->out, TEXT("  the recording was cut at its ceiling: what came later is not compared\n"));
}

/* ---- JSON ---- */

static void add_quoted(struct buf *b, const char *name, struct text t)
{
    buf_addf(b, "\"%s\":", name);
    if (!t.p) {
        buf_add_text(b, TEXT("null"));
        return;
    }
    buf_add_char(b, '"');
    buf_add_json(b, t);
    buf_add_char(b, '"');
}

static void add_json_rows(struct report *p)
{
    bool first = true;

    for (size_t i = 0; i < p->row_count; i++) {
        const struct compare_row *row = &p->rows[i];

        if (row->side == COMPARE_BOTH)
            continue;
        buf_addf(&p->out, "%s{\"side\":\"%s\",\"at\":%zu,", first ? "" : ",", row->side == COMPARE_OLD ? "recorded" : "now",
                 (row->side == COMPARE_OLD ? row->old_at : row->new_at) + 1);
        add_quoted(&p->out, "command", row->side == COMPARE_OLD ? p->old[row->old_at] : p->new[row->new_at]);
        if (row->side == COMPARE_NEW)
            buf_addf(&p->out, ",\"answered\":\"%s\"", how_name(player_step(p->r->player, row->new_at).how));
        buf_add_char(&p->out, '}');
        first = false;
    }
}

static void add_json_variables(struct report *p)
{
    bool first = true;

    for (size_t i = 0; i < p->variable_count; i++) {
        const struct variable *v = &p->variables[i];

        if (!is_changed(v))
            continue;
        buf_add_text(&p->out, first ? TEXT("{") : TEXT(",{"));
        add_quoted(&p->out, "name", text_of(v->name));
        buf_add_char(&p->out, ',');
        add_quoted(&p->out, "recorded", text_of(v->before));
        buf_add_char(&p->out, ',');
        add_quoted(&p->out, "now", text_of(v->now));
        buf_add_char(&p->out, '}');
        first = false;
    }
}

static void add_json_notes(struct report *p)
{
    struct text rest = p->r->notes, line;
    bool first = true;

    while (rest.n > 0 && text_cut(&rest, '\n', &line)) {
        buf_add_text(&p->out, first ? TEXT("\"") : TEXT(",\""));
        buf_add_json(&p->out, line);
        buf_add_char(&p->out, '"');
        first = false;
    }
}

static void add_json_report(struct report *p)
{
    struct text reason;
    const bool outcome = outcome_differs(p, &reason);

    buf_addf(&p->out, "{\"session\":%" PRId64 ",", p->r->id);
    add_quoted(&p->out, "route", text_of(p->r->rec->route));
    buf_add_char(&p->out, ',');
    add_quoted(&p->out, "call", text_of(p->r->rec->call));
    buf_addf(&p->out, ",\"equal\":%s,\"cut\":%s,\"commands\":[", p->differs ? "false" : "true", p->r->rec->is_cut ? "true" : "false");
    add_json_rows(p);
    buf_add_text(&p->out, TEXT("],\"variables\":["));
    add_json_variables(p);
    buf_addf(&p->out, "],\"outcome\":{\"equal\":%s,\"recorded\":\"%s\",", outcome ? "false" : "true", p->r->rec->status);
    add_quoted(&p->out, "recorded_reason", text_of(p->r->rec->reason));
    buf_addf(&p->out, ",\"now\":\"%s\",", agi_end_name(player_status(p->r->player, &reason)));
    add_quoted(&p->out, "now_reason", reason);
    buf_add_text(&p->out, TEXT("},\"notes\":["));
    add_json_notes(p);
    buf_add_text(&p->out, TEXT("]}\n"));
}

/* ---- putting it together ---- */

/* A command that stood last in a cut recording may have had successors: those are not held against anyone. */
static bool rows_differ(const struct report *p)
{
    for (size_t i = 0; i < p->row_count; i++)
        if (p->rows[i].side != COMPARE_BOTH && !(p->r->rec->is_cut && p->rows[i].side == COMPARE_NEW && p->rows[i].new_at >= p->old_count))
            return true;
    return false;
}

static int compare(struct report *p)
{
    struct text reason;
    int err;

    p->old = tape_command_list(p->r->tape, &p->old_count);
    p->new = player_command_list(p->r->player, &p->new_count);
    p->variables = calloc(VARIABLES_MAX, sizeof *p->variables);
    if (!p->old || !p->new || !p->variables)
        return -ENOMEM;
    err = compare_commands(p->old, p->old_count, p->new, p->new_count, &p->rows, &p->row_count);
    if (!err)
        err = note_variables(p, p->old, p->old_count, false);
    if (!err)
        err = note_variables(p, p->new, p->new_count, true);
    p->differs = !err && (rows_differ(p) || outcome_differs(p, &reason));
    return err;
}

int replay_report_print(const struct replay_report *r, bool json, FILE *out)
{
    struct report p = { .r = r, .json = json };
    int err = compare(&p);

    buf_init(&p.out, REPORT_MAX);
    if (!err) {
        if (json)
            add_json_report(&p);
        else
            add_text_report(&p);
        err = p.out.err;
    }
    if (!err)
        fwrite(p.out.p, 1, p.out.n, out);
    buf_free(&p.out);
    for (size_t i = 0; p.variables && i < p.variable_count; i++) {
        free(p.variables[i].name);
        free(p.variables[i].before);
        free(p.variables[i].now);
    }
    free(p.variables);
    free(p.rows);
    free(p.old);
    free(p.new);
    return err ? err : p.differs;
}
