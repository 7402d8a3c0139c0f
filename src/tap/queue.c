/* One node's way from the tap loop to the writer: a ring of pointers with one putter and one taker, ceilings, and a ledger of what was lost.
 * Each side keeps its own count and an old copy of the other's, so that they touch each other's memory only when it matters. */
#include "tap/queue.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    NOTES_RESERVE = 1024,               /* places that only notes may use */
    NOTES_BYTES = 4 * 1024 * 1024,      /* and their text: TAP_PRESENT carries a channel's, a kilobyte each */
    CALM_PART = 8,                      /* after a loss, events wait until this part is free: one gap, not one for each event */
};

struct tap_queue {
    size_t events_max, bytes_max, places;
    uint32_t node;
    void (*on_ready)(void *arg);
    void *arg;
    struct tap_event **ring;

    /* The putter's. */
    _Alignas(64) atomic_size_t head;    /* events that were put, ever */
    size_t head_slot, tail_seen;
    uint64_t put_bytes, taken_bytes_seen;
    struct tap_event *spare;            /* the next TAP_LOST: memory may be short when it is needed */
    uint64_t missing;                   /* lost since the last TAP_LOST; first_* are of the first of them */
    uint64_t first_seq;
    int64_t first_session, first_us;
    bool is_present_broken, is_half_told;
    atomic_uint_least64_t lost;

    /* The taker's. */
    _Alignas(64) atomic_size_t tail;    /* events that were taken, ever */
    atomic_uint_least64_t taken_bytes;
    size_t tail_slot, head_seen;

    _Alignas(64) atomic_bool is_waiting;    /* the taker found nothing */
};

/* ---- making ---- */

static struct tap_event *lost_note(void)
{
    struct tap_event *e;

    return tap_event_new(&e, TAP_LOST, TEXT_NONE, NULL, 0) ? NULL : e;
}

int tap_queue_new(struct tap_queue **out, uint32_t node, size_t events_max, size_t bytes_max, void (*on_ready)(void *arg), void *arg)
{
    struct tap_queue *q;

    if (events_max == 0 || events_max > SIZE_MAX / sizeof *q->ring - NOTES_RESERVE)
        return -EINVAL;
    if (posix_memalign((void **)&q, 64, sizeof *q))
        return -ENOMEM;
    *q = (struct tap_queue){ .events_max = events_max, .bytes_max = bytes_max, .places = events_max + NOTES_RESERVE, .node = node,
                             .on_ready = on_ready, .arg = arg };
    atomic_init(&q->is_waiting, true);
    q->ring = calloc(q->places, sizeof *q->ring);
    q->spare = lost_note();
    if (!q->ring || !q->spare) {
        tap_queue_free(q);
        return -ENOMEM;
    }
    *out = q;
    return 0;
}

void tap_queue_free(struct tap_queue *q)
{
    struct tap_event *e;

    if (!q)
        return;
    while (q->ring && (e = tap_queue_take(q)))
        tap_event_free(e);
    tap_event_free(q->spare);
    free(q->ring);
    free(q);
}

/* ---- putting ---- */

static size_t depth_seen(const struct tap_queue *q)
{
    return atomic_load_explicit(&((struct tap_queue *)(uintptr_t)q)->head, memory_order_relaxed) - q->tail_seen;
}

/* What the taker has freed since. */
static void look_again(struct tap_queue *q)
{
    q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);
    q->taken_bytes_seen = atomic_load_explicit(&q->taken_bytes, memory_order_relaxed);
}

/* Notes go on where events must stop; the last place is the TAP_LOST note's. */
static bool has_room(const struct tap_queue *q, const struct tap_event *e, bool is_note)
{
    const size_t calm = q->missing ? q->events_max / CALM_PART : 0, depth = depth_seen(q);
    const uint64_t bytes = q->put_bytes - q->taken_bytes_seen + e->bytes;

    if (is_note)
        return depth + 2 <= q->places && bytes <= (uint64_t)q->bytes_max + NOTES_BYTES;
    return depth < q->events_max - calm && bytes <= q->bytes_max - (q->missing ? q->bytes_max / CALM_PART : 0);
}

static bool fits(struct tap_queue *q, const struct tap_event *e, bool is_note)
{
    if (has_room(q, e, is_note))
        return true;
    look_again(q);
    return has_room(q, e, is_note);
}

static void put_in(struct tap_queue *q, struct tap_event *e)
{
    q->ring[q->head_slot] = e;
    q->head_slot = q->head_slot + 1 < q->places ? q->head_slot + 1 : 0;
    q->put_bytes += e->bytes;
    /* In one order with is_waiting: either the taker sees this event, or we see that it waits. */
    atomic_store_explicit(&q->head, atomic_load_explicit(&q->head, memory_order_relaxed) + 1, memory_order_seq_cst);
}

/* The note stands where the first of the missing stood: its number, its session, its moment. False: no memory for the one after it. */
static bool tell_loss(struct tap_queue *q)
{
    struct tap_event *e = q->spare, *next = lost_note();

    if (!next)
        return false;
    q->spare = next;
    e->node = q->node;
    e->session = q->first_session;
    e->seq = q->first_seq;
    e->recv_us = q->first_us;
    e->lost = q->missing;
    q->missing = 0;
    put_in(q, e);
    return true;
}

static void lose(struct tap_queue *q, struct tap_event *e)
{
    if (q->missing++ == 0) {
        q->first_us = e->recv_us;
        q->first_session = e->session;
        q->first_seq = e->seq;
    }
    q->is_present_broken |= e->kind == TAP_PRESENT;
    atomic_fetch_add_explicit(&q->lost, 1, memory_order_relaxed);
    tap_event_free(e);
}

static void wake(struct tap_queue *q)
{
    const size_t half = q->events_max / 2;
    bool is_due = false;

    if (depth_seen(q) > half)
        look_again(q);
    if (depth_seen(q) > half) {
        is_due = !q->is_half_told;
        q->is_half_told = true;
    } else {
        q->is_half_told = false;
    }
    if (atomic_load_explicit(&q->is_waiting, memory_order_seq_cst))
        is_due |= atomic_exchange_explicit(&q->is_waiting, false, memory_order_seq_cst);
    if (is_due && q->on_ready)
        q->on_ready(q->arg);
}

/* A list of channels with a hole would end calls that run on: then it is no list. */
static void mend_list(struct tap_queue *q, struct tap_event *e)
{
    if (e->kind != TAP_PRESENT_END && e->kind != TAP_PRESENT_NONE)
        return;
    if (q->is_present_broken)
        e->kind = TAP_PRESENT_NONE;
    q->is_present_broken = false;
}

void tap_queue_put(struct tap_queue *q, struct tap_event *e)
{
    const bool is_note = e->kind != TAP_EVENT && e->kind != TAP_FORGED;

    if (!fits(q, e, is_note) || (q->missing && !tell_loss(q))) {
        lose(q, e);
        return;
    }
    mend_list(q, e);
    put_in(q, e);
    wake(q);
}

/* ---- taking ---- */

static bool is_empty(struct tap_queue *q, size_t tail)
{
    if (q->head_seen != tail)
        return false;
    q->head_seen = atomic_load_explicit(&q->head, memory_order_seq_cst);
    return q->head_seen == tail;
}

struct tap_event *tap_queue_take(struct tap_queue *q)
{
    const size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    struct tap_event *e;

    if (is_empty(q, tail)) {
        atomic_store_explicit(&q->is_waiting, true, memory_order_seq_cst);
        if (is_empty(q, tail))
            return NULL;
        /* It came in between: the putter may have called already, which does no harm. */
        atomic_store_explicit(&q->is_waiting, false, memory_order_seq_cst);
    }
    e = q->ring[q->tail_slot];
    q->tail_slot = q->tail_slot + 1 < q->places ? q->tail_slot + 1 : 0;
    atomic_store_explicit(&q->taken_bytes, atomic_load_explicit(&q->taken_bytes, memory_order_relaxed) + e->bytes,
                          memory_order_relaxed);
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return e;
}

size_t tap_queue_depth(const struct tap_queue *q)
{
    struct tap_queue *own = (struct tap_queue *)(uintptr_t)q;
    const size_t tail = atomic_load_explicit(&own->tail, memory_order_acquire);

    return atomic_load_explicit(&own->head, memory_order_acquire) - tail;
}

uint64_t tap_queue_lost(const struct tap_queue *q)
{
    return atomic_load_explicit(&((struct tap_queue *)(uintptr_t)q)->lost, memory_order_relaxed);
}
