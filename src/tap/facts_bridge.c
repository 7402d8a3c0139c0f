/* Who stands in a bridge with whom, and who put whom on hold. */
#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

static struct bridge *bridge_find(struct facts *f, uint32_t node, struct text id)
{
    return (struct bridge *)map_find(&f->bridges, map_hash(node, id), node, id);
}

static struct bridge *bridge_open(struct facts *f, uint32_t node, struct text id)
{
    struct bridge *b = bridge_find(f, node, id);

    if (b)
        return b;
    b = f->spare_bridges;
    if (b)
        f->spare_bridges = (struct bridge *)b->key.next;
    else
        b = malloc(sizeof *b);
    if (!b) {
        f->err = -ENOMEM;
        return NULL;
    }
    memset(b, 0, sizeof *b);
    map_put(&f->bridges, &b->key, map_hash(node, id), node, id);
    return b;
}

/* A bridge is known while somebody stands in it; so there are never more of them than channels. */
static void bridge_close(struct facts *f, struct bridge *b)
{
    map_drop(&f->bridges, &b->key);
    b->key.next = (struct named *)f->spare_bridges;
    f->spare_bridges = b;
}

static void refresh_members(struct facts *f, const struct bridge *b)
{
    const struct channel *next;

    /* Telling ends no call, so the list stays as it is. */
    for (const struct channel *ch = b->members; ch; ch = next) {
        next = ch->bridge_next;
        call_refresh_connected(f, ch->call);
    }
}

void bridge_leave(struct facts *f, struct channel *ch)
{
    struct bridge *b = ch->bridge;

    if (!b)
        return;
    if (ch->bridge_prev)
        ch->bridge_prev->bridge_next = ch->bridge_next;
    else
        b->members = ch->bridge_next;
    if (ch->bridge_next)
        ch->bridge_next->bridge_prev = ch->bridge_prev;
    ch->bridge = NULL;
    ch->bridge_prev = ch->bridge_next = NULL;
    b->count--;
    call_refresh_connected(f, ch->call);
    if (b->count == 0)
        bridge_close(f, b);
    else if (b->count == 1)
        refresh_members(f, b);
}

void bridge_enter(struct facts *f, struct channel *ch, struct text id, bool is_holding)
{
    struct bridge *b;

    if (ch->bridge && text_eq(text_make(ch->bridge->key.id, ch->bridge->key.id_n), text_head(id, CALL_ID_MAX - 1)))
        return;
    bridge_leave(f, ch);
    b = id.n ? bridge_open(f, ch->key.node, id) : NULL;
    if (!b)
        return;
    b->is_holding = is_holding;
    ch->bridge = b;
    ch->bridge_next = b->members;
    if (b->members)
        b->members->bridge_prev = ch;
    b->members = ch;
    b->count++;
    if (b->count == 2)
        refresh_members(f, b);
    else
        call_refresh_connected(f, ch->call);
}

void bridge_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    const struct text id = tap_get(e, TAP_H_BRIDGEUNIQUEID);

    if (e->name == TAP_E_BRIDGEENTER)
        bridge_enter(f, ch, id, text_eq(tap_get(e, TAP_H_BRIDGETECHNOLOGY), TEXT("holding_bridge")));
    else if (ch->bridge && text_eq(text_make(ch->bridge->key.id, ch->bridge->key.id_n), text_head(id, CALL_ID_MAX - 1)))
        bridge_leave(f, ch);
}

/* A leave was missed: nobody stands in a bridge that is no more. */
void bridge_destroy(struct facts *f, const struct tap_event *e)
{
    struct bridge *b = bridge_find(f, e->node, tap_get(e, TAP_H_BRIDGEUNIQUEID));

    while (b) {
        struct channel *ch = b->members;
        const bool is_last = b->count == 1;

        bridge_leave(f, ch);
        if (is_last)
            break;
    }
}

/* ---- hold ---- */

void hold_start(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;

    if (ch->is_holding)
        return;
    call_settle(f, c);
    ch->is_holding = true;
    ch->hold_at = f->stamp.at_us;
    c->holds++;
    call_dirty(f, c);
    facts_begin(f);
    facts_str(f, "channel", ch->name);
    facts_tell(f, FACT_HOLD_STARTED, c);
}

void hold_end(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;

    if (!ch->is_holding)
        return;
    call_settle(f, c);
    ch->is_holding = false;
    c->holds -= c->holds > 0;
    call_dirty(f, c);
    facts_begin(f);
    facts_str(f, "channel", ch->name);
    facts_int(f, "held_us", f->stamp.at_us - ch->hold_at);
    facts_tell(f, FACT_HOLD_ENDED, c);
}
