/* Follows what a caller sends to the places where it does harm, for the rules that name such a place. */
#include "audit/rules/injection.h"

#include <errno.h>
#include <stdio.h>

#include "audit/expression.h"
#include "audit/taint_world.h"

enum { CALL_MAX = 32, WAY_MAX = 16 };

struct search {
    struct audit *audit;
    const struct audit_rule *rule;
    const struct injection *injection;
    const struct taint_world *world;
    struct taint_state taint;
    char call[CALL_MAX];           /* "SHELL(": what a text must hold before it is parsed */
};

static int report(const struct search *s, const struct dialplan_step *step, const struct taint_value *v, struct text where)
{
    struct audit_step way[WAY_MAX + 1];
    const size_t n = taint_way(v, way, WAY_MAX);
    const bool is_stored = taint_is_stored(v);
    const int err = audit_find(s->audit, s->rule, step->place, "%.*s comes from %s and %s %.*s", TEXT_ARG(v->source),
                               is_stored ? "whoever dialled a feature code" : "the caller", s->injection->does, TEXT_ARG(where));

    if (!err && is_stored && s->rule->severity == AUDIT_ERROR)
        audit_weigh(s->audit, AUDIT_WARNING); /* people of the house */
    if (err || n == 0 || (n == 1 && v->origin->step == step))
        return err;
    way[n] = (struct audit_step){ .place = step->place, .text = "and is used here" };
    return audit_path(s->audit, way, n + 1);
}

/* "^{NAME}" of MixMonitor's command is "${NAME}" when the recording ends (app_mixmonitor.c of 22.10.1). */
static struct text with_dollars(struct arena *memory, struct text t)
{
    char *copy;

    if (text_find_text(t, TEXT("^{")) < 0)
        return t;
    copy = arena_text(memory, t);
    for (size_t i = 0; copy && i + 1 < t.n; i++)
        if (copy[i] == '^' && copy[i + 1] == '{')
            copy[i] = '$';
    return copy ? text_make(copy, t.n) : TEXT_NONE;
}

static int look_into(const struct search *s, const struct dialplan_step *step, struct text t, struct text where)
{
    const struct text text = flow_is(where, "MixMonitor") ? with_dollars(s->audit->memory, t) : t;
    struct taint_value v;
    const int err = t.p && !text.p ? -ENOMEM : taint_read(&s->taint, s->audit->memory, text, &v);

    return err || v.level != TAINT_TEXT ? err : report(s, step, &v, where);
}

static int look_into_functions(const struct search *s, const struct dialplan_step *step, const struct expression *e)
{
    char where[CALL_MAX + 1];
    int err = 0;

    snprintf(where, sizeof where, "%s)", s->call);
    for (; !err && e; e = e->next) {
        const struct text wanted = text_of(s->injection->function);

        const bool is_it = e->kind == EXPRESSION_FUNCTION && (s->injection->is_prefix ? text_starts(e->name, wanted) : text_eq(e->name, wanted));

        if (is_it && !(s->injection->is_safe && s->injection->is_safe(s->audit, e->name)))
            err = look_into(s, step, e->inside, s->injection->is_prefix ? e->name : text_of(where));
        if (!err)
            err = look_into_functions(s, step, e->parts);
    }
    return err;
}

static int judge(const struct search *s, const struct flow_call *c)
{
    struct expression_fault fault;
    struct expression *tree;
    int err = look_into(s, c->step, s->injection->sink(c), c->app);

    if (err || !s->injection->function || text_find_text(c->args, text_of(s->call)) < 0)
        return err;
    err = expression_parse(&tree, &fault, s->audit->memory, c->args);
    return err ? err : look_into_functions(s, c->step, tree);
}

static int search_extension(struct search *s, const struct dialplan_extension *e)
{
    int err = 0;

    taint_begin(&s->taint, s->world, e);
    for (size_t i = 0; !err && i < e->step_count; i++) {
        struct flow_call calls[FLOW_CALLS_MAX];
        const size_t n = flow_calls(e->steps + i, calls);

        if (flow_is(e->steps[i].app, "ExecIf")) /* its condition comes before what it runs */
            err = taint_look(&s->taint, s->audit->memory, s->audit->memory, e->steps + i);
        for (size_t k = 0; !err && k < n; k++)
            err = judge(s, calls + k);
        if (!err)
            err = taint_after(&s->taint, s->audit->memory, s->audit->memory, e->steps + i);
    }
    return err;
}

int injection_find(struct audit *a, const struct audit_rule *self, const struct injection *j)
{
    const struct dialplan *const d = a->dialplan;
    struct search s = { .audit = a, .rule = self, .injection = j };
    int err = d ? taint_world_of(&s.world, a) : 0;

    if (j->function)
        snprintf(s.call, sizeof s.call, "%s%s", j->function, j->is_prefix ? "" : "(");
    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->extension_count; k++)
            err = search_extension(&s, d->contexts[i]->extensions[k]);
    return err;
}
