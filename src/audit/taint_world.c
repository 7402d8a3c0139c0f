/* Goes through all extensions until none hands another anything new. */
#include "audit/taint_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/expression.h"
#include "audit/flow.h"

enum { HANDED_MAX = 24, ARGUMENTS_MAX = 9, DYNAMIC_MAX = 64, ROUNDS_MAX = 8, SCRATCH_MAX = 64 << 20 };

/* One extension: what it is handed, what it leaves behind at Return, and who calls it. */
struct entry {
    struct taint_name *handed, *left;
    size_t handed_count, handed_room, left_count, left_room;
    size_t *callers;
    size_t caller_count, caller_room;
    bool is_queued;
};

struct taint_world {
    const struct dialplan *d;
    struct arena *memory, *scratch;
    struct entry *entries;         /* by number of the extension */
    const struct dialplan_extension **extensions;
    size_t *queue;                 /* a ring: each extension is in it at most once */
    size_t queue_head, queue_count, count;
    struct taint_name globals[TAINT_NAMES_MAX];
    size_t global_count;
    bool is_global_new;
};

static void queue(struct taint_world *w, size_t number)
{
    if (w->entries[number].is_queued)
        return;
    w->entries[number].is_queued = true;
    w->queue[(w->queue_head + w->queue_count++) % w->count] = number;
}

/* Grows in the arena; false: no memory. */
static bool room(struct arena *memory, void *table, size_t *cap, size_t used, size_t size)
{
    void **p = table, *bigger;
    const size_t want = *cap ? *cap * 2 : 4;

    if (used < *cap)
        return true;
    bigger = arena_take(memory, want * size);
    if (!bigger)
        return false;
    if (used)
        memcpy(bigger, *p, used * size);
    *p = bigger;
    *cap = want;
    return true;
}

/* The worse of the two stays. *is_new: something rose. via: the step that hands it over; NULL: as it is. */
static int join(struct taint_world *w, struct taint_name **names, size_t *count, size_t *cap, struct taint_name n, const struct dialplan_step *via,
                bool *is_new)
{
    struct taint_name *old = (struct taint_name *)taint_name_of(*names, *count, n.name);
    struct taint_origin *origin;

    if (!n.level || (old && old->level >= n.level) || (!old && *count >= HANDED_MAX))
        return 0;
    if (via) {
        origin = arena_take(w->memory, sizeof *origin);
        if (!origin)
            return -ENOMEM;
        *origin = (struct taint_origin){ .step = via, .before = n.origin };
        n.origin = origin;
    }
    if (!old && !room(w->memory, names, cap, *count, sizeof **names))
        return -ENOMEM;
    if (!old)
        old = *names + (*count)++;
    *old = n;
    *is_new = true;
    return 0;
}

static int hand(struct taint_world *w, const struct dialplan_extension *to, struct taint_name n, const struct dialplan_step *via)
{
    struct entry *e = w->entries + to->number;
    bool is_new = false;
    int err;

    n.is_own = false;
    err = join(w, &e->handed, &e->handed_count, &e->handed_room, n, via, &is_new);
    if (is_new)
        queue(w, to->number);
    return err;
}

/* ---- Gosub ---- */

/* "context,extension,1(first,second)": what stands between the brackets that belong to no ${}. */
static struct text arguments_of(struct text written)
{
    int depth = 0;
    ptrdiff_t close;

    for (size_t i = 0; i < written.n; i++) {
        depth += (written.p[i] == '{') - (written.p[i] == '}');
        if (written.p[i] != '(' || depth)
            continue;
        written = text_skip(written, i + 1);
        close = text_rfind(written, ')');
        return close < 0 ? written : text_head(written, (size_t)close);
    }
    return TEXT_NONE;
}

static bool is_macro(const struct dialplan_step *s)
{
    return flow_is(s->app, "Macro");
}

static bool is_routine(const struct dialplan_step *s)
{
    return flow_is(s->app, "Gosub") || flow_is(s->app, "GosubIf") || is_macro(s);
}

static int hand_arguments(struct taint_world *w, const struct taint_state *s, const struct dialplan_extension *to, struct text args,
                          const struct dialplan_step *via)
{
    static const char *const names[ARGUMENTS_MAX] = { "ARG1", "ARG2", "ARG3", "ARG4", "ARG5", "ARG6", "ARG7", "ARG8", "ARG9" };
    struct text one;
    int err = 0;

    for (size_t i = 0; !err && i < ARGUMENTS_MAX && args.p && expression_cut(&args, ',', &one); i++) {
        struct taint_value v;

        err = taint_read(s, w->scratch, one, &v);
        if (!err)
            err = hand(w, to, (struct taint_name){ .name = text_of(names[i]), .level = v.level, .origin = v.origin }, via);
    }
    return err;
}

static int remember_caller(struct taint_world *w, const struct dialplan_extension *to, size_t caller)
{
    struct entry *e = w->entries + to->number;

    for (size_t i = 0; i < e->caller_count; i++)
        if (e->callers[i] == caller)
            return 0;
    if (e->caller_count >= DYNAMIC_MAX)
        return 0;
    if (!room(w->memory, &e->callers, &e->caller_room, e->caller_count, sizeof *e->callers))
        return -ENOMEM;
    e->callers[e->caller_count++] = caller;
    return 0;
}

static bool is_argument(struct text name)
{
    return text_starts(name, TEXT("ARG")) && name.n == 4;
}

/* ---- one extension ---- */

static int hand_over(struct taint_world *w, const struct taint_state *s, const struct dialplan_step *step, const struct flow_target *t,
                     const struct dialplan_extension *to)
{
    const bool is_call = is_routine(step), is_other_channel = t->returns && !is_call;
    struct text args = step->args, name;
    int err = 0;

    if (to == s->extension && !is_call)
        return 0; /* a jump within: its steps are gone through anyway */
    for (size_t i = 0; !err && i < s->count; i++)
        if ((s->names[i].is_inherited || !is_other_channel) && !(is_call && is_argument(s->names[i].name)))
            err = hand(w, to, s->names[i], step);
    if (is_macro(step))
        expression_cut(&args, ',', &name);
    else
        args = arguments_of(t->written);
    if (!err && is_call)
        err = hand_arguments(w, s, to, args, step);
    return !err && is_call ? remember_caller(w, to, s->extension->number) : err;
}

static int leave_step(struct taint_world *w, const struct taint_state *s, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const size_t n = flow_targets(w->d, step, targets);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct flow_target *t = targets + i;

        if (t->state == FLOW_FOUND)
            err = hand_over(w, s, step, t, t->extension);
        else if (t->state == FLOW_DYNAMIC && t->context && t->is_named && t->context->extension_count <= DYNAMIC_MAX)
            for (size_t k = 0; !err && k < t->context->extension_count; k++)
                err = hand_over(w, s, step, t, t->context->extensions[k]);
    }
    return err;
}

static int leave_routine(struct taint_world *w, const struct taint_state *s, const struct dialplan_step *step)
{
    struct entry *e = w->entries + s->extension->number;
    struct taint_value v;
    bool is_new = false;
    int err = taint_read(s, w->scratch, step->args, &v);

    if (!err)
        err = join(w, &e->left, &e->left_count, &e->left_room,
                   (struct taint_name){ .name = TEXT("GOSUB_RETVAL"), .level = v.level, .origin = v.origin }, step, &is_new);
    for (size_t i = 0; !err && i < s->count; i++)
        if (s->names[i].is_own && !is_argument(s->names[i].name))
            err = join(w, &e->left, &e->left_count, &e->left_room, s->names[i], NULL, &is_new);
    for (size_t i = 0; is_new && i < e->caller_count; i++)
        queue(w, e->callers[i]);
    return err;
}

static int note_globals(struct taint_world *w, const struct taint_state *s, const struct dialplan_step *step)
{
    struct text name = step->args;
    const struct taint_name *n;
    struct taint_name *old;
    ptrdiff_t close;

    if (!flow_is(step->app, "Set") && !flow_is(step->app, "MSet"))
        return 0;
    if (text_starts(name, TEXT("DB("))) {
        name = taint_family(name);
    } else if (text_starts(name, TEXT("GLOBAL("))) {
        name = text_skip(name, 7);
        close = text_find(name, ')');
        name = text_trim(text_head(name, close < 0 ? name.n : (size_t)close));
    } else {
        return 0;
    }
    n = taint_name_of(s->names, s->count, name);
    old = (struct taint_name *)taint_name_of(w->globals, w->global_count, name);
    if (!n || !n->level || (old && old->level >= n->level) || (!old && w->global_count == TAINT_NAMES_MAX))
        return 0;
    if (!old)
        old = w->globals + w->global_count++;
    *old = *n;
    w->is_global_new = true;
    return 0;
}

static int go_through(struct taint_world *w, const struct dialplan_extension *e)
{
    struct taint_state s;
    int err = 0;

    taint_begin(&s, w, e);
    for (size_t i = 0; !err && i < e->step_count; i++) {
        const struct dialplan_step *step = e->steps + i;

        err = leave_step(w, &s, step);
        if (!err && flow_is(step->app, "Return"))
            err = leave_routine(w, &s, step);
        if (!err)
            err = taint_after(&s, w->memory, w->scratch, step);
        if (!err)
            err = note_globals(w, &s, step);
    }
    arena_reset(w->scratch);
    return err;
}

static int run(struct taint_world *w)
{
    int err = 0;

    for (unsigned round = 0; !err && round < ROUNDS_MAX; round++) {
        w->is_global_new = false;
        for (size_t i = 0; i < w->count; i++)
            queue(w, i);
        while (!err && w->queue_count) {
            const size_t number = w->queue[w->queue_head];

            w->queue_head = (w->queue_head + 1) % w->count;
            w->queue_count--;
            w->entries[number].is_queued = false;
            err = go_through(w, w->extensions[number]);
        }
        if (!w->is_global_new)
            break;
    }
    return err;
}

static int make(struct taint_world **out, struct audit *a)
{
    const struct dialplan *d = a->dialplan;
    struct taint_world *w = arena_take(a->memory, sizeof *w);
    const size_t n = d->extension_count;

    if (!w)
        return -ENOMEM;
    w->d = d;
    w->memory = a->memory;
    w->count = n;
    w->entries = arena_take(a->memory, (n + 1) * sizeof *w->entries);
    w->extensions = arena_take(a->memory, (n + 1) * sizeof *w->extensions);
    w->queue = arena_take(a->memory, (n + 1) * sizeof *w->queue);
    if (!w->entries || !w->extensions || !w->queue)
        return -ENOMEM;
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++)
            w->extensions[d->contexts[i]->extensions[k]->number] = d->contexts[i]->extensions[k];
    *out = w;
    return 0;
}

int taint_world_of(const struct taint_world **out, struct audit *a)
{
    struct taint_world *w;
    int err;

    if (!a->taint) {
        err = make(&w, a);
        if (!err)
            err = arena_new(&w->scratch, SCRATCH_MAX);
        if (err)
            return err;
        if (w->count)
            err = run(w);
        arena_free(w->scratch);
        w->scratch = NULL;
        if (err)
            return err;
        a->taint = w;
    }
    *out = a->taint;
    return 0;
}

/* ---- for readers ---- */

static const char *deed_of(const struct dialplan_step *s)
{
    if (is_routine(s))
        return "is handed to a subroutine";
    if (flow_is(s->app, "Return"))
        return "comes back from the subroutine";
    if (text_starts_nocase(s->app, TEXT("Goto")))
        return "goes along with a jump";
    if (text_starts(text_trim(s->args), TEXT("DB(")))
        return "the caller's value is kept in Asterisk's database";
    return flow_is(s->app, "Set") || flow_is(s->app, "MSet") || flow_is(s->app, "ExecIf") ? "the caller's value is put into a variable"
                                                                                          : "goes along to another channel";
}

size_t taint_way(const struct taint_value *v, struct audit_step *out, size_t room)
{
    size_t n = 0, i = 0;

    for (const struct taint_origin *o = v->origin; o && n < room; o = o->before)
        n++;
    for (const struct taint_origin *o = v->origin; i < n; o = o->before, i++)
        out[n - 1 - i] = (struct audit_step){ .place = o->step->place, .text = deed_of(o->step) };
    return n;
}

void taint_world_enter(const struct taint_world *w, struct taint_state *s)
{
    const struct entry *e = w->entries + s->extension->number;

    for (size_t i = 0; i < e->handed_count; i++)
        taint_keep(s, e->handed[i]);
}

void taint_world_return(const struct taint_world *w, struct taint_state *s, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const size_t n = flow_targets(w->d, step, targets);

    for (size_t i = 0; i < n; i++) {
        const struct entry *e = targets[i].state == FLOW_FOUND ? w->entries + targets[i].extension->number : NULL;

        for (size_t k = 0; e && targets[i].returns && k < e->left_count; k++)
            taint_keep(s, e->left[k]);
    }
}

const struct taint_name *taint_world_global(const struct taint_world *w, struct text name)
{
    return taint_name_of(w->globals, w->global_count, name);
}
