/* Puts nodes in layers, orders each layer so that few edges cross, and gives every node its place. */
#include "audit/graph.h"

#include <errno.h>
#include <stdlib.h>

enum { SWEEPS = 12, COLUMN_MAX = 14 };

struct layout {
    struct graph *g;
    size_t *nodes;                 /* the drawn ones, by layer, then in order */
    size_t count;
    double *wish;                  /* of each drawn one: where its neighbours are */
    unsigned char *colour;         /* 0 not met, 1 on the way, 2 done */
    unsigned char *is_back;        /* of each edge: it closes a circle */
};

/* Depth first; at most GRAPH_NODES_MAX deep. */
static void visit(struct layout *l, size_t node)
{
    l->colour[l->g->nodes[node].drawn] = 1;
    for (size_t i = 0; i < l->g->edges_drawn; i++) {
        const struct graph_edge *const e = &l->g->edges[i];

        if (e->from != node)
            continue;
        if (l->colour[l->g->nodes[e->to].drawn] == 1)
            l->is_back[i] = 1;
        else if (l->colour[l->g->nodes[e->to].drawn] == 0)
            visit(l, e->to);
    }
    l->colour[l->g->nodes[node].drawn] = 2;
}

/* Ways begin where outsiders enter, then where nothing leads to, then anywhere. */
static void find_circles(struct layout *l)
{
    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < l->count; i++) {
            bool is_target = false;

            for (size_t k = 0; k < l->g->edges_drawn; k++)
                is_target |= l->g->edges[k].to == l->nodes[i];
            if (l->colour[i] == 0 && (pass == 2 || (pass == 1 && !is_target) || (pass == 0 && l->g->nodes[l->nodes[i]].entry)))
                visit(l, l->nodes[i]);
        }
}

/* Each node stands one layer behind the last that leads to it; trunks behind all. */
static void find_layers(struct layout *l)
{
    struct graph *const g = l->g;
    int last = 0;

    for (size_t round = 0; round < l->count; round++)
        for (size_t i = 0; i < g->edges_drawn; i++) {
            const int behind = g->nodes[g->edges[i].from].layer + 1;

            if (!l->is_back[i] && g->nodes[g->edges[i].to].layer < behind)
                g->nodes[g->edges[i].to].layer = behind;
        }
    for (size_t i = 0; i < l->count; i++)
        if (g->nodes[l->nodes[i]].layer > last)
            last = g->nodes[l->nodes[i]].layer;
    for (size_t i = 0; i < l->count; i++)
        if (!g->nodes[l->nodes[i]].context)
            g->nodes[l->nodes[i]].layer = last;
}

/* What nothing leads to stands right before what it leads to, unless callers enter there. */
static void pull_beginnings(struct layout *l)
{
    struct graph *const g = l->g;

    for (size_t i = 0; i < l->count; i++) {
        struct graph_node *const n = &g->nodes[l->nodes[i]];
        int first = 0;

        for (size_t k = 0; k < g->edges_drawn; k++) {
            const int to = g->nodes[g->edges[k].to].layer;

            if (g->edges[k].from == l->nodes[i] && (!first || to < first))
                first = to;
        }
        if (n->layer == 0 && first > 1 && !n->entry)
            n->layer = first - 1;
    }
}

/* The end of the layer that begins at from. */
static size_t layer_end(const struct layout *l, size_t from)
{
    size_t to = from;

    while (to < l->count && l->g->nodes[l->nodes[to]].layer == l->g->nodes[l->nodes[from]].layer)
        to++;
    return to;
}

/* A layer that is too tall goes on in the next column; what stands behind moves on, too. */
static void split_tall_layers(struct layout *l)
{
    int shift = 0;

    for (size_t from = 0, to; from < l->count; from = to) {
        to = layer_end(l, from);
        for (size_t i = from; i < to; i++)
            l->g->nodes[l->nodes[i]].layer += shift + (int)((i - from) / COLUMN_MAX);
        shift += (int)((to - from - 1) / COLUMN_MAX);
    }
}

static void sort_range(struct layout *l, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++)
        for (size_t k = i; k > from && l->wish[l->g->nodes[l->nodes[k]].drawn] < l->wish[l->g->nodes[l->nodes[k - 1]].drawn]; k--) {
            const size_t other = l->nodes[k];

            l->nodes[k] = l->nodes[k - 1];
            l->nodes[k - 1] = other;
        }
}

static void sort_by_layer(struct layout *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->wish[i] = l->g->nodes[l->nodes[i]].layer;
    sort_range(l, 0, l->count);
}

/* The middle of a column is 0. */
static double position(const struct layout *l, size_t i, size_t from, size_t to)
{
    (void)l;
    return (double)(i - from) - (double)(to - from - 1) / 2;
}

/* Barycentres: every node wishes to stand where its neighbours on that side are. */
static void sweep(struct layout *l, bool looks_back, double *at)
{
    struct graph *const g = l->g;

    for (size_t from = 0, to; from < l->count; from = to) {
        to = layer_end(l, from);
        for (size_t i = from; i < to; i++)
            at[g->nodes[l->nodes[i]].drawn] = position(l, i, from, to);
    }
    for (size_t from = 0, to; from < l->count; from = to) {
        to = layer_end(l, from);
        for (size_t i = from; i < to; i++) {
            const struct graph_node *const n = &g->nodes[l->nodes[i]];
            double sum = 0;
            int count = 0;

            for (size_t k = 0; k < g->edges_drawn; k++) {
                const size_t other = g->edges[k].from == l->nodes[i] ? g->edges[k].to : g->edges[k].to == l->nodes[i] ? g->edges[k].from : SIZE_MAX;

                if (other == SIZE_MAX || (looks_back ? g->nodes[other].layer >= n->layer : g->nodes[other].layer <= n->layer))
                    continue;
                sum += at[g->nodes[other].drawn];
                count++;
            }
            l->wish[n->drawn] = count ? sum / count : at[n->drawn];
        }
        sort_range(l, from, to);
        for (size_t i = from; i < to; i++)
            at[g->nodes[l->nodes[i]].drawn] = position(l, i, from, to);
    }
}

static void place(struct layout *l)
{
    struct graph *const g = l->g;
    size_t tallest = 0;
    int last = 0;

    for (size_t from = 0, to; from < l->count; from = to) {
        to = layer_end(l, from);
        tallest = to - from > tallest ? to - from : tallest;
        last = g->nodes[l->nodes[from]].layer;
    }
    g->height = (int)tallest * (GRAPH_NODE_HEIGHT + GRAPH_GAP_Y) - GRAPH_GAP_Y + 2 * GRAPH_MARGIN;
    g->width = (last + 1) * (GRAPH_NODE_WIDTH + GRAPH_GAP_X) - GRAPH_GAP_X + 2 * GRAPH_MARGIN;
    for (size_t from = 0, to; from < l->count; from = to) {
        to = layer_end(l, from);
        for (size_t i = from; i < to; i++) {
            struct graph_node *const n = &g->nodes[l->nodes[i]];

            n->x = GRAPH_MARGIN + n->layer * (GRAPH_NODE_WIDTH + GRAPH_GAP_X);
            n->y = (g->height - GRAPH_NODE_HEIGHT) / 2 + (int)(position(l, i, from, to) * (GRAPH_NODE_HEIGHT + GRAPH_GAP_Y));
        }
    }
}

static int layout_run(struct layout *l)
{
    double *at = calloc(l->count, sizeof *at);

    if (!at)
        return -ENOMEM;
    find_circles(l);
    find_layers(l);
    pull_beginnings(l);
    sort_by_layer(l);
    for (int i = 0; i < SWEEPS; i++)
        sweep(l, i % 2 == 0, at);
    split_tall_layers(l);
    for (int i = 0; i < SWEEPS; i++)
        sweep(l, i % 2 == 0, at);
    place(l);
    free(at);
    return 0;
}

int graph_lay_out(struct graph *g)
{
    struct layout l = { .g = g };
    int err = -ENOMEM;

    if (g->drawn_count == 0)
        return 0;
    l.nodes = calloc(g->drawn_count, sizeof *l.nodes);
    l.wish = calloc(g->drawn_count, sizeof *l.wish);
    l.colour = calloc(g->drawn_count, sizeof *l.colour);
    l.is_back = calloc(g->edges_drawn + 1, sizeof *l.is_back);
    if (l.nodes && l.wish && l.colour && l.is_back) {
        for (size_t i = 0; i < g->node_count; i++)
            if (g->nodes[i].is_drawn) {
                g->nodes[i].drawn = l.count;
                l.nodes[l.count++] = i;
            }
        err = layout_run(&l);
    }
    free(l.nodes);
    free(l.wish);
    free(l.colour);
    free(l.is_back);
    return err;
}
