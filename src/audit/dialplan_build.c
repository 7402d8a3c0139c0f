/* Grows a dialplan: contexts, extensions and steps in tables, found by name. Every reader of a dialplan puts in through here. */
#include "audit/dialplan_build.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { SLOTS_FIRST = 1024, LABELS_FIRST = 4 };

struct dialplan_slot {
    struct dialplan_context *context;
    struct dialplan_extension *extension; /* NULL: the context itself */
};

struct dialplan_label {
    struct text name;              /* p NULL: free */
    unsigned priority;             /* the first of that name */
};

/* ---- tables in the arena: what is outgrown stays until the end, at most as much again ---- */

bool dialplan_room(struct dialplan_build *b, void *table, size_t *cap, size_t used, size_t size)
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

void dialplan_problem_put(struct dialplan_build *b, enum dialplan_fault fault, struct conf_place place, const char *message)
{
    struct dialplan *d = b->d;

    if (dialplan_room(b, &d->problems, &d->problem_room, d->problem_count, sizeof *d->problems))
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

static bool slots_grow(struct dialplan_build *b)
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

struct dialplan_context *dialplan_context_put(struct dialplan_build *b, struct text name, struct conf_place place)
{
    struct dialplan *d = b->d;
    struct dialplan_context *c;
    struct dialplan_slot *slot;

    if (!slots_grow(b) || !dialplan_room(b, &d->contexts, &d->context_room, d->context_count, sizeof *d->contexts))
        return NULL;
    slot = slot_of(d, NULL, name, TEXT_NONE);
    if (slot->context)
        return slot->context;
    c = arena_take(d->memory, sizeof *c);
    if (!c) {
        b->err = -ENOMEM;
        return NULL;
    }
    c->name = name;
    c->place = place;
    c->number = d->context_count;
    slot->context = c;
    d->slots_used++;
    d->contexts[d->context_count++] = c;
    return c;
}

struct dialplan_extension *dialplan_extension_put(struct dialplan_build *b, struct dialplan_context *c, struct text name, struct text caller,
                                                  struct conf_place place)
{
    struct dialplan_extension *e;
    struct dialplan_slot *slot;

    if (!slots_grow(b) || !dialplan_room(b, &c->extensions, &c->extension_room, c->extension_count, sizeof *c->extensions))
        return NULL;
    slot = slot_of(b->d, c, name, caller);
    if (slot->context)
        return slot->extension;
    e = arena_take(b->d->memory, sizeof *e);
    if (!e) {
        b->err = -ENOMEM;
        return NULL;
    }
    *e = (struct dialplan_extension){ .name = name, .caller = caller, .place = place, .context = c, .origin = b->origin };
    e->number = b->d->extension_count++;
    e->is_pattern = text_starts(name, TEXT("_"));
    c->pattern_count += e->is_pattern;
    *slot = (struct dialplan_slot){ .context = c, .extension = e };
    b->d->slots_used++;
    c->extensions[c->extension_count++] = e;
    return e;
}

struct text dialplan_global_of(const struct dialplan *d, struct text name)
{
    for (size_t i = d ? d->global_count : 0; i > 0; i--)
        if (text_eq(d->globals[i - 1].name, name))
            return d->globals[i - 1].value;
    return TEXT_NONE;
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

/* The place of that name, or the free one where it belongs. Some are free always. */
static struct dialplan_label *label_slot(struct dialplan_label *labels, size_t room, struct text name)
{
    size_t i = (size_t)hash_of(NULL, name, TEXT_NONE) & (room - 1);

    while (labels[i].name.p && !text_eq(labels[i].name, name))
        i = (i + 1) & (room - 1);
    return labels + i;
}

const struct dialplan_step *dialplan_label_of(const struct dialplan_extension *e, struct text label)
{
    const struct dialplan_label *l = e->label_room && label.n ? label_slot(e->labels, e->label_room, label) : NULL;

    return l && l->name.p ? dialplan_step_of(e, l->priority) : NULL;
}

static bool labels_grow(struct dialplan_build *b, struct dialplan_extension *e)
{
    const size_t room = e->label_room ? e->label_room * 2 : LABELS_FIRST;
    struct dialplan_label *bigger;

    if (e->label_count * 2 < e->label_room)
        return true;
    bigger = arena_take(b->d->memory, room * sizeof *bigger);
    if (!bigger) {
        b->err = -ENOMEM;
        return false;
    }
    for (size_t i = 0; i < e->label_room; i++)
        if (e->labels[i].name.p)
            *label_slot(bigger, room, e->labels[i].name) = e->labels[i];
    e->labels = bigger;
    e->label_room = room;
    return true;
}

static void label_put(struct dialplan_build *b, struct dialplan_extension *e, const struct dialplan_step *step)
{
    struct dialplan_label *l;

    if (!labels_grow(b, e))
        return;
    l = label_slot(e->labels, e->label_room, step->label);
    if (l->name.p && l->priority < step->priority)
        return;
    e->label_count += !l->name.p;
    *l = (struct dialplan_label){ .name = step->label, .priority = step->priority };
}

/* ---- what readers put in ---- */

void dialplan_step_put(struct dialplan_build *b, struct dialplan_extension *e, struct dialplan_step step)
{
    const struct dialplan_step *same = step.label.n ? dialplan_label_of(e, step.label) : NULL;
    size_t at = e->step_count;

    if (dialplan_step_of(e, step.priority)) {
        dialplan_problem_put(b, DIALPLAN_TWICE, step.place, "this extension already has a step of this priority: Asterisk keeps the first and drops this one");
        return;
    }
    while (at > 0 && e->steps[at - 1].priority > step.priority)
        at--;
    if (same && same <= e->steps + at) { /* main/pbx.c:add_priority looks at the steps before it and at the one behind it */
        dialplan_problem_put(b, DIALPLAN_CUT, step.place, "this label stands in the same extension already: Asterisk keeps the step without it");
        step.label.n = 0;
    }
    step.extension = e;
    if (!dialplan_room(b, &e->steps, &e->step_room, e->step_count, sizeof *e->steps))
        return;
    memmove(e->steps + at + 1, e->steps + at, (e->step_count - at) * sizeof *e->steps);
    e->steps[at] = step;
    e->step_count++;
    b->d->step_count++;
    if (step.label.n)
        label_put(b, e, &step);
}

void dialplan_include_put(struct dialplan_build *b, struct dialplan_context *c, struct dialplan_include include)
{
    if (dialplan_room(b, &c->includes, &c->include_room, c->include_count, sizeof *c->includes))
        c->includes[c->include_count++] = include;
}

void dialplan_line_put(struct dialplan_build *b, struct dialplan_context *c, struct dialplan_line line, bool is_switch)
{
    if (!dialplan_room(b, &c->lines, &c->line_room, c->line_count, sizeof *c->lines))
        return;
    c->lines[c->line_count++] = line;
    c->has_switch |= is_switch;
}

int dialplan_begin(struct dialplan_build *b, struct arena *memory, enum dialplan_origin origin)
{
    *b = (struct dialplan_build){ .d = arena_take(memory, sizeof *b->d), .origin = origin };
    if (!b->d)
        return -ENOMEM;
    b->d->memory = memory;
    return 0;
}

void dialplan_link(struct dialplan *d)
{
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->include_count; k++) {
            struct dialplan_include *include = d->contexts[i]->includes + k;

            include->target = dialplan_context_of(d, include->name);
        }
}
