/* Walks from the ways in through all contexts that can be reached. */
#include "audit/ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/expression.h"
#include "audit/flow.h"

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

/* Set(__TRANSFER_CONTEXT=here): where a transfer or a forwarded call of this channel goes. */
static void look_at_variable(struct ways *w, size_t node, const struct flow_call *c)
{
    struct text value = c->args, name;

    if (!flow_is(c->app, "Set") || !expression_cut(&value, '=', &name) || !value.p)
        return;
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

static void look_at_step(struct ways *w, size_t node, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_targets(w->audit->dialplan, step, targets), m = flow_calls(step, calls);

    for (size_t i = 0; i < m; i++) {
        look_at_variable(w, node, calls + i);
        look_at_disa(w, node, calls + i);
    }
    for (size_t i = 0; i < n; i++)
        if (targets[i].is_named)
            node_add(w, targets[i].context, node, step->place, targets[i].returns ? "from there a subroutine or a Local channel" : "from there a jump");
}

static void look_in(struct ways *w, size_t node)
{
    const struct dialplan_context *c = w->nodes[node].context;

    for (size_t i = 0; i < c->include_count; i++)
        node_add(w, c->includes[i].target, node, c->includes[i].place, "which is included");
    for (size_t i = 0; i < c->extension_count; i++)
        for (size_t k = 0; k < c->extensions[i]->step_count && !ways_is_gate(c->extensions[i]->steps + k); k++)
            look_at_step(w, node, c->extensions[i]->steps + k);
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
    node_add(w, w->entry->context, SIZE_MAX, w->entry->place, "");
    for (size_t i = 0; !err && i < w->count; i++) {
        look_in(w, i);
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
    w.nodes = calloc(a->dialplan->context_count + 1, sizeof *w.nodes);
    w.seen = calloc(a->dialplan->context_count + 1, 1);
    err = entries && w.nodes && w.seen ? 0 : -ENOMEM;
    count = err ? 0 : outsiders_find(a, entries);
    for (size_t i = 0; !err && i < count; i++) {
        w.entry = entries + i;
        err = walk(&w, self, visit);
    }
    free(w.seen);
    free(w.nodes);
    free(entries);
    return err;
}
