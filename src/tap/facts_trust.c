/* What a caller cannot forge, and what it can: which events may end a call.
 *
 * A number with CR LF in it stands raw in every event of its call (seen: CallerIDNum, ConnectedLineNum, AccountCode, Language). So within one
 * event of Asterisk, everything between the caller's number and the rest of that event may be the caller's: lines, and whole events. What
 * it cannot touch is the head (Event ... Channel, ChannelState: they stand before any number) and the tail (Uniqueid, Linkedid, Cause:
 * they stand behind). Through SIP it has 79 bytes for that (a longer number is cut, seen), through ARI and AMI as many as it likes. Hence:
 *   1. An event without the envelope of its session (Privilege, Timestamp, SystemName) is forged: it changes nothing.
 *   2. An event that lacks its tail was broken in two: it changes nothing; the block that brings its tail closes it. If both name
 *      the same channel, and the call was a hostile one from its first event, then the broken Hangup is the caller's own and counts.
 *      What stands between the two changes nothing.
 *   3. A Hangup counts when it is whole, nothing stands twice in it, its channel is known under that Uniqueid, that name, that
 *      number and that Linkedid, and the block behind it is not forged: so it is held until the next block of the node, or the flush.
 *      Where earlier events of the channel carried lines that somebody put in, and yet their first Channel and their last ids agreed, the Hangup may
 *      carry them too: with head and tail its own, it can be nobody else's.
 *   4. A Hangup that is not believed makes its channel doubted; a call of which nothing but that is heard for ten minutes ends
 *      as unobserved. An event of the channel takes the doubt away.
 * Left: who knows channel, ids and number of another's call, and writes the rest so that no block is odd, can end its record; the next event
 * of that call opens it again, as partial. */
#include <string.h>

#include "tap/facts_internal.h"

enum { HEAD_BLOCKS = 8, CONTRARY_MAX = 64 };
#define TELL_EVERY_US 1000000
#define DOUBT_US ((int64_t)600 * 1000000)

/* ---- telling ---- */

void trust_tell(struct facts *f, uint32_t node)
{
    struct break_in *b = &f->nodes[node].break_in;

    if (!b->blocks && !b->disbelieved)
        return;
    f->stamp.node = node;
    facts_begin(f);
    facts_int(f, "blocks", (int64_t)b->blocks);
    facts_int(f, "disbelieved", (int64_t)b->disbelieved);
    facts_str(f, "channel", b->channel);
    facts_str(f, "sample", b->sample);
    facts_tell_id(f, FACT_BREAK_IN, b->call);
    b->blocks = b->disbelieved = 0;
    b->told_us = f->stamp.at_us;
}

static bool is_due(const struct facts *f, const struct break_in *b)
{
    return f->stamp.at_us - b->told_us >= TELL_EVERY_US || f->stamp.at_us < b->told_us;
}

/* One block more that Asterisk did not write as it stands. At once for a call that is new to it, else once a second. */
static void note(struct facts *f, uint32_t node, struct text linkedid, struct text channel, struct text sample, bool disbelieved)
{
    struct break_in *b = &f->nodes[node].break_in;
    struct call *c = linkedid.n ? call_find(f, node, linkedid) : NULL;
    bool is_new = !b->told_us;

    if (c && !c->r.is_suspect) {
        c->r.is_suspect = true;
        call_dirty(f, c);
    }
    if (linkedid.n && !text_eq(text_of(b->call), text_head(linkedid, CALL_ID_MAX - 1))) {
        is_new = true;
        trust_tell(f, node);
        text_copy(b->call, sizeof b->call, linkedid);
    }
    if (channel.n)
        text_copy(b->channel, sizeof b->channel, channel);
    if (!b->blocks && !b->disbelieved)
        text_copy(b->sample, sizeof b->sample, sample);
    b->blocks++;
    b->disbelieved += disbelieved;
    if (is_new || is_due(f, b))
        trust_tell(f, node);
}

/* ---- held Hangups ---- */

void trust_release(struct facts *f, struct node *n)
{
    struct held_hangup h = n->held;
    const struct call_fact stamp = f->stamp;
    const int64_t recv_us = f->recv_us;

    if (!h.channel)
        return;
    n->held.channel = NULL;
    f->stamp = h.stamp;
    f->recv_us = h.recv_us;
    channel_hang_up(f, h.channel, h.cause, text_of(h.cause_text));
    f->stamp = stamp;
    f->recv_us = recv_us;
}

void trust_forget(struct facts *f, struct node *n, const struct channel *ch)
{
    (void)f;
    if (n->held.channel == ch)
        n->held.channel = NULL;
}

void trust_doubt(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;

    ch->is_doubted = true;
    if (c->is_doubted)
        return;
    c->is_doubted = true;
    c->doubted_next = f->doubted;
    f->doubted = c;
}

static void disbelieve_held(struct facts *f, uint32_t node)
{
    struct node *n = &f->nodes[node];
    struct channel *ch = n->held.channel;

    if (!ch)
        return;
    n->held.channel = NULL;
    f->figures.disbelieved++;
    n->break_in.disbelieved++;
    trust_doubt(f, ch);
}

static bool is_only_doubted(const struct call *c)
{
    for (const struct channel *ch = c->channels; ch; ch = ch->next)
        if (!ch->is_doubted)
            return false;
    return true;
}

void trust_sweep(struct facts *f)
{
    struct call **at = &f->doubted, *c;

    while ((c = *at)) {
        const bool is_over = is_only_doubted(c) && f->recv_us - c->touched_us > DOUBT_US;

        if (is_over)
            call_close_unobserved(f, c);        /* takes it off the list */
        else
            at = &c->doubted_next;
    }
}

static bool is_the_same(const char *known, struct text said, size_t size)
{
    return text_eq(text_of(known), text_head(said, size - 1));
}

/* A Local half takes over the number of whoever its other half talks to, and its Hangup may be the first to say so (seen). */
static bool has_its_number(const struct channel *ch, const struct snapshot *s)
{
    const struct text number = facts_known(s->number);

    return text_starts(text_of(ch->name), TEXT("Local/")) || is_the_same(ch->number, number.p ? number : TEXT(""), sizeof ch->number);
}

bool trust_is_own(const struct channel *ch, const struct snapshot *s)
{
    return s->is_whole && is_the_same(ch->name, s->channel, sizeof ch->name) && is_the_same(ch->key.id, s->last_uniqueid, sizeof ch->key.id) &&
           is_the_same(ch->linkedid, s->last_linkedid, sizeof ch->linkedid);
}

static bool is_believable(struct facts *f, const struct tap_event *e, const struct channel *ch, const struct snapshot *s)
{
    if (e->flags & TAP_CUT || !s->is_whole || !tap_get(e, TAP_H_CAUSE).p || !tap_get(e, TAP_H_CAUSE_TXT).p)
        return false;
    if (e->flags & TAP_SUSPECT)
        return ch->is_soiled && trust_is_own(ch, s);
    return is_the_same(ch->name, s->channel, sizeof ch->name) && has_its_number(ch, s) &&
           (is_the_same(ch->linkedid, s->linkedid, sizeof ch->linkedid) || call_find(f, e->node, s->linkedid));
}

void trust_hang_up(struct facts *f, const struct tap_event *e, struct channel *ch, const struct snapshot *s)
{
    struct node *n = &f->nodes[e->node];
    const int32_t cause = (int32_t)facts_number(tap_get(e, TAP_H_CAUSE), 0);

    if (ch->call->is_hostile && (e->flags & TAP_SUSPECT) && is_the_same(ch->name, s->channel, sizeof ch->name)) {
        channel_hang_up(f, ch, cause, tap_get(e, TAP_H_CAUSE_TXT));
        return;
    }
    if (!is_believable(f, e, ch, s)) {
        f->figures.disbelieved++;
        trust_doubt(f, ch);
        note(f, e->node, s->last_linkedid, s->channel, TEXT("Event: Hangup"), true);
        return;
    }
    n->held = (struct held_hangup){ .channel = ch, .stamp = f->stamp, .recv_us = f->recv_us, .cause = cause };
    text_copy(n->held.cause_text, sizeof n->held.cause_text, tap_get(e, TAP_H_CAUSE_TXT));
}

/* ---- broken events ---- */

/* Events that end with the ids of their channel. */
static bool carries_channel(uint16_t name)
{
    static const bool does[TAP_EVENTS_END] = {
        [TAP_E_NEWCHANNEL] = true, [TAP_E_NEWSTATE] = true, [TAP_E_NEWEXTEN] = true, [TAP_E_NEWCALLERID] = true, [TAP_E_NEWCONNECTEDLINE] = true,
        [TAP_E_NEWACCOUNTCODE] = true, [TAP_E_VARSET] = true, [TAP_E_DIALBEGIN] = true, [TAP_E_DIALSTATE] = true, [TAP_E_DIALEND] = true,
        [TAP_E_BRIDGEENTER] = true, [TAP_E_BRIDGELEAVE] = true, [TAP_E_HANGUP] = true, [TAP_E_HANGUPREQUEST] = true,
        [TAP_E_SOFTHANGUPREQUEST] = true, [TAP_E_HOLD] = true, [TAP_E_UNHOLD] = true, [TAP_E_MUSICONHOLDSTART] = true,
        [TAP_E_MUSICONHOLDSTOP] = true, [TAP_E_DTMFBEGIN] = true, [TAP_E_DTMFEND] = true, [TAP_E_QUEUECALLERJOIN] = true,
        [TAP_E_QUEUECALLERLEAVE] = true, [TAP_E_QUEUECALLERABANDON] = true, [TAP_E_AGENTCALLED] = true, [TAP_E_AGENTCONNECT] = true,
        [TAP_E_AGENTCOMPLETE] = true, [TAP_E_AGENTRINGNOANSWER] = true, [TAP_E_CONFBRIDGEJOIN] = true, [TAP_E_CONFBRIDGELEAVE] = true,
        [TAP_E_MIXMONITORSTART] = true, [TAP_E_MIXMONITORSTOP] = true, [TAP_E_AGIEXECSTART] = true, [TAP_E_AGIEXECEND] = true,
        [TAP_E_ASYNCAGISTART] = true, [TAP_E_ASYNCAGIEXEC] = true, [TAP_E_ASYNCAGIEND] = true,
    };

    return does[name];
}

static void open_head(struct node *n, const struct tap_event *e, const struct snapshot *s)
{
    n->head.name = e->name;
    n->head.left = HEAD_BLOCKS;
    n->head.state = (unsigned)facts_number(s->state, 0);
    text_copy(n->head.channel, sizeof n->head.channel, s->channel);
    text_copy(n->head.bridge, sizeof n->head.bridge, tap_get(e, TAP_H_BRIDGEUNIQUEID));
}

/* A hostile caller's own channel, known by the head and the tail of its broken Newchannel. */
static void open_hostile(struct facts *f, const struct tap_event *e, const struct broken_head *head, const struct snapshot *tail)
{
    const struct snapshot s = { .uniqueid = tail->last_uniqueid, .linkedid = tail->last_linkedid, .channel = text_of(head->channel),
                                .context = tail->context, .exten = tail->exten, .state = head->state ? TEXT("4") : TEXT("0") };
    struct channel *ch;

    if (call_find(f, e->node, s.linkedid))
        return;             /* a clean call takes no leg from a broken event */
    ch = channel_open(f, e->node, &s);
    if (!ch)
        return;
    ch->call->is_hostile = ch->call->r.is_suspect = true;
    trust_doubt(f, ch);
}

static void apply_broken(struct facts *f, const struct tap_event *e, const struct broken_head *head, struct channel *ch)
{
    struct text cause = TEXT_NONE, cause_text = TEXT_NONE, name, value;

    call_touch(f, ch->call);
    switch (head->name) {
    case TAP_E_NEWSTATE:
        channel_set_state(f, ch, head->state);
        break;
    case TAP_E_BRIDGEENTER:
        bridge_enter(f, ch, text_of(head->bridge), false);
        break;
    case TAP_E_BRIDGELEAVE:
        bridge_leave(f, ch);
        break;
    case TAP_E_HANGUP:
        for (size_t i = 0; tap_at(e, i, &name, &value); i++) {      /* the last of each: behind the caller's text */
            cause = e->fields[i].header == TAP_H_CAUSE ? value : cause;
            cause_text = e->fields[i].header == TAP_H_CAUSE_TXT ? value : cause_text;
        }
        channel_hang_up(f, ch, (int32_t)facts_number(cause, 0), cause_text);
        break;
    default:
        break;
    }
}

/* A block while an event stands broken: true when it brought the tail. */
static bool close_head(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    struct node *n = &f->nodes[e->node];
    const struct broken_head head = n->head;
    struct channel *ch = channel_find(f, e->node, s->last_uniqueid);
    const bool is_its_own = ch && is_the_same(ch->name, text_of(head.channel), sizeof ch->name);
    const bool is_new = !ch && head.name == TAP_E_NEWCHANNEL && s->last_uniqueid.n && s->last_linkedid.n &&
                        !facts_was_ended(f, map_hash(e->node, s->last_uniqueid));

    if (e->kind == TAP_FORGED || is_its_own || is_new || --n->head.left == 0)
        n->head.name = TAP_E_OTHER;
    if (is_new)
        open_hostile(f, e, &head, s);
    if (is_its_own && ch->call->is_hostile)
        apply_broken(f, e, &head, ch);
    return is_its_own || is_new;
}

/* ---- every block ---- */

/* The session's first event, from before any caller of it, shows what Asterisk puts on all of them. A reload may change that.
 * FullyBooted is the login's own answer, with neither time nor name (seen). */
static bool has_envelope(struct node *n, const struct tap_event *e, const struct snapshot *s)
{
    const bool has_times = e->emit_us != TAP_NO_TIME, has_system = s->system.p != NULL;

    if (!s->privilege.p)
        return false;
    if (e->name == TAP_E_FULLYBOOTED)
        return true;
    if (n->has_envelope && (has_times != n->has_times || has_system != n->has_system) && ++n->contrary < CONTRARY_MAX)
        return false;
    n->has_envelope = true;
    n->has_times = has_times;
    n->has_system = has_system;
    n->contrary = 0;
    return true;
}

static bool forged(struct facts *f, const struct tap_event *e)
{
    struct node *n = &f->nodes[e->node];
    struct snapshot s;
    struct text name = TEXT(""), value;

    disbelieve_held(f, e->node);
    f->figures.forged++;
    snapshot_of(e, &s);
    for (size_t i = 0; !name.n && tap_at(e, i, &name, &value); i++) {
    }
    if (n->head.name != TAP_E_OTHER)
        close_head(f, e, &s);
    note(f, e->node, s.last_linkedid, TEXT(""), name, false);
    return false;
}

bool trust_take(struct facts *f, const struct tap_event *e, struct snapshot *s)
{
    struct node *n = &f->nodes[e->node];

    if (e->kind == TAP_FORGED)
        return forged(f, e);
    snapshot_of(e, s);
    if (!has_envelope(n, e, s)) {
        if (s->action_id.p && !s->privilege.p) {        /* an item of somebody's list */
            trust_release(f, n);
            return false;
        }
        disbelieve_held(f, e->node);
        f->figures.disbelieved += e->name == TAP_E_HANGUP;
        note(f, e->node, s->last_linkedid, TEXT_NONE, tap_event_name(e), e->name == TAP_E_HANGUP);
        if (n->head.name != TAP_E_OTHER)
            close_head(f, e, s);
        return false;
    }
    trust_release(f, n);
    if (n->break_in.blocks && is_due(f, &n->break_in))
        trust_tell(f, e->node);
    if (n->head.name != TAP_E_OTHER) {
        if (close_head(f, e, s))
            return false;
        if (n->head.name != TAP_E_OTHER) {      /* between the head and the tail of one event stands nothing of Asterisk's */
            note(f, e->node, TEXT_NONE, TEXT_NONE, tap_event_name(e), e->name == TAP_E_HANGUP);
            f->figures.disbelieved += e->name == TAP_E_HANGUP;
            return false;
        }
    }
    if (!carries_channel(e->name) || !s->channel.p)
        return true;
    if (!s->uniqueid.n || !s->linkedid.n) {
        if (!(e->flags & TAP_CUT))
            open_head(n, e, s);
        note(f, e->node, s->last_linkedid, s->channel, tap_event_name(e), e->name == TAP_E_HANGUP);
        f->figures.disbelieved += e->name == TAP_E_HANGUP;
        return false;
    }
    if (!(e->flags & TAP_SUSPECT))
        return true;
    note(f, e->node, s->last_linkedid, s->channel, tap_event_name(e), false);
    s->uniqueid = s->last_uniqueid;
    s->linkedid = s->last_linkedid;
    return true;
}
