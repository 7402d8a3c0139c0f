/* Makes contexts, extensions and steps out of extensions.conf (pbx/pbx_config.c:pbx_load_config). */
#include "audit/dialplan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/dialplan_build.h"

enum { NONE = -2, HINT = -1 };
enum { EXTENSION_MAX = 255, PRIORITY_MAX = 1000000 };

struct build {
    struct dialplan_build to;
    const struct conf *c;
    struct dialplan_context *context;
    struct dialplan_extension *extension; /* of the last exten line in this section */
    struct text dialled;                  /* its name with the blanks that it was written with: by that labels are looked up */
    int last;                             /* priority; NONE: none yet, HINT: a hint */
};

/* ---- one line ---- */

static struct text column_text(const struct conf_item *item, struct text part, unsigned *column)
{
    *column = item->value_column + (unsigned)(part.p - item->value.p);
    return part;
}

/* "${DB(family/key)}", "${A:1}", "${A${B}}": what it comes to is not known before Asterisk runs. */
static bool is_computed(struct text written)
{
    for (ptrdiff_t at; (at = text_find_text(written, TEXT("${"))) >= 0; written = text_skip(written, (size_t)at + 2))
        for (size_t i = (size_t)at + 2; i < written.n && written.p[i] != '}'; i++)
            if (written.p[i] == '(' || written.p[i] == '$' || written.p[i] == ':')
                return true;
    return false;
}

/* Globals are put in, at load time and once (pbx_substitute_variables_helper(NULL, ...)). */
static struct text extension_name(struct build *b, struct text written, bool keeps_blanks)
{
    char name[EXTENSION_MAX + 1];
    size_t n = 0;

    if (is_computed(written)) {
        b->context->has_switch = true;
        return written;
    }
    for (size_t i = 0; i < written.n && n < EXTENSION_MAX; i++) {
        if (written.p[i] == '$' && i + 1 < written.n && written.p[i + 1] == '{') {
            const ptrdiff_t close = text_find(text_skip(written, i), '}');
            const struct text key = text_make(written.p + i + 2, close > 2 ? (size_t)close - 2 : 0);
            const struct text value = close > 0 ? conf_get(b->c, TEXT("globals"), key) : TEXT_NONE;

            if (close > 0) {
                n += text_copy(name + n, sizeof name - n, value);
                i += (size_t)close;
                continue;
            }
        }
        if (keeps_blanks || written.p[i] != ' ') /* quotes stay (seen) */
            name[n++] = written.p[i];
    }
    if (n == written.n && memcmp(name, written.p, n) == 0)
        return written;
    written.p = arena_text(b->to.d->memory, text_make(name, n));
    written.n = n;
    if (!written.p)
        b->to.err = -ENOMEM;
    return written;
}

static bool to_number(struct text t, unsigned *out)
{
    int64_t number;

    if (!t.n || t.n > 9 || text_to_i64(t, &number) || number < 0 || number > PRIORITY_MAX)
        return false;
    *out = (unsigned)number;
    return true;
}

/* Asterisk looks the label up as if the extension's name, blanks included, were dialled, or were the same pattern: the first extension that takes it
 * and has such a label counts (pbx_find_extension with E_FINDLABEL, main/pbx.c of 22.10.1). "exten => 2 ,lb" finds no label of 2 (seen). */
static const struct dialplan_step *label_dialled(const struct build *b, struct text label)
{
    const struct dialplan_extension *own = b->extension;
    const struct dialplan_step *best = NULL;
    const bool is_same_text = text_eq(own->name, b->dialled);

    for (size_t i = 0; label.n && i < b->context->extension_count; i++) {
        const struct dialplan_extension *e = b->context->extensions[i];
        const struct dialplan_step *s = dialplan_label_of(e, label);

        if (!s || (e->caller.p && !own->caller.p))
            continue;
        if (!(own->is_pattern && e->is_pattern && is_same_text && dialplan_rank(e->name, own->name) == 0) &&
            !dialplan_matches(e->name, b->dialled))
            continue;
        if (!best || dialplan_rank(e->name, best->extension->name) < 0)
            best = s;
    }
    return best;
}

/* The digits at the beginning of "7lb", as sscanf reads them. */
static struct text leading_digits(struct text t)
{
    size_t n = 0;

    while (n < t.n && t.p[n] >= '0' && t.p[n] <= '9')
        n++;
    return n ? text_head(t, n) : t;
}

/* "n+2(label)", "n(label)+2", "5", "hint", "label". 0 in *priority: a hint. */
static const char *read_priority(struct build *b, struct text t, unsigned *priority, struct text *label)
{
    const ptrdiff_t open = text_find(t, '('), plus = text_find(t, '+');
    struct text word = text_head(t, (size_t)(open >= 0 && (plus < 0 || open < plus) ? open : plus >= 0 ? plus : (ptrdiff_t)t.n));
    unsigned more = 0;

    word = text_trim(word);
    *label = text_head(t, 0);
    if (open >= 0) {
        const struct text behind = text_skip(t, (size_t)open + 1);
        const ptrdiff_t close = text_find(behind, ')');

        if (close < 0)
            return "the label behind the priority has no \")\"";
        *label = text_head(behind, (size_t)close);
    }
    if (plus >= 0) {
        const struct text behind = text_skip(t, (size_t)plus + 1);
        const ptrdiff_t end = text_find(behind, '(');

        if (!to_number(text_trim(end >= 0 ? text_head(behind, (size_t)end) : behind), &more))
            return "what is added to the priority is no number";
    }
    *priority = 0;
    if (text_eq(word, TEXT("hint")))
        return NULL;
    if (text_eq(word, TEXT("n")) || text_eq(word, TEXT("next"))) {
        if (b->last == NONE)
            return "the first priority of a context cannot be \"n\"";
        if (b->last == HINT)
            return "\"n\" behind a hint is no priority: Asterisk drops the line without a word";
        *priority = (unsigned)b->last + 1;
    } else if (text_eq(word, TEXT("s")) || text_eq(word, TEXT("same"))) {
        if (b->last == NONE)
            return "the first priority of a context cannot be \"s\"";
        if (b->last == HINT)
            return NULL;
        *priority = (unsigned)b->last;
    } else if (!to_number(leading_digits(word), priority)) {
        const struct dialplan_step *at = label_dialled(b, word);

        if (!at)
            return "the priority is neither a number, nor \"n\", nor a label that is known here";
        *priority = at->priority;
    } else if (!*priority) {
        return "there is no priority 0";
    }
    *priority += more;
    return *priority > PRIORITY_MAX ? "the priority is too large" : NULL;
}

static void read_app(struct build *b, const struct conf_item *item, struct text t, struct dialplan_step *step)
{
    ptrdiff_t open, close;

    t = text_trim(t);
    open = text_find(t, '(');
    /* With a variable before the "(" all of it is the name (pbx_load_config). */
    if (open >= 0 && (text_find_text(text_head(t, (size_t)open), TEXT("${")) >= 0 || text_find_text(text_head(t, (size_t)open), TEXT("$[")) >= 0))
        open = -1;
    /* A blank before the "(" stays part of the name, and such an application is not found (seen). */
    step->app = column_text(item, open >= 0 ? text_head(t, (size_t)open) : t, &step->app_column);
    step->args = text_skip(t, t.n);
    step->args_column = step->app_column;
    if (open < 0)
        return;
    t = text_skip(t, (size_t)open + 1);
    close = text_rfind(t, ')');
    if (close < 0)
        dialplan_problem_put(&b->to, DIALPLAN_CUT, item->place, "the application's arguments have no closing \")\"");
    step->args = column_text(item, close >= 0 ? text_head(t, (size_t)close) : t, &step->args_column);
}

/* A hint is read like an application: what follows a "(" is cut off, unless it is one of a ${} (seen). */
static struct text hint_device(struct text t)
{
    const ptrdiff_t open = text_find(t, '('), dollar = text_find(t, '$');

    return text_trim(open >= 0 && (dollar < 0 || dollar > open) ? text_head(t, (size_t)open) : t);
}

/* The part of a line behind the extension: "prio(label),app(args)". */
static void read_step(struct build *b, const struct conf_item *item, struct text rest)
{
    struct dialplan_step step = { .place = item->place, .extension = b->extension };
    struct text priority;
    const char *why;

    if (!text_cut(&rest, ',', &priority)) {
        dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, "the line ends before its priority");
        return;
    }
    why = read_priority(b, text_trim(priority), &step.priority, &step.label);
    if (why) {
        dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, why);
        return;
    }
    if (!step.priority) {
        b->last = HINT;
        if (b->extension->hint.p)
            dialplan_problem_put(&b->to, DIALPLAN_TWICE, item->place, "this extension already has a hint: Asterisk keeps the first and drops this one");
        else
            b->extension->hint = hint_device(rest.p ? rest : text_head(item->value, 0));
        return;
    }
    b->last = (int)step.priority;
    if (!rest.p || !text_trim(rest).n) {
        dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, "the line ends before its application");
        return;
    }
    read_app(b, item, rest, &step);
    step.place.column = step.app_column;
    dialplan_step_put(&b->to, b->extension, step);
}

static void read_exten(struct build *b, const struct conf_item *item)
{
    struct text rest = item->value, name, caller = TEXT_NONE;
    bool is_quoted = false;
    size_t n = 0;
    ptrdiff_t slash;

    for (; n < rest.n && (is_quoted || rest.p[n] != ','); n++)
        is_quoted ^= rest.p[n] == '"';
    name = extension_name(b, text_trim(text_head(rest, n)), false);
    b->dialled = extension_name(b, text_head(rest, n), true);
    rest = n < rest.n ? text_skip(rest, n + 1) : TEXT_NONE;
    slash = text_find_text(name, TEXT("${")) >= 0 ? -1 : text_find(name, '/'); /* a "/" in ${DB(a/b)} parts nothing */
    if (slash >= 0) {
        caller = text_skip(name, (size_t)slash + 1);
        name = text_head(name, (size_t)slash);
        slash = text_find(b->dialled, '/');
        b->dialled = text_head(b->dialled, (size_t)slash);
    }
    if (!name.n) {
        dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, "the extension has no name");
        return;
    }
    b->extension = dialplan_extension_put(&b->to, b->context, name, caller, item->place);
    if (b->extension)
        read_step(b, item, rest);
}

static void read_include(struct build *b, const struct conf_item *item)
{
    struct dialplan_include include = { .place = item->place, .times = item->value };

    text_cut(&include.times, ',', &include.name);
    include.name = text_trim(include.name);
    dialplan_include_put(&b->to, b->context, include);
}

static void read_line(struct build *b, const struct conf_item *item, bool is_switch)
{
    const struct dialplan_line line = { .name = item->name, .value = item->value, .place = item->place };

    dialplan_line_put(&b->to, b->context, line, is_switch);
}

static void read_item(struct build *b, const struct conf_item *item)
{
    if (text_eq_nocase(item->name, TEXT("exten"))) {
        read_exten(b, item);
    } else if (text_starts_nocase(item->name, TEXT("same"))) {
        if (b->extension)
            read_step(b, item, item->value);
        else
            dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, "\"same\" before any \"exten\" in this section");
    } else if (text_eq_nocase(item->name, TEXT("include"))) {
        read_include(b, item);
    } else if (text_eq_nocase(item->name, TEXT("switch")) || text_eq_nocase(item->name, TEXT("lswitch")) ||
               text_eq_nocase(item->name, TEXT("eswitch"))) {
        read_line(b, item, true);
    } else if (text_eq_nocase(item->name, TEXT("ignorepat"))) {
        read_line(b, item, false);
    } else if (!text_eq_nocase(item->name, TEXT("autohints"))) {
        dialplan_problem_put(&b->to, DIALPLAN_SKIPPED, item->place, "no directive of a context: Asterisk ignores the line");
    }
}

static bool is_context(const struct conf_section *s)
{
    return !s->is_template && !text_eq_nocase(s->name, TEXT("general")) && !text_eq_nocase(s->name, TEXT("globals"));
}

int dialplan_build(struct dialplan **out, struct arena *memory, const struct conf *c)
{
    struct build b = { .c = c };
    int err = dialplan_begin(&b.to, memory, DIALPLAN_CONF);

    for (size_t i = 0; !err && c && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        if (!is_context(s))
            continue;
        b.context = dialplan_context_put(&b.to, s->name, s->place);
        b.extension = NULL;
        b.last = NONE;
        for (size_t k = 0; !b.to.err && k < s->count; k++)
            read_item(&b, s->items + k);
        err = b.to.err;
    }
    if (err)
        return err;
    dialplan_link(b.to.d);
    *out = b.to.d;
    return 0;
}
