/* Walks from the ways in through all contexts that can be reached. */
#include "audit/ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/expression.h"

enum { WAY_MAX = 32, TEXT_MAX = 160 };

bool ways_is_gate(const struct dialplan_step *s)
{
    return flow_is(s->app, "Authenticate") || flow_is(s->app, "VMAuthenticate");
}

static void node_add(struct ways *w, const struct dialplan_context *c, size_t from, struct conf_place place, const char *how)
{
    if (!c || w->seen[c->number])
        return;
    w->seen[c->number] = 1;
    w->nodes[w->count++] = (struct way_node){ .context = c, .from = from, .place = place, .how = how };
}

static void node_add_one(struct ways *w, const struct dialplan_extension *e, size_t from, struct conf_place place, const char *how)
{
    if (w->seen[e->context->number] || w->seen_alone[e->number])
        return;
    w->seen_alone[e->number] = 1;
    w->nodes[w->count++] = (struct way_node){ .context = e->context, .extension = e, .from = from, .place = place, .how = how };
}

const struct dialplan_extension *ways_extension(const struct ways *w, size_t node, size_t i)
{
    const struct way_node *n = w->nodes + node;

    if (n->extension)
        return i == 0 ? n->extension : NULL;
    return i < n->context->extension_count ? n->context->extensions[i] : NULL;
}

int ways_each_step(struct ways *w, const struct audit_rule *self, size_t node, ways_visit_step *visit)
{
    const struct dialplan_extension *e;
    int err = 0;

    for (size_t i = 0; !err && (e = ways_extension(w, node, i)) != NULL; i++)
        for (size_t k = 0; !err && k < e->step_count && !ways_is_gate(e->steps + k); k++)
            err = visit(w, self, node, e->steps + k);
    return err;
}

bool ways_has_option(const struct flow_call *c, char letter)
{
    const struct text options = flow_is(c->app, "Dial") ? flow_argument(c->args, 2) : flow_is(c->app, "Queue") ? flow_argument(c->args, 1) : TEXT_NONE;
    int depth = 0;

    for (size_t i = 0; i < options.n; i++) {
        const char o = options.p[i];

        depth += (o == '(' || o == '{') - (o == ')' || o == '}');
        if (depth == 0 && o == letter)
            return true;
    }
    return false;
}

/* The caller dials, and any extension of this context answers. */
static bool takes_digits(const struct flow_call *c)
{
    return flow_is(c->app, "WaitExten") || flow_is(c->app, "BackGround") || ways_has_option(c, 'T');
}

/* Set(__TRANSFER_CONTEXT=here): where a transfer or a forwarded call of this channel goes. */
static void look_at_variable(struct ways *w, size_t node, const struct flow_call *c)
{
    struct text value = c->args, name;

    if ((!flow_is(c->app, "Set") && !flow_is(c->app, "MSet")) || !expression_cut(&value, '=', &name) || !value.p)
        return;
    value = text_trim(value);
    if (text_starts(value, TEXT("$[")) && text_ends(value, TEXT("]"))) /* as AEL writes it */
        value = text_trim(text_make(value.p + 2, value.n - 3));
    name = text_trim(name);
    while (name.n && name.p[0] == '_')
        name = text_skip(name, 1);
    if (text_eq(name, TEXT("TRANSFER_CONTEXT")))
        node_add(w, dialplan_context_of(w->audit->dialplan, text_trim(value)), node, c->step->place, "where a transfer goes");
    else if (text_eq(name, TEXT("FORWARD_CONTEXT")))
        node_add(w, dialplan_context_of(w->audit->dialplan, text_trim(value)), node, c->step->place, "where a phone forwards a call to");
    else if (text_eq(name, TEXT("GOTO_ON_BLINDXFR")) && expression_cut(&value, '^', &name))
        node_add(w, dialplan_context_of(w->audit->dialplan, text_trim(name)), node, c->step->place, "where a transferred call goes on");
}

/* DISA(no-password,context) gives a dial tone; one with a code is a gate. */
static void look_at_disa(struct ways *w, size_t node, const struct flow_call *c)
{
    const struct text code = flow_argument(c->args, 0), context = flow_argument(c->args, 1);

    if (flow_is(c->app, "DISA") && text_eq_nocase(code, TEXT("no-password")))
        node_add(w, dialplan_context_of(w->audit->dialplan, context.n ? context : TEXT("disa")), node, c->step->place, "whose dial tone DISA gives");
}

static void look_at_target(struct ways *w, size_t node, const struct dialplan_step *step, const struct flow_target *t)
{
    const char *how = t->returns ? "from there a subroutine or a Local channel" : "from there a jump";

    if (t->state == FLOW_FOUND && t->extension != step->extension)
        node_add_one(w, t->extension, node, step->place, how);
    else if (t->state == FLOW_DYNAMIC || t->state == FLOW_OPEN)
        node_add(w, t->context, node, step->place, how);
}

static int look_at_step(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_targets(w->audit->dialplan, step, targets), m = flow_calls(step, calls);

    (void)self;
    for (size_t i = 0; i < m; i++) {
        look_at_variable(w, node, calls + i);
        look_at_disa(w, node, calls + i);
        if (takes_digits(calls + i))
            node_add(w, step->extension->context, node, step->place, "where he may dial on");
    }
    for (size_t i = 0; i < n; i++)
        look_at_target(w, node, step, targets + i);
    return 0;
}

static int look_in(struct ways *w, size_t node)
{
    const struct dialplan_context *c = w->nodes[node].context;

    for (size_t i = 0; !w->nodes[node].extension && i < c->include_count; i++)
        node_add(w, c->includes[i].target, node, c->includes[i].place, "which is included");
    return ways_each_step(w, NULL, node, look_at_step);
}

int ways_show(struct ways *w, size_t node, const struct dialplan_step *at, const char *deed)
{
    struct audit_step way[WAY_MAX + 2];
    size_t n = 0, order[WAY_MAX], k = 0;
    char last[TEXT_MAX];

    for (size_t i = node; w->nodes[i].from != SIZE_MAX && k < WAY_MAX; i = w->nodes[i].from)
        order[k++] = i;
    way[n++] = (struct audit_step){ .place = w->entry->place, .text = w->entry->why };
    while (k > 0) {
        k--;
        way[n++] = (struct audit_step){ .place = w->nodes[order[k]].place, .text = w->nodes[order[k]].how };
    }
    snprintf(last, sizeof last, "extension %.*s %s", TEXT_ARG(at->extension->name), deed);
    way[n++] = (struct audit_step){ .place = at->place, .text = last };
    return audit_path(w->audit, way, n);
}

static int walk(struct ways *w, const struct audit_rule *self, ways_visit *visit)
{
    int err = 0;

    w->count = 0;
    memset(w->seen, 0, w->audit->dialplan->context_count);
    memset(w->seen_alone, 0, w->audit->dialplan->extension_count);
    node_add(w, w->entry->context, SIZE_MAX, w->entry->place, "");
    for (size_t i = 0; !err && i < w->count; i++) {
        err = look_in(w, i);
        if (!err)
            err = visit(w, self, i);
    }
    return err;
}

int ways_each(struct audit *a, const struct audit_rule *self, ways_visit *visit)
{
    struct ways w = { .audit = a };
    struct outsider *entries;
    size_t count;
    int err;

    if (!a->dialplan)
        return 0;
    entries = calloc(OUTSIDERS_MAX, sizeof *entries);
    w.nodes = calloc(a->dialplan->context_count + a->dialplan->extension_count + 1, sizeof *w.nodes);
    w.seen = calloc(a->dialplan->context_count + 1, 1);
    w.seen_alone = calloc(a->dialplan->extension_count + 1, 1);
    err = entries && w.nodes && w.seen && w.seen_alone ? 0 : -ENOMEM;
    count = err ? 0 : outsiders_find(a, entries);
    for (size_t i = 0; !err && i < count; i++) {
        w.entry = entries + i;
        err = walk(&w, self, visit);
    }
    free(w.seen_alone);
    free(w.seen);
    free(w.nodes);
    free(entries);
    return err;
}
