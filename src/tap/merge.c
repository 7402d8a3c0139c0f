/* Puts the events of many nodes into one order: a queue for each node, and the oldest head goes when no other node can still send an older one. */
#include "tap/merge.h"

#include <stdlib.h>

#include "tap/node_clock.h"

enum {
    HOLD_US = 30000,
    HELD_MAX = 65536,
    BACK_US = 2000000,          /* our own clock went back by more: it was set */
};

struct node {
    struct tap_event *first, *last;
    int64_t newest_us;          /* order of the last one that came; no later one is older */
    bool is_up;
    struct node_clock clock;
};

struct merge {
    struct merge_options opt;
    struct merge_figures figures;
    int64_t gone_us;            /* order of the youngest that was handed on */
    int64_t now_us;
    struct node nodes[];
};

int merge_new(struct merge **out, const struct merge_options *opt)
{
    struct merge *m;

    if (opt->nodes == 0 || opt->nodes > (SIZE_MAX - sizeof *m) / sizeof *m->nodes)
        return -EINVAL;
    m = calloc(1, sizeof *m + opt->nodes * sizeof *m->nodes);
    if (!m)
        return -ENOMEM;
    m->opt = *opt;
    m->opt.hold_us = opt->hold_us > 0 ? opt->hold_us : HOLD_US;
    m->opt.events_max = opt->events_max ? opt->events_max : HELD_MAX;
    m->gone_us = INT64_MIN;
    for (size_t i = 0; i < opt->nodes; i++)
        m->nodes[i].newest_us = INT64_MIN;
    *out = m;
    return 0;
}

void merge_free(struct merge *m)
{
    struct tap_event *e;

    for (size_t i = 0; m && i < m->opt.nodes; i++)
        while ((e = m->nodes[i].first)) {
            m->nodes[i].first = e->next;
            tap_event_free(e);
        }
    free(m);
}

/* ---- clocks ---- */

void merge_clock_sample(struct merge *m, uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us)
{
    INVARIANT(node < m->opt.nodes);
    node_clock_add(&m->nodes[node].clock, sent_us, got_us, node_us);
}

void merge_clock_of(const struct merge *m, uint32_t node, struct merge_clock *out)
{
    const struct node_clock *c;

    INVARIANT(node < m->opt.nodes);
    c = &m->nodes[node].clock;
    *out = (struct merge_clock){ .samples = c->seen };
    if (!node_clock_is_known(c))
        return;
    out->is_known = true;
    out->offset_us = node_clock_offset(c, m->now_us > c->at_us ? m->now_us : c->at_us);
    out->drift_ppm = c->drift * 1e6;
    out->error_us = c->error_us;
}

/* ---- putting ---- */

static bool is_note(const struct tap_event *e)
{
    return e->kind != TAP_EVENT && e->kind != TAP_FORGED;
}

/* By our clock. Nothing was emitted after it arrived: a node's clock that jumped ahead cannot carry its events away. */
static int64_t emitted(const struct node *n, const struct tap_event *e)
{
    int64_t at;

    if (e->emit_us == TAP_NO_TIME || is_note(e) || !node_clock_is_known(&n->clock))
        return e->recv_us;
    at = e->emit_us - node_clock_offset(&n->clock, e->recv_us);
    return at < e->recv_us ? at : e->recv_us;
}

/* Our own clock was set back: what was seen by the clock before says nothing about what comes. */
static void look_at_clock(struct merge *m, int64_t now_us)
{
    if (m->now_us > now_us && m->now_us - now_us > BACK_US) {
        m->gone_us = INT64_MIN;
        for (size_t i = 0; i < m->opt.nodes; i++)
            m->nodes[i].newest_us = INT64_MIN;
    }
    m->now_us = now_us;
}

void merge_put(struct merge *m, struct tap_event *e, int64_t now_us)
{
    struct node *n;

    INVARIANT(e->node < m->opt.nodes);
    n = &m->nodes[e->node];
    look_at_clock(m, now_us);
    e->order_us = emitted(n, e);
    if (e->order_us < n->newest_us)
        e->order_us = n->newest_us;
    n->newest_us = e->order_us;
    if (m->opt.nodes > 1 && e->order_us < m->gone_us) {
        e->flags |= TAP_LATE;
        m->figures.late++;
    }
    e->next = NULL;
    if (n->first)
        n->last->next = e;
    else
        n->first = e;
    n->last = e;
    m->figures.held++;
}

void merge_node_up(struct merge *m, uint32_t node, bool is_up)
{
    INVARIANT(node < m->opt.nodes);
    m->nodes[node].is_up = is_up;
}

/* ---- taking ---- */

/* The node whose head is the oldest; NULL: nothing is held. *silent_us: up to where the nodes that are up and have nothing here are known. */
static struct node *oldest(struct merge *m, int64_t *silent_us)
{
    struct node *best = NULL;

    *silent_us = INT64_MAX;
    for (size_t i = 0; i < m->opt.nodes; i++) {
        struct node *n = &m->nodes[i];

        if (n->first) {
            if (!best || n->first->order_us < best->first->order_us)
                best = n;
        } else if (n->is_up && n->newest_us < *silent_us) {
            *silent_us = n->newest_us;
        }
    }
    return best;
}

/* Nothing older can come: all others have shown younger ones, or have had their time, or younger ones have gone already.
 * A head far ahead of now is of the time before our clock was set back. */
static bool may_go(const struct merge *m, const struct tap_event *e, int64_t silent_us)
{
    return e->order_us <= silent_us || e->order_us <= m->gone_us || e->order_us + m->opt.hold_us <= m->now_us ||
           e->order_us - m->opt.hold_us > m->now_us;
}

struct tap_event *merge_take(struct merge *m, int64_t now_us)
{
    int64_t silent_us;
    struct node *n;
    struct tap_event *e;

    look_at_clock(m, now_us);
    n = oldest(m, &silent_us);
    if (!n)
        return NULL;
    e = n->first;
    if (!may_go(m, e, silent_us)) {
        if (m->figures.held <= m->opt.events_max)
            return NULL;
        m->figures.forced++;
    }
    if (e->order_us > m->gone_us && e->order_us <= now_us + m->opt.hold_us)
        m->gone_us = e->order_us;
    n->first = e->next;
    e->next = NULL;
    m->figures.held--;
    return e;
}

int64_t merge_next_us(const struct merge *m)
{
    int64_t silent_us;
    const struct node *n = oldest((struct merge *)(uintptr_t)m, &silent_us);

    if (!n)
        return INT64_MAX;
    return may_go(m, n->first, silent_us) || m->figures.held > m->opt.events_max ? m->now_us : n->first->order_us + m->opt.hold_us;
}

void merge_figures_of(const struct merge *m, struct merge_figures *out)
{
    *out = m->figures;
}
