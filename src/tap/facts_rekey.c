/* A channel whose Linkedid changes: the call is renamed, or the leg moves to another. */
#include <string.h>

#include "tap/facts_internal.h"

static void tell_rekeyed(struct facts *f, const struct call *c, const char *from, const char *into, bool joined)
{
    facts_begin(f);
    facts_str(f, "from", from);
    facts_str(f, "into", into);
    facts_bool(f, "joined", joined);
    facts_tell(f, FACT_CALL_REKEYED, c);
}

/* The whole call carries another id from now on. */
static void rename_call(struct facts *f, struct call *c, struct text linkedid)
{
    const uint32_t node = c->key.node;
    char from[CALL_ID_MAX];

    memcpy(from, c->key.id, sizeof from);
    map_drop(&f->calls, &c->key);
    map_put(&f->calls, &c->key, map_hash(node, linkedid), node, linkedid);
    if (!c->r.was[0])
        memcpy(c->r.was, from, sizeof c->r.was);
    memcpy(c->r.id, c->key.id, sizeof c->r.id);
    call_dirty(f, c);
    tell_rekeyed(f, c, from, c->key.id, false);
}

static void move_one(struct facts *f, struct channel *ch, struct call *to, uint16_t leg)
{
    struct call *from = ch->call;
    struct leg *old = leg_of(ch);

    if (ch->is_dialled && from->dials)
        from->dials--;
    if (ch->is_holding && from->holds)
        from->holds--;
    if (old && old->channels && --old->channels == 0 && !old->pub.ended_us)
        old->pub.ended_us = f->stamp.at_us;
    channel_drop_visits(f, ch);
    channel_unlink(ch);
    channel_link(to, ch);
    ch->leg = leg;
    if (ch->is_dialled)
        to->dials++;
    if (ch->is_holding)
        to->holds++;
    if (leg != LEG_NONE)
        to->legs[leg].channels++;
}

static uint16_t copy_leg(struct facts *f, struct call *to, const struct channel *ch)
{
    const struct leg *old = leg_of(ch);
    const struct snapshot s = { .uniqueid = text_make(ch->key.id, ch->key.id_n), .channel = text_of(ch->name), .number = text_of(ch->number) };
    const char *const role = ch->next_role ? ch->next_role : old ? old->pub.role : "";
    const int64_t answered = old ? old->pub.answered_us : 0, started = old ? old->pub.started_us : f->stamp.at_us;
    const uint16_t leg = leg_add(f, to, &s, strcmp(role, "caller") == 0 || strcmp(role, "originate") == 0 ? "joined" : role);

    if (leg != LEG_NONE) {
        to->legs[leg].pub.answered_us = answered;
        to->legs[leg].pub.started_us = started;
        if (old && old->pub.name[0])
            memcpy(to->legs[leg].pub.name, old->pub.name, sizeof old->pub.name);
    }
    return leg;
}

/* A Local channel moves with both halves: only the one in the bridge is told of its new Linkedid (seen). */
static void join_call(struct facts *f, struct channel *ch, struct call *to)
{
    struct call *from = ch->call;
    struct channel *mate = ch->mate && ch->mate->call == from ? ch->mate : NULL;
    const uint16_t leg = copy_leg(f, to, ch);
    const bool was_primary = ch == from->primary || (mate && mate == from->primary);
    bool is_empty;

    call_settle(f, from);
    call_settle(f, to);
    move_one(f, ch, to, leg);
    if (mate)
        move_one(f, mate, to, leg);
    to->is_hostile = to->is_hostile || from->is_hostile;
    to->r.is_suspect = to->r.is_suspect || from->r.is_suspect;
    if (leg != LEG_NONE)
        leg_tell(f, FACT_LEG_JOINED, to, &to->legs[leg]);
    call_dirty(f, from);
    call_dirty(f, to);
    is_empty = !from->channels;
    if (is_empty || was_primary) {
        tell_rekeyed(f, from, from->key.id, to->key.id, true);
        memcpy(from->joined, to->key.id, sizeof from->joined);
    }
    if (is_empty) {
        if (!from->r.answered_us) {
            from->r.answered_us = f->stamp.at_us;
            text_copy(from->r.answered_by, sizeof from->r.answered_by, text_of(to->r.caller[0] ? to->r.caller : to->key.id));
        }
        call_end(f, from);
    } else {
        call_refresh_connected(f, from);
    }
    call_refresh_connected(f, to);
}

void channel_rekey(struct facts *f, struct channel *ch, struct text linkedid)
{
    struct call *c = ch->call, *to;

    if (!linkedid.n || text_eq(text_of(ch->linkedid), text_head(linkedid, CALL_ID_MAX - 1)))
        return;
    text_copy(ch->linkedid, sizeof ch->linkedid, linkedid);
    if (text_eq(text_make(c->key.id, c->key.id_n), text_head(linkedid, CALL_ID_MAX - 1)))
        return;
    to = call_find(f, c->key.node, linkedid);
    if (to)
        join_call(f, ch, to);
    else
        rename_call(f, c, linkedid);
}
