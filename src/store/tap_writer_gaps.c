/* When a gap begins and ends, node by node: from the last event before it until the tap knows again which channels exist. */
#include <string.h>

#include "store/tap_writer_parts.h"

static void gap_begin(struct tap_writer *w, const struct tap_event *e, const char *cause, struct text why)
{
    struct writer_node *n = &w->nodes[e->node];
    char detail[200];
    const struct journal_gap g = { .node = e->node,
                                   .from_us = n->last_us && n->last_us < e->order_us ? n->last_us : e->order_us,
                                   .cause = cause,
                                   .detail = detail,
                                   .events_lost = e->kind == TAP_LOST ? e->lost : 0,
                                   .calls_affected = facts_open_of(w->facts, e->node) };

    text_copy(detail, sizeof detail, why);
    /* Inside an open gap, the journal only adds what was lost to it. */
    if (n->has_gap && g.events_lost == 0)
        return;
    tap_batch_gap(&w->batch, n->has_gap ? TAP_GAP_GROWS : TAP_GAP_BEGINS, &g);
    if (n->has_gap)
        return;
    n->has_gap = true;
    n->gap_from_us = g.from_us;
    text_copy(n->gap_cause, sizeof n->gap_cause, text_of(cause));
}

static void gap_end(struct tap_writer *w, const struct tap_event *e, const char *detail)
{
    struct writer_node *n = &w->nodes[e->node];
    const struct journal_gap g = { .node = e->node, .from_us = n->gap_from_us, .to_us = e->order_us, .cause = n->gap_cause, .detail = detail };

    if (!n->has_gap || !n->is_up)
        return;
    tap_batch_gap(&w->batch, TAP_GAP_ENDS, &g);
    n->has_gap = false;
}

static const char *cause_of(const struct tap_event *e)
{
    static const char *const causes[] = { TAP_CAUSE_SHUTDOWN, TAP_CAUSE_REFUSED, TAP_CAUSE_OVERFLOW };
    const struct text word = tap_get(e, TAP_H_CAUSE);

    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (text_eq(word, text_of(causes[i])))
            return causes[i];
    return TAP_CAUSE_CONNECTION;
}

void writer_gap_note(struct tap_writer *w, const struct tap_event *e)
{
    struct writer_node *n = &w->nodes[e->node];

    switch (e->kind) {
    case TAP_UP:
        if (n->is_up)           /* the end of the session before got lost */
            gap_begin(w, e, TAP_CAUSE_CONNECTION, TEXT("a new session began"));
        n->is_up = true;
        break;
    case TAP_DOWN:
        if (n->is_up)           /* else it was down already: nothing was watched that is not watched now */
            gap_begin(w, e, cause_of(e), tap_get(e, TAP_H_REASON));
        n->is_up = false;
        break;
    case TAP_LOST:
        gap_begin(w, e, TAP_CAUSE_OVERFLOW, TEXT("our queue was full"));
        break;
    case TAP_PRESENT_END:
    case TAP_PRESENT_NONE:
        gap_end(w, e, "");
        break;
    default:
        break;
    }
}

static void load_one(const struct journal_gap_row *g, void *arg)
{
    struct tap_writer *w = arg;

    for (size_t i = 0; g->to_us == 0 && i < w->node_count; i++) {
        struct writer_node *n = &w->nodes[i];

        if (strcmp(n->name, g->node) != 0)
            continue;
        n->has_gap = true;
        n->gap_from_us = g->from_us;
        text_copy(n->gap_cause, sizeof n->gap_cause, text_of(g->cause));
    }
}

int writer_gaps_load(struct tap_writer *w)
{
    struct journal_reader *r;
    int err = journal_reader_open(&r, w->path);

    if (err)
        return err;
    err = journal_read_gaps(r, 0, load_one, w);
    journal_reader_close(r);
    return err < 0 ? err : 0;
}

void writer_gaps_tell(struct tap_writer *w)
{
    struct tap_batch_gap g;
    size_t at = 0;

    while (tap_batch_next_gap(&w->batch, &at, &g)) {
        const char *const node = w->nodes[g.gap.node].name;

        if (g.kind == TAP_GAP_GROWS)
            continue;
        if (g.kind == TAP_GAP_ENDS)
            log_info(&w->log, "gap_closed", kv_str("node", node), kv_str("cause", g.gap.cause),
                     kv_int("ms", (g.gap.to_us - g.gap.from_us) / 1000));
        else
            log_warn(&w->log, "gap_stored", kv_str("node", node), kv_str("cause", g.gap.cause), kv_str("why", g.gap.detail),
                     kv_int("events_lost", (int64_t)g.gap.events_lost), kv_int("calls", (int64_t)g.gap.calls_affected));
        if (w->opt.on_gap)
            w->opt.on_gap(node, g.gap.cause, g.gap.from_us, g.gap.to_us, w->opt.arg);
    }
}
