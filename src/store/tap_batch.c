/* Keeps what one transaction stores, in one growing buffer beside the list of events. */
#include "store/tap_batch.h"

#include <string.h>

enum op_kind { OP_FACT, OP_CALL, OP_GAP, OP_SEEN, OP_CURSOR };

/* Stands before each entry. Sizes are multiples of 8, so that the structs behind it are aligned. */
struct op {
    uint32_t kind, size;        /* size: with this head */
};

struct op_fact {
    struct op op;
    struct call_fact fact;      /* call and detail: texts behind it */
};
struct op_call {
    struct op op;
    struct call_record record;  /* legs, then details behind it */
};
struct op_gap {
    struct op op;
    enum tap_batch_gap_kind kind;
    struct journal_gap gap;     /* cause, detail: texts behind it */
};
struct op_seen {
    struct op op;
    uint32_t node;
    int64_t at_us;
};
struct op_cursor {
    struct op op;
    int64_t fact_id, event_id;  /* the sink's name behind it */
};

void tap_batch_init(struct tap_batch *b)
{
    *b = (struct tap_batch){ 0 };
    buf_init(&b->ops, TAP_BATCH_BYTES_MAX);
}

static void free_events(struct tap_batch *b)
{
    for (struct tap_event *e = b->first, *next; e; e = next) {
        next = e->next;
        tap_event_free(e);
    }
    b->first = b->last = NULL;
}

void tap_batch_free(struct tap_batch *b)
{
    free_events(b);
    buf_free(&b->ops);
}

void tap_batch_clear(struct tap_batch *b)
{
    struct buf ops = b->ops;

    free_events(b);
    if (ops.cap > TAP_BATCH_KEPT) {
        buf_free(&ops);
        buf_init(&ops, TAP_BATCH_BYTES_MAX);
    }
    buf_clear(&ops);
    *b = (struct tap_batch){ .ops = ops };
}

/* ---- filling ---- */

void tap_batch_event(struct tap_batch *b, struct tap_event *e)
{
    e->next = NULL;
    if (b->last)
        b->last->next = e;
    else
        b->first = e;
    b->last = e;
    b->events++;
    b->event_bytes += e->bytes;
}

/* Room for a head of n bytes and rest behind it. NULL: counted, and the buffer may be used on. */
static void *add(struct tap_batch *b, enum op_kind kind, size_t n, size_t rest)
{
    const size_t size = (n + rest + 7) & ~(size_t)7;
    char *p = size <= UINT32_MAX ? buf_room(&b->ops, size) : NULL;

    if (!p) {
        b->ops.err = 0;         /* what is inside stays good */
        b->refused++;
        return NULL;
    }
    b->ops.n += size;
    memset(p, 0, sizeof(struct op));
    *(struct op *)(void *)p = (struct op){ .kind = kind, .size = (uint32_t)size };
    return p;
}

static char *put_text(char *at, const char *t)
{
    const size_t n = strlen(t) + 1;

    memcpy(at, t, n);
    return at + n;
}

void tap_batch_fact(struct tap_batch *b, const struct call_fact *f)
{
    const char *const detail = f->detail ? f->detail : "{}";
    struct op_fact *o = add(b, OP_FACT, sizeof *o, strlen(f->call) + strlen(detail) + 2);

    if (!o)
        return;
    o->fact = *f;
    put_text(put_text((char *)(o + 1), f->call), detail);
    b->facts++;
}

void tap_batch_call(struct tap_batch *b, const struct call_record *c)
{
    const size_t legs = c->legs ? c->leg_count * sizeof *c->legs : 0;
    const char *const details = c->details ? c->details : "{}";
    struct op_call *o = add(b, OP_CALL, sizeof *o, legs + strlen(details) + 1);

    if (!o)
        return;
    o->record = *c;
    o->record.leg_count = legs ? c->leg_count : 0;
    if (legs)
        memcpy(o + 1, c->legs, legs);
    put_text((char *)(o + 1) + legs, details);
    b->calls += c->outcome != CALL_OPEN;
}

void tap_batch_gap(struct tap_batch *b, enum tap_batch_gap_kind kind, const struct journal_gap *g)
{
    struct op_gap *o = add(b, OP_GAP, sizeof *o, strlen(g->cause) + strlen(g->detail) + 2);

    if (!o)
        return;
    o->kind = kind;
    o->gap = *g;
    put_text(put_text((char *)(o + 1), g->cause), g->detail);
}

void tap_batch_seen(struct tap_batch *b, uint32_t node, int64_t at_us)
{
    struct op_seen *o = add(b, OP_SEEN, sizeof *o, 0);

    if (!o)
        return;
    o->node = node;
    o->at_us = at_us;
}

void tap_batch_cursor(struct tap_batch *b, const char *sink, int64_t fact_id, int64_t event_id)
{
    struct op_cursor *o = add(b, OP_CURSOR, sizeof *o, strlen(sink) + 1);

    if (!o)
        return;
    o->fact_id = fact_id;
    o->event_id = event_id;
    put_text((char *)(o + 1), sink);
}

/* ---- writing ---- */

static int write_fact(const struct op_fact *o, struct journal *j)
{
    struct call_fact f = o->fact;

    f.call = (const char *)(o + 1);
    f.detail = f.call + strlen(f.call) + 1;
    return journal_add_fact(j, &f);
}

static int write_call(const struct op_call *o, struct journal *j)
{
    struct call_record c = o->record;

    c.legs = c.leg_count ? (const struct call_leg *)(o + 1) : NULL;
    c.details = (const char *)(o + 1) + c.leg_count * sizeof *c.legs;
    return journal_put_call(j, &c);
}

static struct journal_gap gap_of(const struct op_gap *o)
{
    struct journal_gap g = o->gap;

    g.cause = (const char *)(o + 1);
    g.detail = g.cause + strlen(g.cause) + 1;
    return g;
}

static int write_gap(const struct op_gap *o, struct journal *j)
{
    const struct journal_gap g = gap_of(o);

    return o->kind == TAP_GAP_ENDS ? journal_gap_end(j, g.node, g.to_us, g.calls_affected) : journal_gap_begin(j, &g);
}

static int write_op(const struct op *o, struct journal *j)
{
    const struct op_seen *seen = (const struct op_seen *)o;
    const struct op_cursor *cursor = (const struct op_cursor *)o;

    switch ((enum op_kind)o->kind) {
    case OP_FACT:
        return write_fact((const struct op_fact *)o, j);
    case OP_CALL:
        return write_call((const struct op_call *)o, j);
    case OP_GAP:
        return write_gap((const struct op_gap *)o, j);
    case OP_SEEN:
        return journal_seen(j, seen->node, seen->at_us);
    case OP_CURSOR:
        return journal_put_cursor(j, (const char *)(cursor + 1), cursor->fact_id, cursor->event_id);
    }
    return 0;
}

static const struct op *op_at(const struct tap_batch *b, size_t at)
{
    return at < b->ops.n ? (const struct op *)(const void *)(b->ops.p + at) : NULL;
}

static int write_all(struct tap_batch *b, struct journal *j, struct tap_event **bad)
{
    const struct op *o;
    int err = journal_begin(j);

    for (struct tap_event *e = b->first; !err && e; e = e->next) {
        err = journal_add_event(j, e);
        *bad = err ? e : NULL;
    }
    for (size_t at = 0; !err && (o = op_at(b, at)); at += o->size)
        err = write_op(o, j);
    return err ? err : journal_commit(j);
}

int tap_batch_write(struct tap_batch *b, struct journal *j, struct tap_event **bad)
{
    int err;

    *bad = NULL;
    err = write_all(b, j, bad);
    if (err)
        journal_rollback(j);
    return err;
}

void tap_batch_drop(struct tap_batch *b, struct tap_event *bad)
{
    struct tap_event **link = &b->first, *before = NULL;

    while (*link && *link != bad) {
        before = *link;
        link = &(*link)->next;
    }
    if (!*link)
        return;
    *link = bad->next;
    if (b->last == bad)
        b->last = before;
    b->events--;
    b->event_bytes -= bad->bytes;
    tap_event_free(bad);
}

bool tap_batch_next_gap(const struct tap_batch *b, size_t *at, struct tap_batch_gap *g)
{
    const struct op *o;

    while ((o = op_at(b, *at))) {
        *at += o->size;
        if (o->kind != OP_GAP)
            continue;
        *g = (struct tap_batch_gap){ .kind = ((const struct op_gap *)o)->kind, .gap = gap_of((const struct op_gap *)o) };
        return true;
    }
    return false;
}
