/* Asks each call loop for its figures by a post, and adds up what comes back. */
#include "app/gather.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One loop's part. The loop fills it, then posts it back; only the control loop reads it. */
struct part {
    struct gather *gather;
    struct route_figures *figures;      /* count of them, then those who fit none */
    size_t count;
    bool came;                          /* control loop */
};

/* One question. It lives until the last loop has let go of it, which may be after the answer. */
struct gather {
    const struct gather_from *from;
    gather_on_done *on_done;            /* control loop; NULL: told, or nobody waits any more */
    void *arg;
    atomic_uint holders;
    size_t part_count, came;
    struct part *parts;
};

static void let_go(struct gather *g)
{
    if (atomic_fetch_sub(&g->holders, 1) != 1)
        return;
    for (size_t i = 0; i < g->part_count; i++)
        free(g->parts[i].figures);
    free(g->parts);
    free(g);
}

static void sum_add(struct route_figures *sum, const struct route_figures *one)
{
    struct shadow_figures *s = &sum->shadow;

    memcpy(sum->name, one->name, sizeof sum->name);
    sum->sessions += one->sessions;
    sum->active += one->active;
    sum->timeouts += one->timeouts;
    sum->errors += one->errors;
    sum->busy += one->busy;
    sum->queued += one->queued;
    sum->waiting += one->waiting;
    sum->recorded += one->recorded;
    sum->record_dropped += one->record_dropped;
    s->sessions += one->shadow.sessions;
    s->differing += one->shadow.differing;
    s->differences += one->shadow.differences;
    s->skipped += one->shadow.skipped;
    s->is_off |= one->shadow.is_off;
    if (one->shadow.last[0])
        memcpy(s->last, one->shadow.last, sizeof s->last);
    hist_merge(&sum->command_us, &one->command_us);
    hist_merge(&sum->session_us, &one->session_us);
}

void gather_finish(struct gather *g)
{
    gather_on_done *const on_done = g->on_done;
    struct route_figures *sums;

    if (!on_done)
        return;
    g->on_done = NULL;
    sums = calloc(g->from->route_count + 1, sizeof *sums);
    for (size_t k = 0; sums && k < g->part_count; k++)
        for (size_t i = 0; g->parts[k].came && i < g->parts[k].count; i++)
            sum_add(&sums[i], &g->parts[k].figures[i]);
    on_done(sums, g->part_count - g->came, g->arg);
    free(sums);
}

static void on_part(void *arg)
{
    struct part *p = arg;
    struct gather *g = p->gather;

    p->came = true;
    if (++g->came == g->part_count)
        gather_finish(g);
    let_go(g);
}

/* On a call loop. */
static void fill(struct routes *routes, void *arg)
{
    struct part *p = arg;

    while (routes && p->count <= p->gather->from->route_count && routes_figures(routes, p->count, &p->figures[p->count]))
        p->count++;
    if (loop_post(p->gather->from->control, on_part, p) != 0)
        let_go(p->gather); /* told as late */
}

void gather_drop(struct gather *g)
{
    g->on_done = NULL;
    let_go(g);
}

static struct gather *gather_new(const struct gather_from *from)
{
    struct gather *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->from = from;
    atomic_init(&g->holders, 1);
    g->parts = calloc(from->loop_count + 1, sizeof *g->parts);
    for (; g->parts && g->part_count < from->loop_count; g->part_count++) {
        g->parts[g->part_count].gather = g;
        g->parts[g->part_count].figures = calloc(from->route_count + 1, sizeof *g->parts->figures);
        if (!g->parts[g->part_count].figures)
            break;
    }
    if (g->parts && g->part_count == from->loop_count)
        return g;
    let_go(g);
    return NULL;
}

int gather_begin(struct gather **out, const struct gather_from *from, gather_on_done *on_done, void *arg)
{
    struct gather *g = gather_new(from);

    if (!g)
        return -ENOMEM;
    *out = g;
    g->on_done = on_done;
    g->arg = arg;
    for (size_t i = 0; i < g->part_count; i++) {
        atomic_fetch_add(&g->holders, 1);
        if (call_loop_ask(from->loops[i], fill, &g->parts[i]) != 0)
            let_go(g); /* told as late */
    }
    if (g->part_count == 0)
        gather_finish(g);
    return 0;
}
