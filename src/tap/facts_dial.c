/* Phones that are dialled: by the caller's channel, by a queue, by Originate. */
#include <string.h>

#include "tap/facts_internal.h"

static enum dial_result result_of(struct text status)
{
    static const struct {
        struct text word;
        enum dial_result result;
    } words[] = {
        { TEXT("ANSWER"), DIAL_ANSWER }, { TEXT("BUSY"), DIAL_BUSY }, { TEXT("NOANSWER"), DIAL_NO_ANSWER }, { TEXT("CANCEL"), DIAL_CANCEL },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_eq(status, words[i].word))
            return words[i].result;
    return DIAL_FAILED;     /* CONGESTION CHANUNAVAIL ABORT ...; GOTO and CONTINUE come after an answer */
}

static void snapshot_dest(const struct tap_event *e, struct snapshot *s)
{
    *s = (struct snapshot){
        .uniqueid = tap_get(e, TAP_H_DESTUNIQUEID), .linkedid = tap_get(e, TAP_H_DESTLINKEDID), .channel = tap_get(e, TAP_H_DESTCHANNEL),
        .number = tap_get(e, TAP_H_DESTCALLERIDNUM), .name = tap_get(e, TAP_H_DESTCALLERIDNAME), .state = tap_get(e, TAP_H_DESTCHANNELSTATE),
        .context = tap_get(e, TAP_H_DESTCONTEXT), .exten = tap_get(e, TAP_H_DESTEXTEN),
    };
}

/* The second half of a Local channel dials: the pair only leads to the phone behind it, which takes its part. */
static void pass_on(struct facts *f, struct call *c, const struct channel *from, struct channel *to)
{
    struct leg *outer = leg_of(from), *inner = leg_of(to);

    if (!outer || !inner || outer == inner || !from->is_second_half || !from->mate)
        return;
    if (from->leg == c->primary_leg && !c->is_originate)
        return;
    if (!outer->is_hidden) {
        outer->is_hidden = true;
        facts_begin(f);
        facts_str(f, "channel", outer->pub.channel);
        facts_str(f, "into", inner->pub.channel);
        facts_tell(f, FACT_LEG_FOLDED, c);
    }
    inner->via = from->leg;
    memcpy(inner->pub.role, outer->pub.role, sizeof inner->pub.role);
}

static void tell_dialled(struct facts *f, struct call *c, const struct leg *l)
{
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_str(f, "number", l->pub.number);
    facts_str(f, "name", l->pub.name);
    facts_str(f, "role", l->pub.role[0] ? l->pub.role : "callee");
    facts_tell(f, FACT_LEG_STARTED, c);
}

static void begin(struct facts *f, const struct tap_event *e, struct channel *from, struct channel *to)
{
    struct call *c = to->call;
    struct leg *l = leg_of(to);

    call_settle(f, c);
    if (!to->is_dialled) {
        to->is_dialled = true;
        c->dials++;
    }
    if (from && from->call == c)
        pass_on(f, c, from, to);
    if (!c->dial_string[0])
        text_copy(c->dial_string, sizeof c->dial_string, tap_get(e, TAP_H_DIALSTRING));
    if (from && from == c->primary) {
        app_over(f, from);
        if (c->attempt != ATTEMPT_QUEUE || c->r.queue_outcome != QUEUE_WAITING) {
            c->attempt = ATTEMPT_DIAL;
            c->dial = DIAL_NONE;
        }
    }
    if (!l)
        return;
    if (from && !l->pub.role[0])
        text_copy(l->pub.role, sizeof l->pub.role, text_of(from->next_role ? from->next_role : "callee"));
    if (!l->is_hidden && to->leg != c->primary_leg)
        tell_dialled(f, c, l);
    call_dirty(f, c);
}

static void state(struct facts *f, const struct tap_event *e, struct channel *to)
{
    struct call *c = to->call;
    struct leg *l = leg_of(to);

    if (!text_eq(tap_get(e, TAP_H_DIALSTATUS), TEXT("RINGING")) || !l || l->is_rung)
        return;
    l->is_rung = true;
    if (c->is_rung || c->r.answered_us)
        return;
    c->is_rung = true;
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_str(f, "number", l->pub.number);
    facts_tell(f, FACT_CALL_RINGING, c);
}

/* No longer rings: answered, given up, gone. */
void dial_over(struct facts *f, struct channel *ch)
{
    struct call *c = ch->call;

    call_settle(f, c);
    ch->is_dialled = false;
    c->dials -= c->dials > 0;
    call_dirty(f, c);
}

static void end(struct facts *f, const struct tap_event *e, struct channel *from, struct channel *to)
{
    struct call *c = to->call;
    const struct leg *l = leg_of(to);
    const struct text status = tap_get(e, TAP_H_DIALSTATUS);
    const enum dial_result result = result_of(status);
    const bool was_dialled = to->is_dialled;

    if (!was_dialled)       /* a queue ends it twice (seen) */
        return;
    dial_over(f, to);
    if (!from || from == c->primary) {
        const bool is_own = !from && to == c->primary;      /* the phone that Originate called */

        if (is_own && result != DIAL_ANSWER && c->attempt == ATTEMPT_NONE)
            c->attempt = ATTEMPT_DIAL;
        if (c->attempt == ATTEMPT_DIAL && c->dial != DIAL_ANSWER && (is_own || from))
            c->dial = result;
        if (result == DIAL_ANSWER && !c->dial_answered_us && from) {
            c->dial_answered_us = f->stamp.at_us;
            if (l)
                text_copy(c->r.answered_by, sizeof c->r.answered_by, leg_label(c, l));
        }
    }
    if (!l || l->is_hidden || to->leg == c->primary_leg)
        return;
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_text(f, "status", status);
    facts_text(f, "forward", tap_get(e, TAP_H_FORWARD));
    facts_tell(f, FACT_LEG_DIALLED, c);
}

/* Dial() that could not even begin with a phone says so by its variable only. */
void dial_status(struct facts *f, struct channel *ch, struct text status)
{
    struct call *c = ch->call;

    if (ch == c->primary && status.n && c->attempt == ATTEMPT_DIAL && c->dial == DIAL_NONE && !text_eq(status, TEXT("ANSWER"))) {
        c->dial = result_of(status);
        call_dirty(f, c);
    }
}

void dial_event(struct facts *f, const struct tap_event *e)
{
    struct snapshot dest, caller;
    struct channel *from, *to;

    snapshot_dest(e, &dest);
    snapshot_of(e, &caller);
    from = channel_find(f, e->node, caller.uniqueid);
    to = channel_find(f, e->node, dest.uniqueid);
    if (from) {
        channel_update(f, from, &caller);
        channel_rekey(f, from, caller.linkedid);
        call_touch(f, from->call);
        if (from == from->call->primary)
            call_note_dialled(f, from->call, caller.exten, caller.context);
    }
    if (!to && e->name == TAP_E_DIALBEGIN && dest.uniqueid.n && !facts_was_ended(f, map_hash(e->node, dest.uniqueid)))
        to = channel_open(f, e->node, &dest);
    if (!to)
        return;
    channel_update(f, to, &dest);
    channel_rekey(f, to, dest.linkedid);
    call_touch(f, to->call);
    if (e->name == TAP_E_DIALBEGIN)
        begin(f, e, from, to);
    else if (e->name == TAP_E_DIALSTATE)
        state(f, e, to);
    else
        end(f, e, from, to);
}

/* ---- Originate ---- */

static const char *why_of(int64_t reason)
{
    switch (reason) {
    case 1:
        return "hung up";
    case 3:
        return "no answer";
    case 5:
        return "busy";
    case 8:
        return "congestion";
    default:
        return "failure";
    }
}

/* May come before the first event of its channel (seen), and for one that never was. */
void originate_event(struct facts *f, const struct tap_event *e)
{
    const struct channel *ch = channel_find(f, e->node, tap_get(e, TAP_H_UNIQUEID));
    const bool is_answered = text_eq_nocase(tap_get(e, TAP_H_RESPONSE), TEXT("Success"));
    const int64_t reason = facts_number(tap_get(e, TAP_H_REASON), 0);

    facts_begin(f);
    facts_text(f, "channel", tap_get(e, TAP_H_CHANNEL));
    facts_text(f, "context", tap_get(e, TAP_H_CONTEXT));
    facts_text(f, "exten", tap_get(e, TAP_H_EXTEN));
    facts_text(f, "application", tap_get(e, TAP_H_APPLICATION));
    if (!is_answered) {
        facts_int(f, "reason", reason);
        facts_str(f, "why", why_of(reason));
    }
    facts_tell(f, is_answered ? FACT_ORIGINATE_ANSWERED : FACT_ORIGINATE_FAILED, ch ? ch->call : NULL);
}
