/* The channels of Asterisk: found again by Uniqueid, paired when they are Local, moved when their Linkedid changes. */
#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

/* ---- reading ---- */

enum slot { SLOT_NONE, SLOT_PRIVILEGE, SLOT_SYSTEM, SLOT_ACTION_ID, SLOT_CHANNEL, SLOT_STATE, SLOT_STATE_TEXT, SLOT_NUMBER, SLOT_NAME, SLOT_LINE_NUMBER,
            SLOT_LINE_NAME, SLOT_LANGUAGE, SLOT_ACCOUNT, SLOT_CONTEXT, SLOT_EXTEN, SLOT_PRIORITY, SLOT_UNIQUEID, SLOT_LINKEDID, SLOTS };

static const uint8_t slot_of[TAP_HEADERS_END] = {
    [TAP_H_PRIVILEGE] = SLOT_PRIVILEGE, [TAP_H_SYSTEMNAME] = SLOT_SYSTEM, [TAP_H_ACTIONID] = SLOT_ACTION_ID, [TAP_H_CHANNEL] = SLOT_CHANNEL,
    [TAP_H_CHANNELSTATE] = SLOT_STATE, [TAP_H_CHANNELSTATEDESC] = SLOT_STATE_TEXT, [TAP_H_CALLERIDNUM] = SLOT_NUMBER,
    [TAP_H_CALLERIDNAME] = SLOT_NAME, [TAP_H_CONNECTEDLINENUM] = SLOT_LINE_NUMBER, [TAP_H_CONNECTEDLINENAME] = SLOT_LINE_NAME,
    [TAP_H_LANGUAGE] = SLOT_LANGUAGE, [TAP_H_ACCOUNTCODE] = SLOT_ACCOUNT, [TAP_H_CONTEXT] = SLOT_CONTEXT, [TAP_H_EXTEN] = SLOT_EXTEN,
    [TAP_H_PRIORITY] = SLOT_PRIORITY, [TAP_H_UNIQUEID] = SLOT_UNIQUEID, [TAP_H_LINKEDID] = SLOT_LINKEDID,
};

static struct text value_at(const struct tap_event *e, const struct tap_field *field)
{
    return text_make((const char *)&e->fields[e->count] + field->value_at, field->value_n);
}

void snapshot_of(const struct tap_event *e, struct snapshot *s)
{
    const struct tap_field *first[SLOTS] = { 0 }, *uniqueid = NULL, *linkedid = NULL;
    unsigned found = 0;

    for (uint32_t i = 0; i < e->count; i++) {
        const unsigned slot = slot_of[e->fields[i].header];

        if (!slot)
            continue;
        uniqueid = slot == SLOT_UNIQUEID ? &e->fields[i] : uniqueid;
        linkedid = slot == SLOT_LINKEDID ? &e->fields[i] : linkedid;
        if (!first[slot]) {
            first[slot] = &e->fields[i];
            found += slot >= SLOT_CHANNEL;
        }
    }
#define VALUE(slot_) (first[slot_] ? value_at(e, first[slot_]) : TEXT_NONE)
    *s = (struct snapshot){
        .privilege = VALUE(SLOT_PRIVILEGE), .system = VALUE(SLOT_SYSTEM), .action_id = VALUE(SLOT_ACTION_ID), .uniqueid = VALUE(SLOT_UNIQUEID),
        .linkedid = VALUE(SLOT_LINKEDID), .channel = VALUE(SLOT_CHANNEL), .number = VALUE(SLOT_NUMBER), .name = VALUE(SLOT_NAME),
        .state = VALUE(SLOT_STATE), .context = VALUE(SLOT_CONTEXT), .exten = VALUE(SLOT_EXTEN),
        .last_uniqueid = uniqueid ? value_at(e, uniqueid) : TEXT_NONE, .last_linkedid = linkedid ? value_at(e, linkedid) : TEXT_NONE,
        .is_whole = found == SLOTS - SLOT_CHANNEL,
    };
#undef VALUE
}

struct channel *channel_find(struct facts *f, uint32_t node, struct text uniqueid)
{
    return uniqueid.n ? (struct channel *)map_find(&f->channels, map_hash(node, uniqueid), node, uniqueid) : NULL;
}

/* ---- opening ---- */

static bool is_half(struct text name, char which)
{
    return name.n > 2 && name.p[name.n - 2] == ';' && name.p[name.n - 1] == which && text_starts(name, TEXT("Local/"));
}

static struct channel *find_mate(const struct call *c, struct text name)
{
    if (!is_half(name, '1') && !is_half(name, '2'))
        return NULL;
    for (struct channel *ch = c->channels; ch; ch = ch->next)
        if (!ch->mate && strlen(ch->name) == name.n && memcmp(ch->name, name.p, name.n - 1) == 0 && ch->name[name.n - 1] != name.p[name.n - 1])
            return ch;
    return NULL;
}

static void link_to_call(struct call *c, struct channel *ch)
{
    ch->call = c;
    ch->prev = NULL;
    ch->next = c->channels;
    if (c->channels)
        c->channels->prev = ch;
    c->channels = ch;
}

static void unlink_from_call(struct channel *ch)
{
    struct call *c = ch->call;

    if (ch->prev)
        ch->prev->next = ch->next;
    else
        c->channels = ch->next;
    if (ch->next)
        ch->next->prev = ch->prev;
    if (c->primary == ch)
        c->primary = NULL;
}

static struct channel *fresh(struct facts *f)
{
    struct channel *ch = f->spare_channels;

    if (!ch)
        ch = malloc(sizeof *ch);
    else
        f->spare_channels = ch->next;
    if (!ch) {
        f->err = -ENOMEM;
        return NULL;
    }
    memset(ch, 0, offsetof(struct channel, linkedid));
    ch->linkedid[0] = ch->name[0] = ch->number[0] = ch->file[0] = '\0';
    for (int i = 0; i < ITEM_KINDS; i++)
        ch->item[i] = ITEM_NONE;
    ch->leg = LEG_NONE;
    return ch;
}

static void spare(struct facts *f, struct channel *ch)
{
    ch->next = f->spare_channels;
    f->spare_channels = ch;
}

static void call_started(struct facts *f, struct call *c, struct channel *ch, const struct snapshot *s)
{
    text_copy(c->r.caller, sizeof c->r.caller, facts_known(s->number));
    text_copy(c->r.caller_name, sizeof c->r.caller_name, facts_known(s->name));
    if (!c->is_originate)
        call_note_dialled(f, c, s->exten, s->context);
    facts_begin(f);
    facts_str(f, "caller", c->r.caller);
    facts_str(f, "caller_name", c->r.caller_name);
    facts_str(f, "dialled", c->r.dialled);
    facts_str(f, "context", c->r.context);
    facts_str(f, "channel", ch->name);
    facts_str(f, "origin", c->r.is_partial ? "unknown" : c->is_originate ? "originate" : "inbound");
    facts_tell(f, FACT_CALL_STARTED, c);
}

/* The first channel of a call is the caller's, unless it is another's Linkedid that it carries: then we came in the middle. */
static void make_primary(struct facts *f, struct call *c, struct channel *ch, const struct snapshot *s)
{
    c->primary = ch;
    c->is_originate = ch->is_outbound && !f->opens_partial;
    if (f->opens_partial || !text_eq(s->uniqueid, s->linkedid))
        c->r.is_partial = true;
    ch->leg = leg_add(f, c, s, c->is_originate ? "originate" : "caller");
    c->primary_leg = ch->leg;
}

/* We came in the middle, another leg was seen first, and now the caller's own channel shows. */
static void adopt_primary(struct facts *f, struct call *c, struct channel *ch, const struct snapshot *s)
{
    if (c->primary_leg != LEG_NONE)
        text_copy(c->legs[c->primary_leg].pub.role, sizeof c->legs[0].pub.role, TEXT("callee"));
    c->primary = ch;
    c->primary_leg = ch->leg;
    if (ch->leg != LEG_NONE)
        text_copy(c->legs[ch->leg].pub.role, sizeof c->legs[0].pub.role, TEXT("caller"));
    text_copy(c->r.caller, sizeof c->r.caller, facts_known(s->number));
    text_copy(c->r.caller_name, sizeof c->r.caller_name, facts_known(s->name));
    c->r.dialled[0] = c->r.context[0] = c->r.application[0] = '\0';
    call_note_dialled(f, c, s->exten, s->context);
}

struct channel *channel_open(struct facts *f, uint32_t node, const struct snapshot *s)
{
    const struct text linkedid = s->linkedid.n ? s->linkedid : s->uniqueid;
    struct call *c = call_find(f, node, linkedid);
    const bool is_new = !c;
    struct channel *ch, *mate;

    if (!s->uniqueid.n)
        return NULL;
    if (!c)
        c = call_open(f, node, linkedid);
    ch = c ? fresh(f) : NULL;
    if (!ch) {
        if (c && is_new) {
            call_free(f, c);
            f->figures.calls--;
        }
        return NULL;
    }
    map_put(&f->channels, &ch->key, map_hash(node, s->uniqueid), node, s->uniqueid);
    text_copy(ch->linkedid, sizeof ch->linkedid, linkedid);
    text_copy(ch->name, sizeof ch->name, s->channel);
    text_copy(ch->number, sizeof ch->number, facts_known(s->number));
    ch->generation = f->nodes[node].generation;
    ch->state = (uint8_t)facts_number(s->state, 0);
    ch->is_outbound = ch->state == 0;
    ch->is_second_half = is_half(s->channel, '2');
    mate = find_mate(c, s->channel);
    link_to_call(c, ch);
    call_touch(f, c);
    if (mate) {
        channel_pair(f, mate, ch);
        if (c->r.is_partial && c->primary == mate && text_eq(s->uniqueid, linkedid))
            adopt_primary(f, c, ch, s);
    } else if (is_new) {
        make_primary(f, c, ch, s);
    } else {
        ch->leg = leg_add(f, c, s, "");
        if (c->r.is_partial && text_eq(s->uniqueid, linkedid))
            adopt_primary(f, c, ch, s);
    }
    if (!mate && ch->leg != LEG_NONE)
        c->legs[ch->leg].channels = 1;
    if (is_new)
        call_started(f, c, ch, s);
    if (ch->state == STATE_UP) {
        ch->state = 0;
        channel_set_state(f, ch, STATE_UP);
    }
    return ch;
}

/* ---- pairing ---- */

/* Both halves share the leg of the first; the leg of the second, if it had one already, is hidden. */
void channel_pair(struct facts *f, struct channel *one, struct channel *two)
{
    struct leg *l = leg_of(two);

    if (one->mate || two->mate || one == two)
        return;
    one->mate = two;
    two->mate = one;
    if (one->call != two->call || one->leg == two->leg)
        return;
    if (l) {
        l->is_hidden = true;
        l->channels = 0;
    }
    two->leg = one->leg;
    if (one->leg != LEG_NONE)
        one->call->legs[one->leg].channels++;
    if (one->call->primary == two && one->key.id_n && !one->is_second_half)
        one->call->primary = one;
    call_dirty(f, one->call);
}

/* ---- changing ---- */

static void tell_leg(struct facts *f, enum fact kind, struct call *c, const struct leg *l)
{
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_str(f, "number", l->pub.number);
    facts_str(f, "role", l->pub.role[0] ? l->pub.role : "callee");
    facts_tell(f, kind, c);
}

void channel_set_state(struct facts *f, struct channel *ch, unsigned state)
{
    struct call *c = ch->call;
    struct leg *l = leg_of(ch);

    if (ch->state == state)
        return;
    ch->state = (uint8_t)state;
    if (state != STATE_UP)
        return;
    if (ch == c->primary)
        c->was_up = true;
    if (l && !l->pub.answered_us) {
        l->pub.answered_us = f->stamp.at_us;
        call_dirty(f, c);
        if (!l->is_hidden)
            tell_leg(f, FACT_LEG_ANSWERED, c, l);
    }
    app_up(f, ch);
}

static void keep_first(char *field, size_t size, struct text value, struct facts *f, struct call *c)
{
    if (field[0] || !value.n)
        return;
    text_copy(field, size, value);
    call_dirty(f, c);
}

/* Names change (masquerade), numbers become known (Originate, NewCallerid). */
void channel_update(struct facts *f, struct channel *ch, const struct snapshot *s)
{
    struct call *c = ch->call;
    const struct text number = facts_known(s->number), name = facts_known(s->name);
    struct leg *l = leg_of(ch);

    if (s->channel.n && !text_eq(text_of(ch->name), text_head(s->channel, sizeof ch->name - 1)))
        text_copy(ch->name, sizeof ch->name, s->channel);
    if (s->number.p && !text_eq(text_of(ch->number), text_head(number, sizeof ch->number - 1)))
        text_copy(ch->number, sizeof ch->number, number);
    if (ch->is_second_half || !l)
        return;
    if (!l->is_agent)       /* a queue gives the agent's channel the caller's number (seen) */
        keep_first(l->pub.number, sizeof l->pub.number, number, f, c);
    keep_first(l->pub.name, sizeof l->pub.name, name, f, c);
    if (ch->leg == c->primary_leg) {
        keep_first(c->r.caller, sizeof c->r.caller, number, f, c);
        keep_first(c->r.caller_name, sizeof c->r.caller_name, name, f, c);
    }
}

/* ---- moving ---- */

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

/* What it was in the middle of does not follow it, nor outlast it. */
static void drop_visits(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;
    const int queue = ch->item[ITEM_QUEUE];

    if (queue != ITEM_NONE && !c->items[queue].until_us) {
        call_settle(f, c);
        c->items[queue].until_us = f->stamp.at_us;
        c->waits -= c->waits > 0;
    }
    unpark(f, ch, "");
    for (int i = 0; i < ITEM_KINDS; i++)
        ch->item[i] = ITEM_NONE;
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
    drop_visits(f, ch);
    unlink_from_call(ch);
    link_to_call(to, ch);
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
        tell_leg(f, FACT_LEG_JOINED, to, &to->legs[leg]);
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

/* ---- leaving ---- */

/* Forgets a channel: no bridge, call, mate or count points to it any more. */
void channel_release(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;
    struct leg *l = leg_of(ch);

    bridge_leave(f, ch);
    drop_visits(f, ch);
    if (ch->is_dialled)
        dial_over(f, ch);
    if (ch->is_holding) {
        call_settle(f, c);
        ch->is_holding = false;
        c->holds -= c->holds > 0;
    }
    if (ch->mate)
        ch->mate->mate = NULL;
    if (l && l->channels)
        l->channels--;
    unlink_from_call(ch);
    map_drop(&f->channels, &ch->key);
    facts_mark_ended(f, ch->key.hash);
    spare(f, ch);
}

/* What Asterisk knows of the reason: a Local half often says 0 where its other half says 17 (seen). */
static void keep_cause(int32_t *kept, int32_t cause)
{
    if (*kept <= 0 && cause >= 0)
        *kept = cause;
}

void channel_hang_up(struct facts *f, struct channel *ch, int32_t cause, struct text cause_text)
{
    struct call *c = ch->call;
    struct leg *l = leg_of(ch);
    const uint16_t leg = ch->leg;
    const bool was_primary = ch == c->primary || (ch->mate && ch->mate == c->primary);

    call_touch(f, c);
    call_settle(f, c);
    if (ch->queue_left)
        queue_resolve(f, ch, TEXT_NONE, true);
    app_over(f, ch);
    if (ch->is_holding)
        hold_end(f, ch);
    if (l)
        keep_cause(&l->pub.cause, cause);
    if (c->r.cause <= 0 && (was_primary || leg == c->primary_leg || !c->primary)) {
        const int32_t before = c->r.cause;

        keep_cause(&c->r.cause, cause);
        if (c->r.cause != before)
            text_copy(c->r.cause_text, sizeof c->r.cause_text, cause_text);
    }
    channel_release(f, ch);
    l = leg == LEG_NONE ? NULL : &c->legs[leg];
    if (l && l->channels == 0)
        leg_end(f, c, l);
    call_refresh_connected(f, c);
    call_dirty(f, c);
    call_end_if_empty(f, c);
}
