/* Makes contexts, extensions and steps out of extensions.conf (pbx/pbx_config.c:pbx_load_config). */
#include "audit/dialplan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/expression.h"

enum { NONE = -2, HINT = -1 };
enum { EXTENSION_MAX = 255, PRIORITY_MAX = 1000000, SLOTS_FIRST = 1024 };

struct dialplan_slot {
    struct dialplan_context *context;
    struct dialplan_extension *extension; /* NULL: the context itself */
};

struct build {
    struct dialplan *d;
    const struct conf *c;
    struct dialplan_context *context;
    struct dialplan_extension *extension; /* of the last exten line in this section */
    struct text dialled;                  /* its name with the blanks that it was written with: by that labels are looked up */
    int last;                             /* priority; NONE: none yet, HINT: a hint */
    int err;
};

/* ---- tables in the arena: what is outgrown stays until the end, at most as much again ---- */

static bool room(struct build *b, void *table, size_t *cap, size_t used, size_t size)
{
    void **p = table, *bigger;
    const size_t want = *cap ? *cap * 2 : 4;

    if (b->err)
        return false;
    if (used < *cap)
        return true;
    bigger = arena_take(b->d->memory, want * size);
    if (!bigger) {
        b->err = -ENOMEM;
        return false;
    }
    if (used)
        memcpy(bigger, *p, used * size);
    *p = bigger;
    *cap = want;
    return true;
}

static void problem(struct build *b, enum dialplan_fault fault, struct conf_place place, const char *message)
{
    struct dialplan *d = b->d;

    if (room(b, &d->problems, &d->problem_room, d->problem_count, sizeof *d->problems))
        d->problems[d->problem_count++] = (struct dialplan_problem){ .fault = fault, .place = place, .message = message };
}

/* ---- names ---- */

static uint64_t hash_text(uint64_t h, struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (unsigned char)t.p[i]) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u;
}

static uint64_t hash_of(const struct dialplan_context *context, struct text name, struct text caller)
{
    uint64_t h = hash_text(1469598103934665603u ^ (uint64_t)(uintptr_t)context, name);

    h = caller.p ? hash_text(h, caller) : h;
    return h ^ (h >> 29);
}

static bool slot_is(const struct dialplan_slot *s, const struct dialplan_context *context, struct text name, struct text caller)
{
    if (!context)
        return !s->extension && text_eq(s->context->name, name);
    return s->extension && s->context == context && text_eq(s->extension->name, name) && !s->extension->caller.p == !caller.p &&
           (!caller.p || text_eq(s->extension->caller, caller));
}

/* The slot of that name, or the free one where it belongs. context NULL: name is a context's. */
static struct dialplan_slot *slot_of(const struct dialplan *d, const struct dialplan_context *context, struct text name, struct text caller)
{
    size_t i = (size_t)hash_of(context, name, caller) & (d->slot_count - 1);

    while (d->slots[i].context && !slot_is(d->slots + i, context, name, caller))
        i = (i + 1) & (d->slot_count - 1);
    return d->slots + i;
}

static bool slots_grow(struct build *b)
{
    struct dialplan *d = b->d;
    struct dialplan_slot *old = d->slots;
    const size_t old_count = d->slot_count;

    if (d->slots_used * 2 < d->slot_count)
        return true;
    d->slots = arena_take(d->memory, (old_count ? old_count * 2 : SLOTS_FIRST) * sizeof *d->slots);
    if (!d->slots) {
        d->slots = old;
        b->err = -ENOMEM;
        return false;
    }
    d->slot_count = old_count ? old_count * 2 : SLOTS_FIRST;
    for (size_t i = 0; i < old_count; i++) {
        const struct dialplan_extension *e = old[i].extension;

        if (old[i].context)
            *slot_of(d, e ? old[i].context : NULL, e ? e->name : old[i].context->name, e ? e->caller : TEXT_NONE) = old[i];
    }
    return true;
}

const struct dialplan_context *dialplan_context_of(const struct dialplan *d, struct text name)
{
    return d->slot_count ? slot_of(d, NULL, name, TEXT_NONE)->context : NULL;
}

const struct dialplan_extension *dialplan_extension_of(const struct dialplan *d, const struct dialplan_context *c, struct text name,
                                                       struct text caller)
{
    return d->slot_count && c ? slot_of(d, c, name, caller)->extension : NULL;
}

static struct dialplan_context *context_make(struct build *b, const struct conf_section *s)
{
    struct dialplan *d = b->d;
    struct dialplan_context *c;
    struct dialplan_slot *slot;

    if (!slots_grow(b) || !room(b, &d->contexts, &d->context_room, d->context_count, sizeof *d->contexts))
        return NULL;
    slot = slot_of(d, NULL, s->name, TEXT_NONE);
    if (slot->context)
        return slot->context;
    c = arena_take(d->memory, sizeof *c);
    if (!c) {
        b->err = -ENOMEM;
        return NULL;
    }
    c->name = s->name;
    c->place = s->place;
    c->number = d->context_count;
    slot->context = c;
    d->slots_used++;
    d->contexts[d->context_count++] = c;
    return c;
}

static struct dialplan_extension *extension_make(struct build *b, struct text name, struct text caller, struct conf_place place)
{
    struct dialplan_context *c = b->context;
    struct dialplan_extension *e;
    struct dialplan_slot *slot;

    if (!slots_grow(b) || !room(b, &c->extensions, &c->extension_room, c->extension_count, sizeof *c->extensions))
        return NULL;
    slot = slot_of(b->d, c, name, caller);
    if (slot->context)
        return slot->extension;
    e = arena_take(b->d->memory, sizeof *e);
    if (!e) {
        b->err = -ENOMEM;
        return NULL;
    }
    *e = (struct dialplan_extension){ .name = name, .caller = caller, .place = place, .context = c };
    e->number = b->d->extension_count++;
    e->is_pattern = text_starts(name, TEXT("_"));
    c->pattern_count += e->is_pattern;
    *slot = (struct dialplan_slot){ .context = c, .extension = e };
    b->d->slots_used++;
    c->extensions[c->extension_count++] = e;
    return e;
}

const struct dialplan_step *dialplan_step_of(const struct dialplan_extension *e, unsigned priority)
{
    size_t low = 0, high = e->step_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (e->steps[middle].priority == priority)
            return e->steps + middle;
        if (e->steps[middle].priority < priority)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct dialplan_step *dialplan_label_of(const struct dialplan_extension *e, struct text label)
{
    for (size_t i = 0; i < e->step_count; i++)
        if (e->steps[i].label.n && text_eq(e->steps[i].label, label))
            return e->steps + i;
    return NULL;
}

/* ---- one line ---- */

static struct text column_text(const struct conf_item *item, struct text part, unsigned *column)
{
    *column = item->value_column + (unsigned)(part.p - item->value.p);
    return part;
}

/* Globals are put in, at load time and once (pbx_substitute_variables_helper(NULL, ...)). */
static struct text extension_name(struct build *b, struct text written, bool keeps_blanks)
{
    char name[EXTENSION_MAX + 1];
    size_t n = 0;

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
    written.p = arena_text(b->d->memory, text_make(name, n));
    written.n = n;
    if (!written.p)
        b->err = -ENOMEM;
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

static void step_put(struct build *b, struct dialplan_extension *e, struct dialplan_step step)
{
    const struct dialplan_step *same = step.label.n ? dialplan_label_of(e, step.label) : NULL;
    size_t at = e->step_count;

    if (dialplan_step_of(e, step.priority)) {
        problem(b, DIALPLAN_TWICE, step.place, "this extension already has a step of this priority: Asterisk keeps the first and drops this one");
        return;
    }
    while (at > 0 && e->steps[at - 1].priority > step.priority)
        at--;
    if (same && same <= e->steps + at) { /* main/pbx.c:add_priority looks at the steps before it and at the one behind it */
        problem(b, DIALPLAN_CUT, step.place, "this label stands in the same extension already: Asterisk keeps the step without it");
        step.label.n = 0;
    }
    if (!room(b, &e->steps, &e->step_room, e->step_count, sizeof *e->steps))
        return;
    memmove(e->steps + at + 1, e->steps + at, (e->step_count - at) * sizeof *e->steps);
    e->steps[at] = step;
    e->step_count++;
    b->d->step_count++;
}

static void read_app(struct build *b, const struct conf_item *item, struct text t, struct dialplan_step *step)
{
    const ptrdiff_t open = text_find(t, '(');
    ptrdiff_t close;

    t = text_trim(t);
    /* A blank before the "(" stays part of the name, and such an application is not found (seen). */
    step->app = column_text(item, open >= 0 ? text_head(t, (size_t)text_find(t, '(')) : t, &step->app_column);
    step->args = text_skip(t, t.n);
    step->args_column = step->app_column;
    if (open < 0)
        return;
    t = text_skip(t, (size_t)text_find(t, '(') + 1);
    close = text_rfind(t, ')');
    if (close < 0)
        problem(b, DIALPLAN_CUT, item->place, "the application's arguments have no closing \")\"");
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
        problem(b, DIALPLAN_SKIPPED, item->place, "the line ends before its priority");
        return;
    }
    why = read_priority(b, text_trim(priority), &step.priority, &step.label);
    if (why) {
        problem(b, DIALPLAN_SKIPPED, item->place, why);
        return;
    }
    if (!step.priority) {
        b->last = HINT;
        if (b->extension->hint.p)
            problem(b, DIALPLAN_TWICE, item->place, "this extension already has a hint: Asterisk keeps the first and drops this one");
        else
            b->extension->hint = hint_device(rest.p ? rest : text_head(item->value, 0));
        return;
    }
    b->last = (int)step.priority;
    if (!rest.p || !text_trim(rest).n) {
        problem(b, DIALPLAN_SKIPPED, item->place, "the line ends before its application");
        return;
    }
    read_app(b, item, rest, &step);
    step.place.column = step.app_column;
    step_put(b, b->extension, step);
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
    slash = text_find(name, '/');
    if (slash >= 0) {
        caller = text_skip(name, (size_t)slash + 1);
        name = text_head(name, (size_t)slash);
        slash = text_find(b->dialled, '/');
        b->dialled = text_head(b->dialled, (size_t)slash);
    }
    if (!name.n) {
        problem(b, DIALPLAN_SKIPPED, item->place, "the extension has no name");
        return;
    }
    b->extension = extension_make(b, name, caller, item->place);
    if (b->extension)
        read_step(b, item, rest);
}

static void read_include(struct build *b, const struct conf_item *item)
{
    struct dialplan_context *c = b->context;
    struct dialplan_include include = { .place = item->place, .times = item->value };

    if (!room(b, &c->includes, &c->include_room, c->include_count, sizeof *c->includes))
        return;
    text_cut(&include.times, ',', &include.name);
    include.name = text_trim(include.name);
    c->includes[c->include_count++] = include;
}

static void read_line(struct build *b, const struct conf_item *item, bool is_switch)
{
    struct dialplan_context *c = b->context;

    if (!room(b, &c->lines, &c->line_room, c->line_count, sizeof *c->lines))
        return;
    c->lines[c->line_count++] = (struct dialplan_line){ .name = item->name, .value = item->value, .place = item->place };
    c->has_switch |= is_switch;
}

static void read_item(struct build *b, const struct conf_item *item)
{
    if (text_eq_nocase(item->name, TEXT("exten"))) {
        read_exten(b, item);
    } else if (text_starts_nocase(item->name, TEXT("same"))) {
        if (b->extension)
            read_step(b, item, item->value);
        else
            problem(b, DIALPLAN_SKIPPED, item->place, "\"same\" before any \"exten\" in this section");
    } else if (text_eq_nocase(item->name, TEXT("include"))) {
        read_include(b, item);
    } else if (text_eq_nocase(item->name, TEXT("switch")) || text_eq_nocase(item->name, TEXT("lswitch")) ||
               text_eq_nocase(item->name, TEXT("eswitch"))) {
        read_line(b, item, true);
    } else if (text_eq_nocase(item->name, TEXT("ignorepat"))) {
        read_line(b, item, false);
    } else if (!text_eq_nocase(item->name, TEXT("autohints"))) {
        problem(b, DIALPLAN_SKIPPED, item->place, "no directive of a context: Asterisk ignores the line");
    }
}

static bool is_context(const struct conf_section *s)
{
    return !s->is_template && !text_eq_nocase(s->name, TEXT("general")) && !text_eq_nocase(s->name, TEXT("globals"));
}

static void link_includes(struct dialplan *d)
{
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->include_count; k++) {
            struct dialplan_include *include = d->contexts[i]->includes + k;

            include->target = dialplan_context_of(d, include->name);
        }
}

int dialplan_build(struct dialplan **out, struct arena *memory, const struct conf *c)
{
    struct build b = { .c = c };

    b.d = arena_take(memory, sizeof *b.d);
    if (!b.d)
        return -ENOMEM;
    b.d->memory = memory;
    for (size_t i = 0; !b.err && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        if (!is_context(s))
            continue;
        b.context = context_make(&b, s);
        b.extension = NULL;
        b.last = NONE;
        for (size_t k = 0; !b.err && k < s->count; k++)
            read_item(&b, s->items + k);
    }
    if (b.err)
        return b.err;
    link_includes(b.d);
    *out = b.d;
    return 0;
}
