/* Facts and records in JSON, and the handing over of both. */
#include <inttypes.h>
#include <string.h>

#include "tap/facts_internal.h"


/* ---- fields ---- */

static void field_name(struct buf *b, const char *name)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        buf_add_char(b, ',');
    buf_add_char(b, '"');
    buf_add_text(b, text_of(name));
    buf_add(b, "\":", 2);
}

static void put_text(struct buf *b, const char *name, struct text value)
{
    field_name(b, name);
    buf_add_char(b, '"');
    buf_add_json(b, value);
    buf_add_char(b, '"');
}

static void put_int(struct buf *b, const char *name, int64_t value)
{
    field_name(b, name);
    buf_addf(b, "%" PRId64, value);
}

static void put_bool(struct buf *b, const char *name, bool value)
{
    field_name(b, name);
    buf_add_text(b, value ? TEXT("true") : TEXT("false"));
}

void facts_begin(struct facts *f)
{
    buf_clear(&f->json);
    buf_add_char(&f->json, '{');
}

void facts_text(struct facts *f, const char *name, struct text value)
{
    put_text(&f->json, name, value);
}

void facts_str(struct facts *f, const char *name, const char *value)
{
    put_text(&f->json, name, text_of(value));
}

void facts_int(struct facts *f, const char *name, int64_t value)
{
    put_int(&f->json, name, value);
}

void facts_bool(struct facts *f, const char *name, bool value)
{
    put_bool(&f->json, name, value);
}

/* ---- telling ---- */

static void tell(struct facts *f, enum fact kind, const char *call, uint32_t node, const char *detail)
{
    size_t count;

    if (!detail) {
        f->err = -ENOMEM;
        return;
    }
    f->stamp.node = node;
    f->stamp.kind = facts_kinds(&count)[kind].name;
    f->stamp.call = call;
    f->stamp.detail = detail;
    f->figures.facts++;
    if (f->on.on_fact)
        f->on.on_fact(&f->stamp, f->arg);
    f->stamp.n++;
}

void facts_tell(struct facts *f, enum fact kind, const struct call *c)
{
    buf_add_char(&f->json, '}');
    tell(f, kind, c ? c->key.id : "", c ? c->key.node : f->stamp.node, buf_cstr(&f->json));
}

void facts_tell_id(struct facts *f, enum fact kind, const char *call)
{
    buf_add_char(&f->json, '}');
    tell(f, kind, call, f->stamp.node, buf_cstr(&f->json));
}

/* ---- the lists of a record ---- */

static void item_transfer(struct buf *b, const struct item *it)
{
    put_int(b, "at_us", it->at_us);
    put_text(b, "kind", text_of(it->what));
    put_text(b, "result", text_of(it->result));
    put_text(b, "by", text_of(it->who));
    put_text(b, "to", text_of(it->to));
}

static void item_agi(struct buf *b, const struct item *it)
{
    put_int(b, "at_us", it->at_us);
    put_int(b, "ran_us", it->until_us ? it->until_us - it->at_us : 0);
    put_text(b, "script", text_of(it->what));
    put_text(b, "result", text_of(it->result));
}

static void item_stasis(struct buf *b, const struct item *it)
{
    put_int(b, "at_us", it->at_us);
    put_int(b, "left_us", it->until_us);
    put_text(b, "app", text_of(it->what));
}

static void item_queue(struct buf *b, const struct item *it)
{
    put_text(b, "queue", text_of(it->what));
    put_int(b, "joined_us", it->at_us);
    put_int(b, "left_us", it->until_us);
    put_text(b, "outcome", text_of(it->result));
    put_text(b, "agent", text_of(it->who));
    put_int(b, "position", it->number);
}

static void item_park(struct buf *b, const struct item *it)
{
    put_text(b, "space", text_of(it->what));
    put_int(b, "at_us", it->at_us);
    put_int(b, "left_us", it->until_us);
    put_text(b, "outcome", text_of(it->result));
}

static void item_conference(struct buf *b, const struct item *it)
{
    put_text(b, "name", text_of(it->what));
    put_int(b, "at_us", it->at_us);
    put_int(b, "left_us", it->until_us);
}

static const struct {
    const char *name;
    void (*write)(struct buf *b, const struct item *it);    /* NULL: a text */
} lists[ITEM_KINDS] = {
    [ITEM_TRANSFER] = { "transfers", item_transfer }, [ITEM_RECORDING] = { "recordings", NULL }, [ITEM_AGI] = { "agi", item_agi },
    [ITEM_STASIS] = { "stasis", item_stasis }, [ITEM_QUEUE] = { "queues", item_queue }, [ITEM_PARK] = { "parked", item_park },
    [ITEM_CONFERENCE] = { "conferences", item_conference },
};

static void put_list(struct buf *b, const struct call *c, enum item_kind kind)
{
    bool is_first = true;

    field_name(b, lists[kind].name);
    buf_add_char(b, '[');
    for (size_t i = 0; c->item_counts[kind] && i < c->item_count; i++) {
        if (c->items[i].kind != kind)
            continue;
        if (!is_first)
            buf_add_char(b, ',');
        is_first = false;
        buf_add_char(b, lists[kind].write ? '{' : '"');
        if (lists[kind].write)
            lists[kind].write(b, &c->items[i]);
        else
            buf_add_json(b, text_of(c->items[i].what));
        buf_add_char(b, lists[kind].write ? '}' : '"');
    }
    buf_add_char(b, ']');
}

static void put_lists(struct buf *b, const struct call *c)
{
    for (int kind = 0; kind < ITEM_KINDS; kind++)
        put_list(b, c, (enum item_kind)kind);
    if (c->joined[0])
        put_text(b, "joined", text_of(c->joined));
}

/* ---- the record ---- */

static void put_leg(struct buf *b, const struct call_leg *l)
{
    put_text(b, "uniqueid", text_of(l->uniqueid));
    put_text(b, "channel", text_of(l->channel));
    put_text(b, "number", text_of(l->number));
    put_text(b, "name", text_of(l->name));
    put_text(b, "role", text_of(l->role));
    put_int(b, "started_us", l->started_us);
    put_int(b, "answered_us", l->answered_us);
    put_int(b, "ended_us", l->ended_us);
    put_int(b, "cause", l->cause);
}

static void put_people(struct buf *b, const struct call_record *r)
{
    put_text(b, "id", text_of(r->id));
    put_text(b, "was", text_of(r->was));
    put_text(b, "outcome", text_of(call_outcome_text(r->outcome)));
    put_text(b, "caller", text_of(r->caller));
    put_text(b, "caller_name", text_of(r->caller_name));
    put_text(b, "dialled", text_of(r->dialled));
    put_text(b, "context", text_of(r->context));
    put_text(b, "answered_by", text_of(r->answered_by));
    put_int(b, "started_us", r->started_us);
    put_int(b, "answered_us", r->answered_us);
    put_int(b, "ended_us", r->ended_us);
    put_int(b, "ring_us", r->ring_us);
    put_int(b, "talk_us", r->talk_us);
    put_int(b, "hold_us", r->hold_us);
    put_int(b, "queue_us", r->queue_us);
}

static void put_counts(struct buf *b, const struct call_record *r)
{
    put_text(b, "queue", text_of(r->queue));
    put_text(b, "agent", text_of(r->agent));
    put_text(b, "queue_outcome", text_of(queue_outcome_text(r->queue_outcome)));
    put_int(b, "cause", r->cause);
    put_text(b, "cause_text", text_of(r->cause_text));
    put_text(b, "application", text_of(r->application));
    put_int(b, "transfers_count", r->transfers);
    put_int(b, "recordings_count", r->recordings);
    put_int(b, "agi_visits", r->agi_visits);
    put_int(b, "stasis_visits", r->stasis_visits);
    put_int(b, "dtmf", r->dtmf);
    put_bool(b, "is_partial", r->is_partial);
    put_bool(b, "is_suspect", r->is_suspect);
}

/* The legs that an operator knows, side by side. */
static void gather(struct facts *f, struct call *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->leg_count && count < CALL_LEGS_MAX; i++) {
        if (c->legs[i].is_hidden)
            continue;
        f->scratch[count] = c->legs[i].pub;
        if (!f->scratch[count].role[0])
            text_copy(f->scratch[count].role, sizeof f->scratch[count].role, TEXT("callee"));
        count++;
    }
    c->r.legs = f->scratch;
    c->r.leg_count = count;
}

void facts_tell_call(struct facts *f, struct call *c)
{
    gather(f, c);
    buf_clear(&f->details);
    buf_add_char(&f->details, '{');
    put_lists(&f->details, c);
    buf_add_char(&f->details, '}');
    c->r.details = buf_cstr(&f->details);
    if (!c->r.details)
        f->err = -ENOMEM;
    else if (f->on.on_call)
        f->on.on_call(&c->r, f->arg);
    c->r.details = NULL;
    c->r.legs = NULL;
}

void facts_tell_ended(struct facts *f, struct call *c)
{
    struct buf *b = &f->json;

    gather(f, c);
    facts_begin(f);
    put_people(b, &c->r);
    put_counts(b, &c->r);
    field_name(b, "legs");
    buf_add_char(b, '[');
    for (size_t i = 0; i < c->r.leg_count; i++) {
        buf_add_text(b, i ? TEXT(",{") : TEXT("{"));
        put_leg(b, &c->r.legs[i]);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
    put_lists(b, c);
    facts_tell(f, FACT_CALL_ENDED, c);
}
