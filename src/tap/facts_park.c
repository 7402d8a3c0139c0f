/* Parked calls and conferences: a channel waits, or talks, in a place with a name. */
#include <string.h>

#include "tap/facts_internal.h"

static struct item *visit_of(struct channel *ch, enum item_kind kind)
{
    return ch->item[kind] == ITEM_NONE ? NULL : &ch->call->items[ch->item[kind]];
}

static void begin(struct facts *f, const struct tap_event *e)
{
    facts_begin(f);
    facts_text(f, "space", tap_get(e, TAP_H_PARKINGSPACE));
    facts_text(f, "lot", tap_get(e, TAP_H_PARKINGLOT));
}

static void parked(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct call *c = ch->call;
    const struct item *visit = call_item_add(f, c, ITEM_PARK, tap_get(e, TAP_H_PARKINGSPACE));

    call_settle(f, c);
    if (visit) {
        ch->item[ITEM_PARK] = (int)c->item_count - 1;
        c->holds++;
    }
    begin(f, e);
    facts_int(f, "timeout_s", facts_number(tap_get(e, TAP_H_PARKINGTIMEOUT), 0));
    facts_text(f, "channel", tap_get(e, TAP_H_PARKEECHANNEL));
    facts_tell(f, FACT_PARK_PARKED, c);
}

void unpark(struct facts *f, struct channel *ch, const char *outcome)
{
    struct item *visit = visit_of(ch, ITEM_PARK);
    struct call *c = ch->call;

    if (!visit)
        return;
    call_settle(f, c);
    c->holds -= c->holds > 0;
    visit->until_us = f->stamp.at_us;
    text_copy(visit->result, sizeof visit->result, text_of(outcome));
    ch->item[ITEM_PARK] = ITEM_NONE;
    call_dirty(f, c);
}

static void retrieved(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct channel *by = channel_find(f, e->node, tap_get(e, TAP_H_RETRIEVERUNIQUEID));
    const struct text number = facts_known(tap_get(e, TAP_H_RETRIEVERCALLERIDNUM));

    unpark(f, ch, "retrieved");
    if (by)
        by->next_role = "park";
    begin(f, e);
    facts_text(f, "by", number.n ? number : facts_base(tap_get(e, TAP_H_RETRIEVERCHANNEL)));
    facts_int(f, "parked_s", facts_number(tap_get(e, TAP_H_PARKINGDURATION), 0));
    facts_tell(f, FACT_PARK_RETRIEVED, ch->call);
}

void park_event(struct facts *f, const struct tap_event *e)
{
    struct channel *ch = channel_find(f, e->node, tap_get(e, TAP_H_PARKEEUNIQUEID));
    const bool is_timeout = e->name == TAP_E_PARKEDCALLTIMEOUT;

    if (!ch)
        return;
    call_touch(f, ch->call);
    if (e->name == TAP_E_PARKEDCALL) {
        parked(f, e, ch);
        return;
    }
    if (e->name == TAP_E_UNPARKEDCALL) {
        retrieved(f, e, ch);
        return;
    }
    if (!is_timeout && e->name != TAP_E_PARKEDCALLGIVEUP)
        return;
    unpark(f, ch, is_timeout ? "timed_out" : "abandoned");
    if (is_timeout)
        ch->next_role = "park";
    begin(f, e);
    facts_int(f, "parked_s", facts_number(tap_get(e, TAP_H_PARKINGDURATION), 0));
    facts_tell(f, is_timeout ? FACT_PARK_TIMED_OUT : FACT_PARK_ABANDONED, ch->call);
}

/* ---- conferences ---- */

void conference_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct call *c = ch->call;
    const struct text name = tap_get(e, TAP_H_CONFERENCE);
    struct item *visit = visit_of(ch, ITEM_CONFERENCE);
    int64_t at;

    if (e->name == TAP_E_CONFBRIDGEJOIN) {
        if (!visit && call_item_add(f, c, ITEM_CONFERENCE, name))
            ch->item[ITEM_CONFERENCE] = (int)c->item_count - 1;
        if (ch == c->primary)
            call_answer(f, c, TEXT("app:ConfBridge"), text_of(ch->name));
        facts_begin(f);
        facts_text(f, "conference", name);
        facts_str(f, "channel", ch->name);
        facts_tell(f, FACT_CONFERENCE_JOINED, c);
        return;
    }
    at = visit ? visit->at_us : f->stamp.at_us;
    if (visit)
        visit->until_us = f->stamp.at_us;
    ch->item[ITEM_CONFERENCE] = ITEM_NONE;
    facts_begin(f);
    facts_text(f, "conference", name);
    facts_str(f, "channel", ch->name);
    facts_int(f, "stayed_us", f->stamp.at_us - at);
    facts_tell(f, FACT_CONFERENCE_LEFT, c);
    call_dirty(f, c);
}
