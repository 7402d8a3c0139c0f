/* The channels of Asterisk: found again by Uniqueid, paired when they are Local, followed to their Hangup. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

enum { CHANNELS_A_CALL = 8 };     /* on average: the ceiling of all together */

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

void channel_link(struct call *c, struct channel *ch)
{
    ch->call = c;
    ch->prev = NULL;
    ch->next = c->channels;
    if (c->channels)
        c->channels->prev = ch;
    c->channels = ch;
}

void channel_unlink(struct channel *ch)
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
    if (f->channels.count >= f->opt.calls_max * CHANNELS_A_CALL) {
        f->figures.refused++;
        return NULL;
    }
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
    channel_link(c, ch);
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
            leg_tell(f, FACT_LEG_ANSWERED, c, l);
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

/* ---- leaving ---- */

/* What it was in the middle of does not follow it, nor outlast it. */
void channel_drop_visits(struct facts *f, struct channel *ch)
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

/* Forgets a channel: no bridge, call, mate or count points to it any more. */
void channel_release(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;
    struct leg *l = leg_of(ch);

    bridge_leave(f, ch);
    channel_drop_visits(f, ch);
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
    channel_unlink(ch);
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
