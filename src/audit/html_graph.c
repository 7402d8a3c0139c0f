/* Draws the graph of contexts as SVG. */
#include "audit/html.h"

#include "audit/clean.h"

enum { LABEL_COLUMNS = 22, FIT_WIDTH = 1700 }; /* a drawing up to that width is made to fit; a wider one is scrolled */

/* At most so many columns; what is cut ends with "...". */
static void add_label(struct buf *out, struct text name)
{
    struct text rest = name, shown = name;
    unsigned columns, all = 0;

    while (rest.n && all <= LABEL_COLUMNS) {
        clean_next(&rest, &columns);
        all += columns;
        if (all <= LABEL_COLUMNS - 3)
            shown = text_head(name, name.n - rest.n);
    }
    if (all <= LABEL_COLUMNS) {
        html_add_name(out, name);
        return;
    }
    html_add_name(out, shown);
    buf_add_text(out, TEXT("..."));
}

static void add_marker(struct buf *out, const char *id, const char *class)
{
    buf_addf(out, "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">"
                  "<path class=\"%s\" d=\"M0 0L10 5L0 10z\"/></marker>", id, class);
}

static void add_edge(struct buf *out, const struct audit_report *r, const struct graph *g, const struct graph_edge *e)
{
    const struct graph_node *const a = &g->nodes[e->from], *const b = &g->nodes[e->to];
    const bool is_ahead = b->layer > a->layer, is_beside = b->layer == a->layer;
    const int x1 = is_ahead || is_beside ? a->x + GRAPH_NODE_WIDTH : a->x, y1 = a->y + GRAPH_NODE_HEIGHT / 2;
    const int x2 = is_ahead ? b->x : b->x + GRAPH_NODE_WIDTH, y2 = b->y + GRAPH_NODE_HEIGHT / 2 + (is_ahead ? 0 : 6);
    const int bend = is_beside ? 45 : (x2 - x1) / 2;

    buf_addf(out, "<path class=\"edge %s%s\" marker-end=\"url(#%s)\" d=\"M%d %dC%d %d %d %d %d %d\"><title>", graph_way_name(e->way), e->is_fraud ? " fraud" : "",
             e->is_fraud ? "arrow-fraud" : "arrow", x1, y1, x1 + bend, y1, is_beside ? x2 + bend : x2 - bend, y2, x2, y2);
    html_add_name(out, a->name);
    buf_addf(out, " %s ", graph_way_name(e->way));
    html_add_name(out, b->name);
    buf_add_text(out, TEXT(", "));
    html_add_place(out, r, &e->place);
    if (e->count > 1)
        buf_addf(out, " and %zu more", e->count - 1);
    buf_add_text(out, TEXT("</title></path>\n"));
}

static void add_node(struct buf *out, const struct graph_node *n)
{
    buf_addf(out, "<g class=\"node%s%s%s\"><title>", n->entry ? " entry" : "", n->context ? "" : " trunk", n->is_fraud ? " fraud" : "");
    html_add_name(out, n->name);
    if (n->entry) {
        buf_add_text(out, TEXT(": "));
        html_adds(out, n->entry);
    }
    if (n->context)
        buf_addf(out, "; %zu extensions, %zu errors, %zu warnings", n->context->extension_count, n->errors, n->warnings);
    buf_addf(out, "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>", n->x, n->y, GRAPH_NODE_WIDTH, GRAPH_NODE_HEIGHT,
             n->context ? 6 : GRAPH_NODE_HEIGHT / 2);
    buf_addf(out, "<text x=\"%d\" y=\"%d\">", n->x + 12, n->y + (n->entry || !n->context ? 15 : 22));
    add_label(out, n->name);
    buf_add_text(out, TEXT("</text>"));
    if (n->entry || !n->context)
        buf_addf(out, "<text class=\"tag\" x=\"%d\" y=\"%d\">%s</text>", n->x + 12, n->y + 28, n->context ? "from outside" : "trunk");
    if (n->errors)
        buf_addf(out, "<g class=\"badge\"><circle cx=\"%d\" cy=\"%d\" r=\"9\"/><text x=\"%d\" y=\"%d\">%zu</text></g>", n->x + GRAPH_NODE_WIDTH - 4, n->y + 2,
                 n->x + GRAPH_NODE_WIDTH - 4, n->y + 6, n->errors < 99 ? n->errors : 99);
    buf_add_text(out, TEXT("</g>\n"));
}

static void add_drawing(struct buf *out, const struct audit_report *r, const struct graph *g)
{
    buf_addf(out, "<figure><div class=\"graph\" tabindex=\"0\"><svg id=\"graph\" class=\"%s\" xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
                  "aria-label=\"How calls flow between contexts\"><defs>", g->width <= FIT_WIDTH ? "fit" : "wide", g->width, g->height, g->width, g->height);
    add_marker(out, "arrow", "arrow");
    add_marker(out, "arrow-fraud", "arrow fraud");
    buf_add_text(out, TEXT("</defs>\n"));
    for (size_t i = g->edges_drawn; i > 0; i--) /* what matters is drawn last, on top */
        add_edge(out, r, g, &g->edges[i - 1]);
    for (size_t i = 0; i < g->node_count; i++)
        if (g->nodes[i].is_drawn)
            add_node(out, &g->nodes[i]);
    buf_add_text(out, TEXT("</svg></div>\n"));
}

static void add_key(struct buf *out, const char *class, const char *words)
{
    buf_addf(out, "<li><svg width=\"34\" height=\"12\" aria-hidden=\"true\"><path class=\"edge %s\" d=\"M0 6H34\"/></svg>%s</li>", class, words);
}

static void add_legend(struct buf *out, const struct graph *g)
{
    bool has_fraud = false;

    for (size_t i = 0; i < g->edges_drawn; i++)
        has_fraud |= g->edges[i].is_fraud;
    buf_add_text(out, TEXT("<ul class=\"legend\">"));
    add_key(out, "goto", "goes to");
    add_key(out, "gosub", "runs, then comes back");
    add_key(out, "include", "includes");
    add_key(out, "dial", "dials");
    if (has_fraud)
        add_key(out, "fraud", "a way from outside to a trunk, with a number that the caller chooses");
    buf_add_text(out, TEXT("</ul>\n"));
}

/* Names that are not in the drawing: contexts that stand alone, or the others. */
static void add_names(struct buf *out, const struct graph *g, bool wants_lone, size_t all, const char *what)
{
    size_t told = 0;

    if (!all)
        return;
    buf_addf(out, "<details><summary>%zu %s</summary><p class=\"dim\">", all, what);
    for (size_t i = 0; i < g->node_count && told < HTML_NAMES_MAX; i++) {
        const struct graph_node *const n = &g->nodes[i];

        if (n->is_drawn || wants_lone != (!n->has_edge && !n->entry && !n->errors))
            continue;
        if (told++)
            buf_add_text(out, TEXT(", "));
        html_add_name(out, n->name);
    }
    if (all > told)
        buf_addf(out, ", and %zu more", all - told);
    buf_add_text(out, TEXT("</p></details>\n"));
}

void html_graph(struct buf *out, const struct audit_report *r, const struct graph *g)
{
    const size_t left_out = g->node_count - g->lone_count - g->drawn_count;

    if (!g->context_count)
        return;
    buf_add_text(out, TEXT("<section><h2>How calls flow</h2>\n"));
    if (g->drawn_count) {
        add_legend(out, g);
        add_drawing(out, r, g);
        buf_addf(out, "<figcaption>%zu of %zu contexts and trunks are drawn%s", g->drawn_count, g->node_count,
                 left_out ? ": ways from outside to trunks first, then ways in, trunks, and what has errors or many ways" : "");
        buf_addf(out, ". Jumps whose target only shows in a call are not in it.</figcaption></figure>\n");
    }
    add_names(out, g, false, left_out, "contexts and trunks are left out");
    add_names(out, g, true, g->lone_count, g->lone_count == 1 ? "context stands alone" : "contexts stand alone");
    buf_add_text(out, TEXT("</section>\n"));
}
