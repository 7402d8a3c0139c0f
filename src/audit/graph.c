/* Builds the graph of contexts and chooses what of it is drawn. */
#include "audit/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/outsiders.h"
#include "audit/trunk.h"

struct build {
    struct graph *g;
    const struct audit *a;
    struct where {
        const struct dialplan_context *context;
        size_t node;
    } *where;                      /* by context */
    size_t *last;                  /* edge + 1 that went last to node i by way w: [i * GRAPH_WAY_COUNT + w] */
    struct conf_place *fraud;      /* places of the ways that ST210 found, by file and line */
    size_t fraud_count, trunk_count;
};

const char *graph_way_name(enum graph_way w)
{
    static const char *const names[] = { [GRAPH_INCLUDE] = "include", [GRAPH_GOTO] = "goto", [GRAPH_GOSUB] = "gosub", [GRAPH_DIAL] = "dial" };

    return names[w];
}

/* ---- nodes ---- */

static int compare_where(const void *x, const void *y)
{
    const struct where *a = x, *b = y;

    return (a->context > b->context) - (a->context < b->context);
}

static size_t node_of(const struct build *b, const struct dialplan_context *c)
{
    const struct where key = { .context = c };
    const struct where *const found = bsearch(&key, b->where, b->g->context_count, sizeof *b->where, compare_where);

    return found ? found->node : SIZE_MAX;
}

/* Room for the trunks is there from the start. */
static size_t trunk_of(struct build *b, struct text device)
{
    const struct text name = trunk_name(b->a, device);
    struct graph *const g = b->g;

    for (size_t i = g->context_count; i < g->node_count; i++)
        if (text_eq(g->nodes[i].name, name))
            return i;
    if (b->trunk_count >= GRAPH_TRUNKS_MAX)
        return g->node_count - 1;
    b->trunk_count++;
    g->nodes[g->node_count].name = name;
    return g->node_count++;
}

static int nodes_make(struct build *b)
{
    const struct dialplan *const d = b->a->dialplan;
    struct graph *const g = b->g;
    const size_t n = d->context_count;

    g->nodes = calloc(n + GRAPH_TRUNKS_MAX + 1, sizeof *g->nodes);
    b->where = calloc(n + 1, sizeof *b->where);
    b->last = calloc((n + GRAPH_TRUNKS_MAX + 1) * GRAPH_WAY_COUNT, sizeof *b->last);
    if (!g->nodes || !b->where || !b->last)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        g->nodes[i] = (struct graph_node){ .context = d->contexts[i], .name = d->contexts[i]->name };
        b->where[i] = (struct where){ .context = d->contexts[i], .node = i };
    }
    g->node_count = g->context_count = n;
    if (n)
        qsort(b->where, n, sizeof *b->where, compare_where);
    return 0;
}

static int entries_mark(struct build *b)
{
    struct outsider *entries = calloc(OUTSIDERS_MAX, sizeof *entries);
    const size_t n = entries ? outsiders_find(b->a, entries) : 0;

    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t node = node_of(b, entries[i].context);

        if (node != SIZE_MAX)
            b->g->nodes[node].entry = entries[i].why;
    }
    free(entries);
    return 0;
}

/* ---- toll fraud ---- */

static int compare_places(const void *x, const void *y)
{
    const struct conf_place *a = x, *b = y;
    const int order = strcmp(a->file, b->file);

    return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* A finding that somebody silenced is an accepted way: it is not marked. */
static bool is_fraud_finding(const struct audit_finding *f)
{
    return !f->silenced_by && strcmp(f->rule->code, "ST210") == 0;
}

static int fraud_read(struct build *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->a->finding_count; i++)
        if (is_fraud_finding(&b->a->findings[i]))
            n += b->a->findings[i].path_count;
    b->fraud = calloc(n + 1, sizeof *b->fraud);
    if (!b->fraud)
        return -ENOMEM;
    for (size_t i = 0; i < b->a->finding_count; i++)
        for (size_t k = 0; is_fraud_finding(&b->a->findings[i]) && k < b->a->findings[i].path_count; k++)
            if (b->a->findings[i].path[k].place.file)
                b->fraud[b->fraud_count++] = b->a->findings[i].path[k].place;
    if (b->fraud_count)
        qsort(b->fraud, b->fraud_count, sizeof *b->fraud, compare_places);
    return 0;
}

static bool is_fraud(const struct build *b, const struct conf_place *p)
{
    return b->fraud_count && p->file && bsearch(p, b->fraud, b->fraud_count, sizeof *b->fraud, compare_places);
}

/* ---- edges ---- */

static int edge_add(struct build *b, size_t from, size_t to, enum graph_way way, struct conf_place place)
{
    struct graph *const g = b->g;
    size_t *const last = &b->last[to * GRAPH_WAY_COUNT + way];
    struct graph_edge *e = *last ? &g->edges[*last - 1] : NULL;

    if (!e || e->from != from) {
        if (g->edge_count == g->edge_room) {
            const size_t want = g->edge_room ? g->edge_room * 2 : 64;
            struct graph_edge *bigger = realloc(g->edges, want * sizeof *bigger);

            if (!bigger)
                return -ENOMEM;
            g->edges = bigger;
            g->edge_room = want;
        }
        e = &g->edges[g->edge_count++];
        *e = (struct graph_edge){ .from = from, .to = to, .way = way, .place = place };
        *last = g->edge_count;
        g->nodes[from].has_edge = g->nodes[to].has_edge = true;
    }
    e->count++;
    if (is_fraud(b, &place) && !e->is_fraud) {
        e->is_fraud = g->nodes[from].is_fraud = g->nodes[to].is_fraud = true;
        e->place = place;
    }
    return 0;
}

static int edges_of_trunks(struct build *b, size_t from, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; i < n; i++) {
        struct text devices = flow_argument(calls[i].args, 0), one;

        if (!flow_is(calls[i].app, "Dial"))
            continue;
        while (!err && expression_cut(&devices, '&', &one))
            if (trunk_is(b->a, one))
                err = edge_add(b, from, trunk_of(b, one), GRAPH_DIAL, s->place);
    }
    return err;
}

static int edges_of_step(struct build *b, size_t from, const struct dialplan_step *s)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const size_t n = flow_targets(b->a->dialplan, s, targets);
    int err = edges_of_trunks(b, from, s);

    for (size_t i = 0; !err && i < n; i++) {
        const bool dials = text_starts_nocase(targets[i].written, TEXT("Local/"));
        const size_t to = targets[i].context && targets[i].is_named ? node_of(b, targets[i].context) : SIZE_MAX;

        if (to != SIZE_MAX && to != from)
            err = edge_add(b, from, to, dials ? GRAPH_DIAL : targets[i].returns ? GRAPH_GOSUB : GRAPH_GOTO, s->place);
    }
    return err;
}

static int edges_make(struct build *b)
{
    const struct dialplan *const d = b->a->dialplan;
    int err = 0;

    for (size_t i = 0; !err && i < d->context_count; i++) {
        const struct dialplan_context *const c = d->contexts[i];

        for (size_t k = 0; !err && k < c->include_count; k++)
            if (c->includes[k].target && c->includes[k].target != c)
                err = edge_add(b, i, node_of(b, c->includes[k].target), GRAPH_INCLUDE, c->includes[k].place);
        for (size_t k = 0; k < c->extension_count; k++)
            for (size_t m = 0; !err && m < c->extensions[k]->step_count; m++)
                err = edges_of_step(b, i, &c->extensions[k]->steps[m]);
    }
    return err;
}

/* ---- findings ---- */

struct owned {                     /* a line of a context */
    struct conf_place place;
    size_t node;
};

static int compare_owned(const void *x, const void *y)
{
    const int order = compare_places(x, y);
    const struct owned *a = x, *b = y;

    return order ? order : (a->node > b->node) - (a->node < b->node);
}

static int find_owned(const void *key, const void *x)
{
    return compare_places(key, &((const struct owned *)x)->place);
}

static size_t owned_list(const struct dialplan *d, struct owned *list)
{
    size_t n = 0;

    for (size_t i = 0; i < d->context_count; i++) {
        const struct dialplan_context *const c = d->contexts[i];

        list[n++] = (struct owned){ .place = c->place, .node = i };
        for (size_t k = 0; k < c->include_count; k++)
            list[n++] = (struct owned){ .place = c->includes[k].place, .node = i };
        for (size_t k = 0; k < c->extension_count; k++)
            for (size_t m = 0; m < c->extensions[k]->step_count; m++)
                list[n++] = (struct owned){ .place = c->extensions[k]->steps[m].place, .node = i };
    }
    qsort(list, n, sizeof *list, compare_owned);
    return n;
}

static int findings_count(struct build *b)
{
    const struct dialplan *const d = b->a->dialplan;
    size_t room = d->step_count + d->context_count + 1, n;
    struct owned *list;

    for (size_t i = 0; i < d->context_count; i++) {
        room += d->contexts[i]->include_count;
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++)
            room += d->contexts[i]->extensions[k]->step_count;
    }
    list = calloc(room, sizeof *list);
    if (!list)
        return -ENOMEM;
    n = owned_list(d, list);
    for (size_t i = 0; i < b->a->finding_count; i++) {
        const struct audit_finding *const f = &b->a->findings[i];
        const struct owned *const found = f->silenced_by || !f->place.file || !n ? NULL : bsearch(&f->place, list, n, sizeof *list, find_owned);

        if (found && f->severity == AUDIT_ERROR)
            b->g->nodes[found->node].errors++;
        else if (found && f->severity == AUDIT_WARNING)
            b->g->nodes[found->node].warnings++;
    }
    free(list);
    return 0;
}

/* ---- choice ---- */

struct rank {
    size_t item, weight;
};

static int compare_ranks(const void *x, const void *y)
{
    const struct rank *a = x, *b = y;

    if (a->weight != b->weight)
        return a->weight < b->weight ? 1 : -1;
    return (a->item > b->item) - (a->item < b->item);
}

static size_t node_weight(const struct graph_node *n, size_t degree)
{
    return (n->is_fraud ? 1000000u : 0) + (n->entry ? 500000u : 0) + (n->context ? 0 : 200000u) + (n->errors < 100 ? n->errors : 100) * 1000 +
           (degree < 900 ? degree : 900);
}

static int nodes_choose(struct graph *g)
{
    struct rank *ranks = calloc(g->node_count + 1, sizeof *ranks);
    size_t n = 0;

    if (!ranks)
        return -ENOMEM;
    for (size_t i = 0; i < g->node_count; i++)
        ranks[i].item = i;
    for (size_t i = 0; i < g->edge_count; i++) {
        ranks[g->edges[i].from].weight++;
        ranks[g->edges[i].to].weight++;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const struct graph_node *const node = &g->nodes[i];

        if (!node->has_edge && !node->entry && !node->errors)
            g->lone_count++;
        else
            ranks[n++] = (struct rank){ .item = i, .weight = node_weight(node, ranks[i].weight) };
    }
    if (n)
        qsort(ranks, n, sizeof *ranks, compare_ranks);
    for (size_t i = 0; i < n && i < GRAPH_NODES_MAX; i++) {
        g->nodes[ranks[i].item].is_drawn = true;
        g->drawn_count++;
    }
    free(ranks);
    return 0;
}

static int compare_edges(const void *x, const void *y)
{
    const struct graph_edge *a = x, *b = y;

    if (a->is_fraud != b->is_fraud)
        return a->is_fraud ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return (int)a->way - (int)b->way;
}

static void edges_choose(struct graph *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->edge_count; i++)
        if (g->nodes[g->edges[i].from].is_drawn && g->nodes[g->edges[i].to].is_drawn) {
            const struct graph_edge other = g->edges[n];

            g->edges[n++] = g->edges[i];
            g->edges[i] = other;
        }
    if (n)
        qsort(g->edges, n, sizeof *g->edges, compare_edges);
    g->edges_drawn = n < GRAPH_EDGES_MAX ? n : GRAPH_EDGES_MAX;
}

/* ---- all of it ---- */

static int build_all(struct build *b)
{
    int err = nodes_make(b);

    if (!err)
        err = entries_mark(b);
    if (!err)
        err = fraud_read(b);
    if (!err)
        err = edges_make(b);
    if (!err)
        err = findings_count(b);
    if (!err)
        err = nodes_choose(b->g);
    if (err)
        return err;
    edges_choose(b->g);
    return graph_lay_out(b->g);
}

int graph_make(struct graph **out, const struct audit *a)
{
    struct build b = { .a = a, .g = calloc(1, sizeof *b.g) };
    int err = 0;

    if (!b.g)
        return -ENOMEM;
    if (a->dialplan)
        err = build_all(&b);
    free(b.where);
    free(b.last);
    free(b.fraud);
    if (err) {
        graph_free(b.g);
        return err;
    }
    *out = b.g;
    return 0;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    free(g->nodes);
    free(g->edges);
    free(g);
}
