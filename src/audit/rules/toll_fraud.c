/* Rule ST210: a way from outside to an outgoing trunk, with the caller's own number. */
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/outsiders.h"
#include "audit/rules.h"
#include "audit/taint.h"
#include "audit/trunk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NODES_MAX = 200000, WAY_MAX = 32, TEXT_MAX = 160 };

/* Contexts are the nodes: whoever is in one can run any of its extensions. */
struct node {
    const struct dialplan_context *context;
    size_t from;                   /* index of the node that led here; SIZE_MAX: the way in */
    struct conf_place place;       /* of the include or the jump */
    const char *how;
};

struct search {
    struct audit *a;
    const struct audit_rule *self;
    const struct outsider *entry;
    struct node *nodes;
    size_t count, room;
};

static int node_add(struct search *s, const struct dialplan_context *c, size_t from, struct conf_place place, const char *how)
{
    if (!c || s->count >= s->room)
        return 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->nodes[i].context == c)
            return 0;
    s->nodes[s->count++] = (struct node){ .context = c, .from = from, .place = place, .how = how };
    return 0;
}

/* The dial string leaves the house: somebody else's number behind a trunk. */
static bool is_trunk(struct text devices)
{
    struct text one;

    while (expression_cut(&devices, '&', &one))
        if (trunk_is(one))
            return true;
    return false;
}

static int report(struct search *s, size_t node, const struct dialplan_step *at, const struct taint_value *v)
{
    struct audit_step way[WAY_MAX + 2];
    char first[TEXT_MAX], last[TEXT_MAX];
    size_t n = 0, order[WAY_MAX], k = 0;
    int err = audit_find(s->a, s->self, at->place, "callers from outside, let in to \"%.*s\", reach this trunk with a number of theirs (%.*s)",
                         TEXT_ARG(s->entry->context->name), TEXT_ARG(v->source));

    if (err)
        return err;
    for (size_t i = node; s->nodes[i].from != SIZE_MAX && k < WAY_MAX; i = s->nodes[i].from)
        order[k++] = i;
    snprintf(first, sizeof first, "%s", s->entry->why);
    way[n++] = (struct audit_step){ .place = s->entry->place, .text = first };
    while (k > 0) {
        k--;
        way[n++] = (struct audit_step){ .place = s->nodes[order[k]].place, .text = s->nodes[order[k]].how };
    }
    snprintf(last, sizeof last, "extension %.*s dials out", TEXT_ARG(at->extension->name));
    way[n++] = (struct audit_step){ .place = at->place, .text = last };
    return audit_path(s->a, way, n);
}

static bool is_gate(const struct dialplan_step *s)
{
    return flow_is(s->app, "Authenticate") || flow_is(s->app, "VMAuthenticate");
}

static int look_at(struct search *s, size_t node, const struct taint_state *t, const struct dialplan_step *step)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_targets(s->a->dialplan, step, targets), m = flow_calls(step, calls);
    int err = 0;

    for (size_t i = 0; !err && i < m; i++) {
        struct taint_value v;

        if (!flow_is(calls[i].app, "Dial") || !is_trunk(flow_argument(calls[i].args, 0)))
            continue;
        err = taint_read(t, s->a->memory, flow_argument(calls[i].args, 0), &v);
        if (!err && v.level)
            err = report(s, node, step, &v);
    }
    for (size_t i = 0; !err && i < n; i++)
        if (targets[i].is_named)
            err = node_add(s, targets[i].context, node, step->place, "from there a jump");
    return err;
}

static int look_in(struct search *s, size_t node)
{
    const struct dialplan_context *c = s->nodes[node].context;
    int err = 0;

    for (size_t i = 0; !err && i < c->include_count; i++)
        err = node_add(s, c->includes[i].target, node, c->includes[i].place, "which is included");
    for (size_t i = 0; !err && i < c->extension_count; i++) {
        const struct dialplan_extension *e = c->extensions[i];
        struct taint_state t;

        taint_begin(&t, e);
        for (size_t k = 0; !err && k < e->step_count && !is_gate(e->steps + k); k++) {
            err = look_at(s, node, &t, e->steps + k);
            if (!err)
                err = taint_after(&t, s->a->memory, e->steps + k);
        }
    }
    return err;
}

static int search_from(struct audit *a, const struct audit_rule *self, const struct outsider *entry, struct node *nodes, size_t room)
{
    struct search s = { .a = a, .self = self, .entry = entry, .nodes = nodes, .room = room };
    int err = node_add(&s, entry->context, SIZE_MAX, entry->place, "");

    for (size_t i = 0; !err && i < s.count; i++)
        err = look_in(&s, i);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct outsider *entries = calloc(OUTSIDERS_MAX, sizeof *entries);
    const size_t count = entries ? outsiders_find(a, entries) : 0;
    const size_t room = a->dialplan && a->dialplan->context_count < NODES_MAX ? a->dialplan->context_count : NODES_MAX;
    struct node *nodes = calloc(room + 1, sizeof *nodes);
    int err = entries && nodes ? 0 : -ENOMEM;

    for (size_t i = 0; !err && i < count; i++)
        err = search_from(a, self, entries + i, nodes, room);
    free(nodes);
    free(entries);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[default]\ninclude => internal\n[internal]\ninclude => out\n[out]\nexten => _9NXXXXXX,1,Dial(PJSIP/${EXTEN:1}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\nexten => s,1,Read(N,enter,12)\n same => n,Goto(out,${N},1)\n[out]\nexten => _X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@itsp,60)\n"
              ";; file pjsip.conf\n[anonymous]\ntype=endpoint\ncontext=in\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\nexten => s,1,Read(N,enter,12)\n same => n,Dial(DAHDI/g1/${N})\n;; file pjsip.conf\n[t]\ntype=endpoint\ncontext=in\n",
      .is_bad = true },
    { .file = "extensions.conf", .text = "[default]\nexten => _9X.,1,Dial(${GLOBAL(TRUNK)}/${FILTER(0-9,${EXTEN:1})})\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => _1XX,1,Dial(PJSIP/${EXTEN})\nexten => 2,1,Dial(PJSIP/+15550100@trunk)\nexten => 3,1,Authenticate(4711)\n"
              " same => n,Goto(out,s,1)\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[office]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n;; file pjsip.conf\n[desk](!)\ntype=endpoint\ncontext=office\n"
              "[100](desk)\nauth=100\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_toll_fraud = {
    .code = "ST210",
    .name = "toll-fraud",
    .severity = AUDIT_ERROR,
    .summary = "People from outside can call out through a trunk, to a number they choose.",
    .why = "Scanners try every open SIP port all day; one that finds a way from the context of strangers to a trunk calls premium numbers until the "
           "money is gone. Includes, jumps, Local channels and options of Dial all count as a way.",
    .fix = "Give strangers a context of their own that includes no outgoing route, and endpoints an auth=; where it must be, ask for a code first: "
           "same => n,Authenticate(/etc/asterisk/codes).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
