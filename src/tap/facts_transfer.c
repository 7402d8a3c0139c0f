/* Transfers: who sent whom where. */
#include <string.h>

#include "tap/facts_internal.h"

static void record(struct facts *f, struct call *c, const char *kind, struct text by, struct text to, struct text result)
{
    struct item *it = call_item_add(f, c, ITEM_TRANSFER, text_of(kind));

    c->r.transfers++;
    if (!it)
        return;
    text_copy(it->who, sizeof it->who, by);
    text_copy(it->to, sizeof it->to, to);
    text_copy(it->result, sizeof it->result, result);
}

static struct text label(const struct channel *ch, struct text channel)
{
    const struct leg *l = ch ? leg_of(ch) : NULL;

    return l ? leg_label(ch->call, l) : facts_base(channel);
}

/* The transferer leaves; whom it transferred is the one that the call is about from now on. */
static void hand_over(struct channel *from, struct channel *to)
{
    if (from && to && from->call == to->call && from->call->primary == from)
        from->call->primary = to;
}

static void blind(struct facts *f, const struct tap_event *e)
{
    struct channel *by = channel_find(f, e->node, tap_get(e, TAP_H_TRANSFERERUNIQUEID));
    struct channel *who = channel_find(f, e->node, tap_get(e, TAP_H_TRANSFEREEUNIQUEID));
    const struct text exten = tap_get(e, TAP_H_EXTENSION), result = tap_get(e, TAP_H_RESULT);
    struct call *c = who ? who->call : by ? by->call : NULL;

    if (!c)
        return;
    call_touch(f, c);
    if (by && by->is_holding)
        hold_end(f, by);
    record(f, c, "blind", label(by, tap_get(e, TAP_H_TRANSFERERCHANNEL)), exten, result);
    facts_begin(f);
    facts_text(f, "by", label(by, tap_get(e, TAP_H_TRANSFERERCHANNEL)));
    facts_text(f, "by_channel", tap_get(e, TAP_H_TRANSFERERCHANNEL));
    facts_text(f, "transferee", label(who, tap_get(e, TAP_H_TRANSFEREECHANNEL)));
    facts_text(f, "to", exten);
    facts_text(f, "context", tap_get(e, TAP_H_CONTEXT));
    facts_text(f, "result", result);
    facts_tell(f, FACT_TRANSFER_BLIND, c);
    if (!text_eq(result, TEXT("Success")))
        return;
    if (who)
        who->next_role = "transfer";
    hand_over(by, who);
}

/* The leg behind a Local channel that led to it, or the leg itself. */
static struct leg *target_leg(const struct channel *ch)
{
    struct leg *l = ch ? leg_of(ch) : NULL;

    if (!l || !l->is_hidden)
        return l;
    for (size_t i = 0; i < ch->call->leg_count; i++)
        if (ch->call->legs[i].via == ch->leg)
            return &ch->call->legs[i];
    return NULL;
}

static void attended(struct facts *f, const struct tap_event *e)
{
    struct channel *by = channel_find(f, e->node, tap_get(e, TAP_H_ORIGTRANSFERERUNIQUEID));
    struct channel *second = channel_find(f, e->node, tap_get(e, TAP_H_SECONDTRANSFERERUNIQUEID));
    struct channel *who = channel_find(f, e->node, tap_get(e, TAP_H_TRANSFEREEUNIQUEID));
    const struct channel *to = channel_find(f, e->node, tap_get(e, TAP_H_TRANSFERTARGETUNIQUEID));
    const struct text to_channel = tap_get(e, TAP_H_TRANSFERTARGETCHANNEL), result = tap_get(e, TAP_H_RESULT);
    struct leg *target = target_leg(to);
    struct call *c = who ? who->call : by ? by->call : to ? to->call : NULL;
    struct text to_text = to_channel.n ? facts_base(to_channel) : tap_get(e, TAP_H_DESTAPP);

    if (!c)
        return;
    call_touch(f, c);
    if (by && by->is_holding)
        hold_end(f, by);
    if (second && second->is_holding)
        hold_end(f, second);
    if (target && to->call == c) {
        text_copy(target->pub.role, sizeof target->pub.role, TEXT("transfer"));
        to_text = leg_label(c, target);
    }
    record(f, c, "attended", label(by, tap_get(e, TAP_H_ORIGTRANSFERERCHANNEL)), to_text, result);
    facts_begin(f);
    facts_text(f, "by", label(by, tap_get(e, TAP_H_ORIGTRANSFERERCHANNEL)));
    facts_text(f, "by_channel", tap_get(e, TAP_H_ORIGTRANSFERERCHANNEL));
    facts_text(f, "transferee", label(who, tap_get(e, TAP_H_TRANSFEREECHANNEL)));
    facts_text(f, "to", to_text);
    facts_text(f, "to_channel", to_channel);
    facts_text(f, "result", result);
    facts_tell(f, FACT_TRANSFER_ATTENDED, c);
    if (text_eq(result, TEXT("Success")))
        hand_over(by, who);
}

static void pickup(struct facts *f, const struct tap_event *e)
{
    const struct channel *ch = channel_find(f, e->node, tap_get(e, TAP_H_UNIQUEID));
    const struct channel *target = channel_find(f, e->node, tap_get(e, TAP_H_TARGETUNIQUEID));

    if (!target && !ch)
        return;
    facts_begin(f);
    facts_text(f, "channel", tap_get(e, TAP_H_CHANNEL));
    facts_text(f, "target", tap_get(e, TAP_H_TARGETCHANNEL));
    facts_tell(f, FACT_PICKUP, target ? target->call : ch->call);
}

void transfer_event(struct facts *f, const struct tap_event *e)
{
    if (e->name == TAP_E_BLINDTRANSFER)
        blind(f, e);
    else if (e->name == TAP_E_ATTENDEDTRANSFER)
        attended(f, e);
    else
        pickup(f, e);
}
