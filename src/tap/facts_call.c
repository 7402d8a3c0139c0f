/* One call: opened, its time added up, ended. */
#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

enum { SPARE_CALLS_MAX = 1024 };

/* ---- order and change ---- */

static void unlink_age(struct facts *f, struct call *c)
{
    if (c->older)
        c->older->newer = c->newer;
    else
        f->oldest = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        f->newest = c->older;
}

static void link_newest(struct facts *f, struct call *c)
{
    c->newer = NULL;
    c->older = f->newest;
    if (f->newest)
        f->newest->newer = c;
    else
        f->oldest = c;
    f->newest = c;
}

void call_touch(struct facts *f, struct call *c)
{
    if (f->stamp.at_us > c->last_us)
        c->last_us = f->stamp.at_us;
    c->touched_us = f->recv_us;
    if (f->newest != c) {
        unlink_age(f, c);
        link_newest(f, c);
    }
}

void call_dirty(struct facts *f, struct call *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->dirty_next = f->dirty;
    f->dirty = c;
}

static void undirty(struct facts *f, struct call *c)
{
    struct call **at = &f->dirty;

    if (!c->is_dirty)
        return;
    while (*at != c)
        at = &(*at)->dirty_next;
    *at = c->dirty_next;
    c->is_dirty = false;
}

/* ---- opening and freeing ---- */

struct call *call_find(struct facts *f, uint32_t node, struct text linkedid)
{
    return (struct call *)map_find(&f->calls, map_hash(node, linkedid), node, linkedid);
}

static struct call *fresh(struct facts *f)
{
    struct call *c = f->spare_calls;
    struct leg *legs;
    struct item *items;
    size_t leg_room, item_room;

    if (!c)
        return calloc(1, sizeof *c);
    f->spare_calls = c->newer;
    f->spare_call_count--;
    legs = c->legs;
    items = c->items;
    leg_room = c->leg_room;
    item_room = c->item_room;
    memset(c, 0, sizeof *c);
    c->legs = legs;
    c->items = items;
    c->leg_room = leg_room;
    c->item_room = item_room;
    return c;
}

struct call *call_open(struct facts *f, uint32_t node, struct text linkedid)
{
    struct call *c;

    if (f->calls.count >= f->opt.calls_max) {
        f->figures.refused++;
        return NULL;
    }
    c = fresh(f);
    if (!c) {
        f->err = -ENOMEM;
        return NULL;
    }
    map_put(&f->calls, &c->key, map_hash(node, linkedid), node, linkedid);
    c->r.node = node;
    memcpy(c->r.id, c->key.id, sizeof c->r.id);
    c->r.started_us = c->since_us = c->last_us = f->stamp.at_us;
    c->r.cause = -1;
    c->primary_leg = LEG_NONE;
    c->touched_us = f->recv_us;
    link_newest(f, c);
    call_dirty(f, c);
    f->figures.calls++;
    return c;
}

static void undoubt(struct facts *f, struct call *c)
{
    struct call **at = &f->doubted;

    if (!c->is_doubted)
        return;
    while (*at != c)
        at = &(*at)->doubted_next;
    *at = c->doubted_next;
    c->is_doubted = false;
}

/* Its channels are gone or moved. */
void call_free(struct facts *f, struct call *c)
{
    undirty(f, c);
    undoubt(f, c);
    unlink_age(f, c);
    map_drop(&f->calls, &c->key);
    if (f->spare_call_count >= SPARE_CALLS_MAX) {
        free(c->legs);
        free(c->items);
        free(c);
        return;
    }
    c->newer = f->spare_calls;
    f->spare_calls = c;
    f->spare_call_count++;
}

struct item *call_item_add(struct facts *f, struct call *c, enum item_kind kind, struct text what)
{
    struct item *it;

    if (c->item_counts[kind] >= CALL_LIST_MAX) {
        f->figures.refused++;
        return NULL;
    }
    if (c->item_count == c->item_room) {
        const size_t room = c->item_room ? c->item_room * 2 : 4;
        struct item *more = realloc(c->items, room * sizeof *more);

        if (!more) {
            f->err = -ENOMEM;
            return NULL;
        }
        c->items = more;
        c->item_room = room;
    }
    it = &c->items[c->item_count++];
    *it = (struct item){ .kind = kind, .at_us = f->stamp.at_us };
    text_copy(it->what, sizeof it->what, what);
    c->item_counts[kind]++;
    call_dirty(f, c);
    return it;
}

/* ---- time ---- */

void call_settle(struct facts *f, struct call *c)
{
    const int64_t passed = f->stamp.at_us - c->since_us;

    if (passed <= 0)
        return;
    c->since_us = f->stamp.at_us;
    if (c->waits)
        c->r.queue_us += passed;
    if (c->holds)
        c->r.hold_us += passed;
    else if (c->is_connected || c->is_with_app)
        c->r.talk_us += passed;
    else if (c->dials)
        c->r.ring_us += passed;
    else if (c->is_with_weak_app)
        c->weak_us += passed;
}

static bool talks(const struct channel *ch)
{
    return ch->bridge && !ch->bridge->is_holding && ch->bridge->count >= 2;
}

/* The caller stands in a bridge with somebody; when the caller has gone (it transferred the call), anybody does. */
static bool is_connected(const struct call *c)
{
    if (c->primary)
        return talks(c->primary);
    for (const struct channel *ch = c->channels; ch; ch = ch->next)
        if (talks(ch))
            return true;
    return false;
}

/* Who it is that speaks with the caller: the leg that answered last, else whoever stands in the bridge. */
static uint16_t other_leg(const struct call *c)
{
    uint16_t best = LEG_NONE;

    for (size_t i = 0; i < c->leg_count; i++) {
        const struct leg *l = &c->legs[i];

        if (!l->is_hidden && i != c->primary_leg && l->pub.answered_us && !l->pub.ended_us && strcmp(l->pub.role, "originate") != 0 &&
            (best == LEG_NONE || l->pub.answered_us >= c->legs[best].pub.answered_us))
            best = (uint16_t)i;
    }
    return best;
}

void call_party(const struct call *c, uint16_t leg, struct text *by, struct text *channel)
{
    *channel = text_of(c->legs[leg].pub.channel);
    *by = leg_label(c, &c->legs[leg]);
}

static const struct channel *neighbour(const struct call *c)
{
    const struct channel *me = c->primary;

    if (!me || !me->bridge)
        return NULL;
    for (const struct channel *ch = me->bridge->members; ch; ch = ch->bridge_next)
        if (ch != me)
            return ch;
    return NULL;
}

void call_answer(struct facts *f, struct call *c, struct text by, struct text channel)
{
    if (c->r.answered_us)
        return;
    c->r.answered_us = f->stamp.at_us;
    text_copy(c->r.answered_by, sizeof c->r.answered_by, by);
    call_dirty(f, c);
    facts_begin(f);
    facts_text(f, "by", by);
    facts_text(f, "channel", channel);
    facts_int(f, "ring_us", c->r.ring_us);
    facts_tell(f, FACT_CALL_ANSWERED, c);
}

static void answer_connected(struct facts *f, struct call *c)
{
    const uint16_t leg = other_leg(c);
    const struct channel *beside = neighbour(c);
    struct text by = TEXT(""), channel = TEXT("");

    if (leg != LEG_NONE) {
        call_party(c, leg, &by, &channel);
    } else if (beside) {
        channel = text_of(beside->name);
        by = beside->number[0] ? text_of(beside->number) : facts_base(channel);
    }
    call_answer(f, c, by, channel);
}

void call_refresh_connected(struct facts *f, struct call *c)
{
    const bool now = is_connected(c);

    if (now == c->is_connected)
        return;
    call_settle(f, c);
    c->is_connected = now;
    call_dirty(f, c);
    if (now && !c->r.answered_us)
        answer_connected(f, c);
}

/* ---- the end ---- */

static void close_items(struct call *c, int64_t at)
{
    for (size_t i = 0; i < c->item_count; i++)
        if (!c->items[i].until_us && c->items[i].kind != ITEM_TRANSFER && c->items[i].kind != ITEM_RECORDING)
            c->items[i].until_us = at;
}

/* The channels are gone or moved. Tells, and frees c. */
void call_end(struct facts *f, struct call *c)
{
    const int64_t end = f->stamp.at_us;

    call_settle(f, c);
    close_items(c, end);
    c->r.outcome = outcome_of(f, c);
    c->r.ended_us = end > c->r.started_us ? end : c->r.started_us;
    if (c->r.queue_outcome == QUEUE_WAITING && c->r.outcome == CALL_ABANDONED)
        c->r.queue_outcome = QUEUE_ABANDONED;
    if (!c->r.dialled[0])
        text_copy(c->r.dialled, sizeof c->r.dialled, text_of(c->dial_string));
    if (c->is_unobserved)
        f->figures.unobserved++;
    facts_tell_ended(f, c);
    facts_tell_call(f, c);
    call_free(f, c);
}

void call_end_if_empty(struct facts *f, struct call *c)
{
    if (!c->channels)
        call_end(f, c);
}

void call_close_unobserved(struct facts *f, struct call *c)
{
    struct node *n = &f->nodes[c->key.node];
    const int64_t now = f->stamp.at_us;

    f->stamp.at_us = c->last_us;        /* nobody knows more */
    c->is_unobserved = true;
    c->r.is_partial = true;
    for (size_t i = 0; i < c->leg_count; i++)
        if (!c->legs[i].pub.ended_us)
            c->legs[i].pub.ended_us = c->last_us;
    while (c->channels) {
        trust_forget(f, n, c->channels);
        channel_release(f, c->channels);
    }
    call_end(f, c);
    f->stamp.at_us = now;
}
