/* From events to calls: takes each event and hands it to the part that knows what it means. */
#include "tap/facts.h"

#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

enum { CALLS_MAX = 50000, JSON_MAX = 1024 * 1024, JSON_USUAL = 8192 };
#define IDLE_US ((int64_t)24 * 3600 * 1000000)

/* ---- small things ---- */

void facts_mark_ended(struct facts *f, uint64_t hash)
{
    f->ended[hash % ENDED_SLOTS] = hash;
}

bool facts_was_ended(const struct facts *f, uint64_t hash)
{
    return f->ended[hash % ENDED_SLOTS] == hash;
}

struct text facts_known(struct text t)
{
    return text_eq(t, TEXT("<unknown>")) ? TEXT_NONE : t;
}

int64_t facts_number(struct text t, int64_t otherwise)
{
    int64_t value;

    return text_to_i64(t, &value) == 0 && value >= INT32_MIN && value <= INT32_MAX ? value : otherwise;
}

/* ---- life ---- */

int facts_new(struct facts **out, const struct facts_options *opt, const struct facts_handlers *on, void *arg)
{
    struct facts *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    f->opt = *opt;
    if (!f->opt.calls_max)
        f->opt.calls_max = CALLS_MAX;
    if (!f->opt.idle_us)
        f->opt.idle_us = IDLE_US;
    f->on = *on;
    f->arg = arg;
    buf_init(&f->json, JSON_MAX);
    buf_init(&f->details, JSON_MAX);
    f->nodes = calloc(opt->nodes ? opt->nodes : 1, sizeof *f->nodes);
    f->ended = calloc(ENDED_SLOTS, sizeof *f->ended);
    f->scratch = calloc(CALL_LEGS_MAX, sizeof *f->scratch);
    if (!buf_room(&f->json, JSON_USUAL) || !buf_room(&f->details, JSON_USUAL) || !f->nodes || !f->ended || !f->scratch ||
        map_init(&f->channels) || map_init(&f->calls) || map_init(&f->bridges)) {
        facts_free(f);
        return -ENOMEM;
    }
    *out = f;
    return 0;
}

static void free_calls(struct call *c)
{
    for (struct call *next; c; c = next) {
        next = c->newer;
        for (struct channel *ch = c->channels, *after; ch; ch = after) {
            struct bridge *b = ch->bridge;

            after = ch->next;
            if (b && --b->count == 0)
                free(b);
            free(ch);
        }
        free(c->legs);
        free(c->items);
        free(c);
    }
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    free_calls(f->oldest);
    for (struct call *c = f->spare_calls; c; c = c->newer)
        c->channels = NULL;
    free_calls(f->spare_calls);
    for (struct channel *ch = f->spare_channels, *next; ch; ch = next) {
        next = ch->next;
        free(ch);
    }
    for (struct bridge *b = f->spare_bridges, *next; b; b = next) {
        next = (struct bridge *)b->key.next;
        free(b);
    }
    map_free(&f->channels);
    map_free(&f->calls);
    map_free(&f->bridges);
    buf_free(&f->json);
    buf_free(&f->details);
    free(f->nodes);
    free(f->ended);
    free(f->scratch);
    free(f);
}

/* ---- events ---- */

/* What a channel does that runs: when it is not known, we came in the middle. Some of it may also come just behind its Hangup; the rest
 * proves that a Hangup was a lie. */
enum life { LIFE_NONE, LIFE_OR_ECHO, LIFE };

static enum life life_of(uint16_t name)
{
    switch (name) {
    case TAP_E_NEWCALLERID:
    case TAP_E_NEWCONNECTEDLINE:
    case TAP_E_BRIDGEENTER:
        return LIFE_OR_ECHO;
    case TAP_E_NEWSTATE:
    case TAP_E_NEWEXTEN:
    case TAP_E_HOLD:
    case TAP_E_UNHOLD:
    case TAP_E_DTMFEND:
    case TAP_E_QUEUECALLERJOIN:
    case TAP_E_CONFBRIDGEJOIN:
    case TAP_E_ASYNCAGISTART:
    case TAP_E_AGIEXECSTART:
        return LIFE;
    default:
        return LIFE_NONE;
    }
}

static struct channel *open_partial(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    const enum life life = life_of(e->name);
    struct channel *ch;

    if (life == LIFE_NONE || (e->flags & TAP_SUSPECT) || (life == LIFE_OR_ECHO && facts_was_ended(f, map_hash(e->node, s->uniqueid))))
        return NULL;
    f->opens_partial = true;
    ch = channel_open(f, e->node, s);
    f->opens_partial = false;
    return ch;
}

/* The channel that an event is about, with what the event says of it. */
static struct channel *channel_of(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    struct channel *ch = channel_find(f, e->node, s->uniqueid);

    if (!ch)
        return open_partial(f, e, s);
    ch->generation = f->nodes[e->node].generation;
    if (!(e->flags & TAP_SUSPECT)) {
        ch->is_doubted = false;
        channel_update(f, ch, s);
        channel_rekey(f, ch, s->linkedid);
    } else if (trust_is_own(ch, s)) {
        ch->is_soiled = true;
    }
    call_touch(f, ch->call);
    return ch;
}

/* An id that is in use already: the end of the former holder was missed. */
static void new_channel(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    struct channel *ch = channel_find(f, e->node, s->uniqueid);
    const bool is_suspect = e->flags & TAP_SUSPECT;
    const struct call *c = call_find(f, e->node, s->linkedid);
    const bool is_clean = c && !c->is_hostile;

    if (ch && text_eq(text_of(ch->name), text_head(s->channel, sizeof ch->name - 1))) {
        channel_of(f, e, s);
        return;
    }
    if (is_suspect && (ch || is_clean))
        return;
    if (ch) {
        struct call *old = ch->call;

        trust_forget(f, &f->nodes[e->node], ch);
        old->r.is_partial = true;
        channel_release(f, ch);
        if (!old->channels)
            call_close_unobserved(f, old);
    }
    ch = channel_open(f, e->node, s);
    if (!ch || !is_suspect)
        return;
    ch->call->is_hostile = ch->call->r.is_suspect = true;
    trust_doubt(f, ch);
}

static void local_bridge(struct facts *f, const struct tap_event *e)
{
    struct channel *one = channel_find(f, e->node, tap_get(e, TAP_H_LOCALONEUNIQUEID));
    struct channel *two = channel_find(f, e->node, tap_get(e, TAP_H_LOCALTWOUNIQUEID));

    if (one && two)
        channel_pair(f, one, two);
}

/* Events about one channel. */
static void channel_event(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    struct channel *ch = channel_of(f, e, s);

    if (!ch)
        return;
    switch (e->name) {
    case TAP_E_VARSET:
        variable_event(f, e, ch);
        break;
    case TAP_E_NEWEXTEN:
        app_begin(f, e, ch, s);
        break;
    case TAP_E_NEWSTATE:
        channel_set_state(f, ch, (unsigned)facts_number(s->state, ch->state) & 0xff);
        break;
    case TAP_E_BRIDGEENTER:
    case TAP_E_BRIDGELEAVE:
        bridge_event(f, e, ch);
        break;
    case TAP_E_HOLD:
        hold_start(f, ch);
        break;
    case TAP_E_UNHOLD:
        hold_end(f, ch);
        break;
    case TAP_E_QUEUECALLERJOIN:
    case TAP_E_QUEUECALLERLEAVE:
    case TAP_E_QUEUECALLERABANDON:
    case TAP_E_AGENTCALLED:
    case TAP_E_AGENTCONNECT:
    case TAP_E_AGENTCOMPLETE:
    case TAP_E_AGENTRINGNOANSWER:
    case TAP_E_AGENTDUMP:
        queue_event(f, e, ch);
        break;
    case TAP_E_CONFBRIDGEJOIN:
    case TAP_E_CONFBRIDGELEAVE:
        conference_event(f, e, ch);
        break;
    case TAP_E_MIXMONITORSTART:
    case TAP_E_MIXMONITORSTOP:
    case TAP_E_DTMFEND:
    case TAP_E_AGIEXECSTART:
    case TAP_E_AGIEXECEND:
    case TAP_E_ASYNCAGISTART:
    case TAP_E_ASYNCAGIEXEC:
    case TAP_E_ASYNCAGIEND:
        app_event(f, e, ch);
        break;
    default:
        break;
    }
}

static void hangup(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    struct channel *ch = channel_find(f, e->node, s->uniqueid);

    if (ch)
        trust_hang_up(f, e, ch, s);
}

static void event(struct facts *f, const struct tap_event *e, const struct snapshot *s)
{
    switch (e->name) {
    case TAP_E_NEWCHANNEL:
        new_channel(f, e, s);
        break;
    case TAP_E_HANGUP:
        hangup(f, e, s);
        break;
    case TAP_E_DIALBEGIN:
    case TAP_E_DIALSTATE:
    case TAP_E_DIALEND:
        dial_event(f, e);
        break;
    case TAP_E_LOCALBRIDGE:
        local_bridge(f, e);
        break;
    case TAP_E_BRIDGEDESTROY:
        bridge_destroy(f, e);
        break;
    case TAP_E_BLINDTRANSFER:
    case TAP_E_ATTENDEDTRANSFER:
    case TAP_E_PICKUP:
        transfer_event(f, e);
        break;
    case TAP_E_PARKEDCALL:
    case TAP_E_UNPARKEDCALL:
    case TAP_E_PARKEDCALLTIMEOUT:
    case TAP_E_PARKEDCALLGIVEUP:
        park_event(f, e);
        break;
    case TAP_E_ORIGINATERESPONSE:
        originate_event(f, e);
        break;
    case TAP_E_QUEUEMEMBERPAUSE:
    case TAP_E_QUEUEMEMBERADDED:
    case TAP_E_QUEUEMEMBERREMOVED:
    case TAP_E_AGENTLOGIN:
    case TAP_E_AGENTLOGOFF:
        queue_member_event(f, e);
        break;
    case TAP_E_CDR:
    case TAP_E_CEL:
    case TAP_E_OTHER:
        break;
    default:
        if (s->uniqueid.n)
            channel_event(f, e, s);
        break;
    }
}

/* ---- taking ---- */

static void stamp(struct facts *f, const struct tap_event *e)
{
    const int64_t at = e->order_us > 0 ? e->order_us : e->emit_us != TAP_NO_TIME && e->emit_us > 0 ? e->emit_us : e->recv_us;

    f->stamp = (struct call_fact){ .node = e->node, .session = e->session, .seq = e->seq, .at_us = at };
    f->recv_us = e->recv_us > 0 ? e->recv_us : at;
    f->err = 0;
}

/* By the time of arrival, which no caller writes. */
static void close_idle(struct facts *f)
{
    while (f->oldest && f->recv_us - f->oldest->touched_us > f->opt.idle_us)
        call_close_unobserved(f, f->oldest);
}

int facts_take(struct facts *f, const struct tap_event *e)
{
    struct snapshot s;

    if (e->node >= f->opt.nodes && (f->opt.nodes || e->node))
        return 0;
    f->figures.events++;
    stamp(f, e);
    close_idle(f);
    if (e->kind > TAP_FORGED)
        gap_note(f, e);
    else if (trust_take(f, e, &s))
        event(f, e, &s);
    return f->err;
}

void facts_flush(struct facts *f)
{
    for (size_t i = 0; i < f->opt.nodes || i == 0; i++)
        trust_release(f, &f->nodes[i]);
    trust_sweep(f);
    while (f->dirty) {
        struct call *c = f->dirty;

        f->dirty = c->dirty_next;
        c->is_dirty = false;
        facts_tell_call(f, c);
    }
}

size_t facts_open_of(const struct facts *f, uint32_t node)
{
    size_t count = 0;

    for (const struct call *c = f->oldest; c; c = c->newer)
        count += c->key.node == node;
    return count;
}

void facts_figures_of(const struct facts *f, struct facts_figures *out)
{
    *out = f->figures;
    out->open = f->calls.count;
    out->channels = f->channels.count;
}
