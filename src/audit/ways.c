/* Walks from the ways in through all contexts that can be reached. */
#include "audit/ways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/expression.h"
#include "audit/fitting.h"
#include "audit/taint_world.h"

enum { WAY_MAX = 32, TEXT_MAX = 160, SEEN_NOT = 0, SEEN = 1, SEEN_FIXED = 2, SCRATCH_MAX = 16 << 20, STACK_MAX = 512 };

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

/* A subroutine is gone into twice at most: first with arguments that are fixed, then with others. */
static void node_add_one(struct ways *w, const struct dialplan_extension *e, const struct way_node *n)
{
    const unsigned char seen = w->seen_alone[e->number];

    if (w->seen[e->context->number] || seen == SEEN || (seen == SEEN_FIXED && n->is_fixed))
        return;
    w->seen_alone[e->number] = n->is_fixed ? SEEN_FIXED : SEEN;
    w->nodes[w->count] = *n;
    w->nodes[w->count].context = e->context;
    w->nodes[w->count++].extension = e;
}

void ways_taint(const struct ways *w, size_t node, const struct dialplan_extension *e, struct taint_state *out)
{
    static const char *const names[] = { "ARG1", "ARG2", "ARG3", "ARG4", "ARG5", "ARG6", "ARG7", "ARG8", "ARG9" };

    taint_begin(out, w->world, e);
    for (size_t i = 0; w->nodes[node].is_fixed && i < sizeof names / sizeof *names; i++)
        taint_keep(out, (struct taint_name){ .name = text_of(names[i]), .level = TAINT_NONE });
}

/* What is known before the step runs, in w->taint. Steps are asked for in order: each is gone through once. 0 or -ENOMEM. */
static int follow_to(struct ways *w, size_t node, const struct dialplan_step *step)
{
    int err = 0;

    if (w->followed != step->extension || w->followed_node != node || w->followed_to > step) {
        arena_reset(w->stations);
        ways_taint(w, node, step->extension, &w->taint);
        w->followed = step->extension;
        w->followed_node = node;
        w->followed_to = step->extension->steps;
    }
    for (; !err && w->followed_to < step; w->followed_to++) {
        err = taint_after(&w->taint, w->stations, w->scratch, w->followed_to);
        arena_reset(w->scratch);
    }
    return err;
}

/* The worst of what callers decide in that text of the step. 0 or -ENOMEM. */
static int read_at(struct ways *w, size_t node, const struct dialplan_step *step, struct text t, struct taint_value *out)
{
    int err = follow_to(w, node, step);

    if (!err)
        err = taint_read(&w->taint, w->scratch, t, out);
    arena_reset(w->scratch);
    return err;
}

/* Does a caller who comes by this way choose nothing of what the step hands over? *is_fixed on 0, else -ENOMEM. */
static int judge_arguments(struct ways *w, size_t node, const struct dialplan_step *step, bool *is_fixed)
{
    struct taint_value v = { .level = TAINT_NONE };
    int err = 0;

    *is_fixed = flow_is(step->app, "Gosub") || flow_is(step->app, "GosubIf") || flow_is(step->app, "ExecIf");
    if (*is_fixed && !expression_is_plain(step->args))
        err = read_at(w, node, step, step->args, &v);
    *is_fixed &= !v.level;
    return err;
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

/* May a caller who comes by this way choose where the computed jump goes? Not when no caller's value is in it, as far as can be seen: then the
 * plan, its database or a script decides. *may on 0, else -ENOMEM. */
static int judge_choice(struct ways *w, size_t node, const struct dialplan_step *step, const struct flow_target *t, bool *may)
{
    struct taint_value v = { .level = TAINT_TEXT };
    const int err = t->state == FLOW_DYNAMIC ? read_at(w, node, step, t->written, &v) : 0;

    *may = v.level && !taint_is_stored(&v);
    return err;
}

/* Of the context, and of all that it includes, what the running pattern can dial. Asterisk itself looks into STACK_MAX contexts at most (pbx.h). */
static void add_fitting(struct ways *w, const struct dialplan_context *c, const struct dialplan_extension *running, size_t skipped, const struct way_node *n,
                        unsigned depth)
{
    if (!c || w->fits[c->number] || depth >= STACK_MAX)
        return;
    w->fits[c->number] = 1;
    for (size_t i = 0; i < c->extension_count; i++)
        if (fitting_may_match(running, skipped, c->extensions[i]->name))
            node_add_one(w, c->extensions[i], n);
    for (size_t i = 0; i < c->include_count; i++)
        add_fitting(w, c->includes[i].target, running, skipped, n, depth + 1);
}

/* A computed jump: to all of the context; behind a pattern of so many digits, to what they can be. */
static void add_computed(struct ways *w, const struct dialplan_step *step, const struct flow_target *t, const struct way_node *n)
{
    struct text rest = t->written, part[3] = { TEXT_NONE, TEXT_NONE, TEXT_NONE };
    size_t parts = 0, skipped;

    while (parts < 3 && expression_cut(&rest, ',', &part[parts]))
        parts++;
    if (t->state == FLOW_DYNAMIC && t->context && parts >= 2 && !rest.p &&
        fitting_is_bounded(step->extension, text_trim(part[parts - 2]), &skipped)) {
        memset(w->fits, 0, w->audit->dialplan->context_count);
        add_fitting(w, t->context, step->extension, skipped, n, 0);
    } else {
        node_add(w, t->context, n->from, n->place, n->how);
    }
}

static int look_at_target(struct ways *w, size_t node, const struct dialplan_step *step, const struct flow_target *t)
{
    struct way_node n = { .from = node, .place = step->place };
    int err = 0;
    const char *how = t->returns ? "from there a subroutine or a Local channel" : "from there a jump";

    if (t->state == FLOW_FOUND && t->extension != step->extension) {
        n.how = how;
        if (t->returns)
            err = judge_arguments(w, node, step, &n.is_fixed);
        node_add_one(w, t->extension, &n);
    } else if (t->state == FLOW_DYNAMIC || t->state == FLOW_OPEN) {
        bool may;

        err = judge_choice(w, node, step, t, &may);
        n.how = how;
        if (!err && may)
            add_computed(w, step, t, &n);
    }
    return err;
}

static int look_at_step(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_targets(w->audit->dialplan, step, targets), m = flow_calls(step, calls);
    int err = 0;

    (void)self;
    for (size_t i = 0; i < m; i++) {
        look_at_variable(w, node, calls + i);
        look_at_disa(w, node, calls + i);
        if (takes_digits(calls + i))
            node_add(w, step->extension->context, node, step->place, "where he may dial on");
    }
    for (size_t i = 0; !err && i < n; i++)
        err = look_at_target(w, node, step, targets + i);
    return err;
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
    w->followed = NULL;
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
    w.nodes = calloc(a->dialplan->context_count + 2 * a->dialplan->extension_count + 1, sizeof *w.nodes);
    w.seen = calloc(a->dialplan->context_count + 1, 1);
    w.seen_alone = calloc(a->dialplan->extension_count + 1, 1);
    w.fits = calloc(a->dialplan->context_count + 1, 1);
    err = entries && w.nodes && w.seen && w.seen_alone && w.fits ? 0 : -ENOMEM;
    if (!err)
        err = taint_world_of(&w.world, a);
    if (!err)
        err = arena_new(&w.scratch, SCRATCH_MAX);
    if (!err)
        err = arena_new(&w.stations, SCRATCH_MAX);
    count = err ? 0 : outsiders_find(a, entries);
    for (size_t i = 0; !err && i < count; i++) {
        w.entry = entries + i;
        err = walk(&w, self, visit);
    }
    arena_free(w.stations);
    arena_free(w.scratch);
    free(w.fits);
    free(w.seen_alone);
    free(w.seen);
    free(w.nodes);
    free(entries);
    return err;
}
