/* What the writer counts, and how others read it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/tap_writer_parts.h"

/* Under the lock. */
static void turn_lags(struct tap_writer *w, int64_t mono_us)
{
    if (mono_us - w->lag_turned_us < TAP_WRITER_LAG_US)
        return;
    for (size_t i = 0; i < w->node_count; i++) {
        struct writer_node *n = &w->nodes[i];

        n->lag[1] = n->lag[0];
        hist_reset(&n->lag[0]);
    }
    w->lag_turned_us = mono_us;
}

/* A lag is told only where the node says when it emitted, and its clock is known against ours: never guessed. */
static void count_event(struct writer_node *n, const struct tap_event *e, int64_t now_us)
{
    n->figures.events++;
    n->figures.forged += e->kind == TAP_FORGED;
    n->figures.late += (e->flags & TAP_LATE) != 0;
    n->names[e->name < TAP_EVENTS_END ? e->name : TAP_E_OTHER]++;
    if (n->figures.clock.is_known && e->emit_us != TAP_NO_TIME)
        hist_add(&n->lag[0], now_us - e->order_us);
}

static void count_gaps(struct tap_writer *w)
{
    struct tap_batch_gap g;
    size_t at = 0;

    while (tap_batch_next_gap(&w->batch, &at, &g))
        w->nodes[g.gap.node].figures.gaps += g.kind == TAP_GAP_BEGINS;
}

void writer_count_batch(struct tap_writer *w)
{
    const int64_t now_us = clock_wall_us();
    const struct tap_batch *const b = &w->batch;
    struct facts_figures facts;

    facts_figures_of(w->facts, &facts);
    pthread_mutex_lock(&w->lock);
    turn_lags(w, clock_mono_us());
    for (size_t i = 0; i < w->node_count; i++)
        merge_clock_of(w->merge, (uint32_t)i, &w->nodes[i].figures.clock);
    for (const struct tap_event *e = b->first; e; e = e->next)
        count_event(&w->nodes[e->node], e, now_us);
    count_gaps(w);
    w->figures.events += b->events;
    w->figures.facts += b->facts;
    w->figures.calls += b->calls;
    w->figures.bytes += b->event_bytes;
    w->figures.batches++;
    w->figures.open_calls = facts.open;
    pthread_mutex_unlock(&w->lock);
}

/* ---- for others ---- */

static void fill_lags(const struct writer_node *n, struct tap_writer_node *out)
{
    struct hist *both = malloc(sizeof *both);

    out->lag_p50_us = out->lag_p99_us = out->lag_max_us = -1;
    if (!both)
        return;
    *both = n->lag[0];
    hist_merge(both, &n->lag[1]);
    if (both->count > 0) {
        out->lag_p50_us = hist_quantile(both, 0.5);
        out->lag_p99_us = hist_quantile(both, 0.99);
        out->lag_max_us = (int64_t)both->max;
    }
    free(both);
}

bool tap_writer_node_figures(struct tap_writer *w, uint32_t node, struct tap_writer_node *out)
{
    struct writer_node *n;

    if (node >= w->node_count)
        return false;
    n = &w->nodes[node];
    pthread_mutex_lock(&w->lock);
    turn_lags(w, clock_mono_us());
    *out = n->figures;
    fill_lags(n, out);
    pthread_mutex_unlock(&w->lock);
    out->queued = tap_queue_depth(n->queue);
    out->lost = tap_queue_lost(n->queue);
    return true;
}

/* 0: cannot be told. */
static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long size, resident = 0;

    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void tap_writer_figures_of(struct tap_writer *w, struct tap_writer_figures *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->figures;
    pthread_mutex_unlock(&w->lock);
    out->rss_bytes = resident_bytes();
}

void tap_writer_event_counts(struct tap_writer *w, uint32_t node, void (*fn)(struct text name, uint64_t count, void *arg), void *arg)
{
    uint64_t names[TAP_EVENTS_END];

    if (node >= w->node_count)
        return;
    pthread_mutex_lock(&w->lock);
    memcpy(names, w->nodes[node].names, sizeof names);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < TAP_EVENTS_END; i++)
        if (names[i])
            fn(i == TAP_E_OTHER ? TEXT("other") : tap_name_text((enum tap_name)i), names[i], arg);
}
