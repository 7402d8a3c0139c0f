/* Gaps: what was open stays open until it is known what is left; what is not left ends as unobserved. */
#include "tap/facts_internal.h"

/* From now on every channel of the node has to be heard of again. */
static void unsettle(struct facts *f, uint32_t node)
{
    struct node *n = &f->nodes[node];

    trust_release(f, n);
    n->generation++;
    n->is_unsettled = true;
    for (struct call *c = f->oldest; c; c = c->newer)
        if (c->key.node == node && !c->r.is_partial) {
            c->r.is_partial = true;
            call_dirty(f, c);
        }
}

static void up(struct facts *f, uint32_t node)
{
    struct node *n = &f->nodes[node];

    if (!n->is_unsettled)
        unsettle(f, node);
    n->has_envelope = false;
    n->head.name = TAP_E_OTHER;
}

static void drop_channel(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;
    struct leg *l;
    const uint16_t leg = ch->leg;

    trust_forget(f, &f->nodes[ch->key.node], ch);
    channel_release(f, ch);
    l = leg == LEG_NONE ? NULL : &c->legs[leg];
    if (l && l->channels == 0 && !l->pub.ended_us)
        l->pub.ended_us = c->last_us;
    call_dirty(f, c);
}

/* The channels that were not heard of since the gap are gone. */
static void settle(struct facts *f, uint32_t node)
{
    struct node *n = &f->nodes[node];
    struct call *next_call;

    for (struct call *c = f->oldest; c; c = next_call) {
        bool is_left = false;

        next_call = c->newer;
        if (c->key.node != node)
            continue;
        for (struct channel *ch = c->channels; ch; ch = ch->next)
            is_left |= ch->generation == n->generation;
        if (!is_left) {
            call_close_unobserved(f, c);
            continue;
        }
        for (struct channel *ch = c->channels, *next; ch; ch = next) {
            next = ch->next;
            if (ch->generation != n->generation)
                drop_channel(f, ch);
        }
        call_refresh_connected(f, c);
    }
    n->is_unsettled = n->is_listing = false;
}

/* A list that follows no gap (a break-in makes the tap ask for one) counts from its first line on. */
static void begin_list(struct node *n)
{
    if (!n->is_listing && !n->is_unsettled)
        n->generation++;
    n->is_listing = true;
}

/* "01:02:03" in microseconds. */
static int64_t duration_of(struct text t)
{
    int64_t seconds = 0;
    struct text part;

    while (text_cut(&t, ':', &part))
        seconds = seconds * 60 + facts_number(part, 0);
    return seconds > 0 && seconds < 366 * 86400 ? seconds * 1000000 : 0;
}

static void fill_in(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct call *c = ch->call;
    struct text bridge = tap_get(e, TAP_H_BRIDGEID);

    if (!bridge.n)
        bridge = tap_get(e, TAP_H_BRIDGEUNIQUEID);
    if (bridge.n)
        bridge_enter(f, ch, bridge, false);
    if (ch == c->primary && !c->r.application[0])
        text_copy(c->r.application, sizeof c->r.application, tap_get(e, TAP_H_APPLICATION));
}

static void began_before(const struct channel *ch, int64_t at)
{
    struct call *c = ch->call;
    struct leg *l = leg_of(ch);

    if (at < c->r.started_us)
        c->r.started_us = at;
    if (l && at < l->pub.started_us)
        l->pub.started_us = at;
}

/* A channel that exists now. Its Hangup may have come meanwhile, on the tap's own session. */
static void present(struct facts *f, const struct tap_event *e)
{
    struct snapshot s;
    struct channel *ch;

    snapshot_of(e, &s);
    if (!s.uniqueid.n || facts_was_ended(f, map_hash(e->node, s.uniqueid)))
        return;
    ch = channel_find(f, e->node, s.uniqueid);
    if (!ch) {
        f->opens_partial = true;
        ch = channel_open(f, e->node, &s);
        f->opens_partial = false;
        if (!ch)
            return;
        began_before(ch, f->stamp.at_us - duration_of(tap_get(e, TAP_H_DURATION)));
    }
    ch->generation = f->nodes[e->node].generation;
    channel_update(f, ch, &s);
    channel_rekey(f, ch, s.linkedid);
    channel_set_state(f, ch, (unsigned)facts_number(s.state, ch->state));
    fill_in(f, e, ch);
}

void gap_note(struct facts *f, const struct tap_event *e)
{
    struct node *n = &f->nodes[e->node];

    trust_release(f, n);
    switch (e->kind) {
    case TAP_UP:
        up(f, e->node);
        break;
    case TAP_DOWN:
    case TAP_LOST:
        unsettle(f, e->node);
        break;
    case TAP_PRESENT:
        begin_list(n);
        present(f, e);
        break;
    case TAP_PRESENT_END:
        begin_list(n);
        settle(f, e->node);
        break;
    case TAP_PRESENT_NONE:      /* without a gap it says nothing: a caller that breaks in must not end calls by it */
        if (n->is_unsettled)
            settle(f, e->node);
        n->is_listing = false;
        break;
    default:
        break;
    }
}
