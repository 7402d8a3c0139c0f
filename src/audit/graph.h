/* How calls flow between contexts: who gets in, which context leads to which, where they leave by a trunk; and where each is drawn.
 * Memory is its own, texts are the dialplan's. Thread: one. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"

enum graph_way { GRAPH_INCLUDE, GRAPH_GOTO, GRAPH_GOSUB, GRAPH_DIAL, GRAPH_WAY_COUNT };

enum {
    GRAPH_NODES_MAX = 60,          /* drawn: more cannot be read */
    GRAPH_EDGES_MAX = 400,
    GRAPH_TRUNKS_MAX = 200,        /* known; those beyond are not told apart */
    GRAPH_NODE_WIDTH = 180, GRAPH_NODE_HEIGHT = 34, GRAPH_GAP_X = 90, GRAPH_GAP_Y = 18, GRAPH_MARGIN = 24
};

struct graph_node {
    const struct dialplan_context *context; /* NULL: a trunk */
    struct text name;
    const char *entry;             /* why outsiders get in here; NULL: they do not */
    bool is_fraud;                 /* on a way from outside to a trunk that rule ST210 found */
    bool has_edge, is_drawn;
    size_t errors, warnings;       /* findings on its lines that count */
    size_t drawn;                  /* which of the drawn ones */
    int layer, x, y;               /* of its left upper corner; drawn ones only */
};

struct graph_edge {
    size_t from, to;               /* nodes */
    enum graph_way way;
    size_t count;                  /* lines that say so */
    struct conf_place place;       /* the first of them */
    bool is_fraud;
};

struct graph {
    struct graph_node *nodes;      /* contexts as in the dialplan, then trunks */
    size_t node_count, context_count, lone_count; /* lone: contexts without an edge, an entry or an error; not drawn */
    struct graph_edge *edges;
    size_t edge_count, edge_room;
    size_t drawn_count, edges_drawn; /* the first edges_drawn of edges are between drawn nodes, the most important first */
    int width, height;
};

/* The audit must have run; without a dialplan the graph is empty. 0 or -ENOMEM. */
int graph_make(struct graph **out, const struct audit *a) MUST_USE;
void graph_free(struct graph *g);  /* NULL passes */
const char *graph_way_name(enum graph_way w);

/* graph_layout.c: places what is drawn in layers from left to right. 0 or -ENOMEM. */
int graph_lay_out(struct graph *g) MUST_USE;
