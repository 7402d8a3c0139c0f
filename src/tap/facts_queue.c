/* Queues: waiting callers, the agents that are called for them, and how the waiting ended. */
#include <string.h>

#include "tap/facts_internal.h"

static struct item *open_visit(struct channel *ch)
{
    return ch->item[ITEM_QUEUE] == ITEM_NONE ? NULL : &ch->call->items[ch->item[ITEM_QUEUE]];
}

static void stop_waiting(struct facts *f, struct channel *ch, struct item *visit)
{
    struct call *c = ch->call;

    if (visit->until_us)
        return;
    call_settle(f, c);
    c->waits -= c->waits > 0;
    visit->until_us = f->stamp.at_us;
    call_dirty(f, c);
}

static void join(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct call *c = ch->call;
    const struct text queue = tap_get(e, TAP_H_QUEUE);
    struct item *visit;

    if (ch->queue_left)
        queue_resolve(f, ch, TEXT_NONE, false);
    app_over(f, ch);
    call_settle(f, c);
    visit = call_item_add(f, c, ITEM_QUEUE, queue);
    if (!visit)
        return;
    ch->item[ITEM_QUEUE] = (int)c->item_count - 1;
    visit->number = (int32_t)facts_number(tap_get(e, TAP_H_POSITION), 0);
    text_copy(visit->result, sizeof visit->result, TEXT("waiting"));
    text_copy(c->r.queue, sizeof c->r.queue, queue);
    c->r.queue_outcome = QUEUE_WAITING;
    c->attempt = ATTEMPT_QUEUE;
    c->waits++;
    facts_begin(f);
    facts_text(f, "queue", queue);
    facts_int(f, "position", visit->number);
    facts_tell(f, FACT_QUEUE_JOINED, c);
}

static void conclude(struct facts *f, struct channel *ch, enum queue_outcome outcome)
{
    struct item *visit = open_visit(ch);

    stop_waiting(f, ch, visit);
    ch->call->r.queue_outcome = outcome;
    text_copy(visit->result, sizeof visit->result, text_of(queue_outcome_text(outcome)));
    ch->item[ITEM_QUEUE] = ITEM_NONE;
    ch->queue_left = ch->queue_abandoned = false;
    facts_begin(f);
    facts_str(f, "queue", visit->what);
}

static void answered(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct call *c = ch->call;
    struct item *visit = open_visit(ch);
    const struct text agent = tap_get(e, TAP_H_MEMBERNAME);

    text_copy(c->r.agent, sizeof c->r.agent, agent);
    if (!visit)
        return;
    text_copy(visit->who, sizeof visit->who, agent);
    conclude(f, ch, QUEUE_ANSWERED);
    facts_text(f, "agent", agent);
    facts_text(f, "interface", tap_get(e, TAP_H_INTERFACE));
    facts_int(f, "wait_us", visit->until_us - visit->at_us);
    facts_tell(f, FACT_QUEUE_ANSWERED, c);
}

/* Asterisk says Abandon also when the queue's time is over (seen): what the channel does next tells which. */
static void abandoned(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    struct item *visit = open_visit(ch);

    if (!visit)
        return;
    visit->number = (int32_t)facts_number(tap_get(e, TAP_H_POSITION), 0);
    visit->first_number = (int32_t)facts_number(tap_get(e, TAP_H_ORIGINALPOSITION), 0);
    stop_waiting(f, ch, visit);
    ch->queue_left = ch->queue_abandoned = true;
}

static void tell_abandoned(struct facts *f, struct channel *ch, const struct item *visit)
{
    conclude(f, ch, QUEUE_ABANDONED);
    facts_int(f, "position", visit->number);
    facts_int(f, "original_position", visit->first_number);
    facts_int(f, "wait_us", visit->until_us - visit->at_us);
    facts_tell(f, FACT_QUEUE_ABANDONED, ch->call);
}

/* QueueCallerLeave comes before AgentConnect and after Abandon (seen): by itself it says only that the waiting is over. */
static void left(struct facts *f, struct channel *ch)
{
    struct item *visit = open_visit(ch);

    if (!visit)
        return;
    stop_waiting(f, ch, visit);
    ch->queue_left = true;
}

void queue_resolve(struct facts *f, struct channel *ch, struct text status, bool is_gone)
{
    const struct item *visit = open_visit(ch);
    const bool timed_out = text_eq(status, TEXT("TIMEOUT")) || (ch->queue_abandoned && !status.n && !is_gone);

    ch->queue_left = false;
    if (!visit)
        return;
    if (is_gone && ch->queue_abandoned) {
        tell_abandoned(f, ch, visit);
        return;
    }
    conclude(f, ch, timed_out ? QUEUE_TIMED_OUT : QUEUE_LEFT);
    facts_int(f, "wait_us", visit->until_us - visit->at_us);
    if (!timed_out)
        facts_text(f, "why", status.n ? status : TEXT("key"));
    facts_tell(f, timed_out ? FACT_QUEUE_TIMED_OUT : FACT_QUEUE_LEFT, ch->call);
}

void queue_refused(struct facts *f, struct channel *ch, struct text status)
{
    struct call *c = ch->call;
    struct item *visit;

    if (!text_starts(status, TEXT("JOIN")) && !text_eq(status, TEXT("FULL")))
        return;
    visit = call_item_add(f, c, ITEM_QUEUE, text_of(c->r.queue));
    c->r.queue_outcome = QUEUE_LEFT;
    if (visit) {
        visit->until_us = visit->at_us;
        text_copy(visit->result, sizeof visit->result, text_of(queue_outcome_text(QUEUE_LEFT)));
    }
    facts_begin(f);
    facts_str(f, "queue", c->r.queue);
    facts_int(f, "wait_us", 0);
    facts_text(f, "why", status);
    facts_tell(f, FACT_QUEUE_LEFT, c);
}

/* ---- agents ---- */

static void begin_agent(struct facts *f, const struct tap_event *e)
{
    facts_begin(f);
    facts_text(f, "queue", tap_get(e, TAP_H_QUEUE));
    facts_text(f, "agent", tap_get(e, TAP_H_MEMBERNAME));
    facts_text(f, "interface", tap_get(e, TAP_H_INTERFACE));
}

static void called(struct facts *f, const struct tap_event *e, const struct channel *ch)
{
    struct channel *to = channel_find(f, e->node, tap_get(e, TAP_H_DESTUNIQUEID));
    struct leg *l = to ? leg_of(to) : NULL;

    if (l) {
        text_copy(l->pub.role, sizeof l->pub.role, TEXT("agent"));
        text_copy(l->pub.name, sizeof l->pub.name, tap_get(e, TAP_H_MEMBERNAME));
        l->pub.number[0] = '\0';        /* it carries the caller's */
        l->is_agent = true;
    }
    begin_agent(f, e);
    facts_tell(f, FACT_AGENT_CALLED, ch->call);
}

void queue_event(struct facts *f, const struct tap_event *e, struct channel *ch)
{
    switch (e->name) {
    case TAP_E_QUEUECALLERJOIN:
        join(f, e, ch);
        break;
    case TAP_E_QUEUECALLERLEAVE:
        left(f, ch);
        break;
    case TAP_E_QUEUECALLERABANDON:
        abandoned(f, e, ch);
        break;
    case TAP_E_AGENTCALLED:
        called(f, e, ch);
        break;
    case TAP_E_AGENTCONNECT:
        answered(f, e, ch);
        break;
    case TAP_E_AGENTRINGNOANSWER:
        begin_agent(f, e);
        facts_int(f, "ring_ms", facts_number(tap_get(e, TAP_H_RINGTIME), 0));    /* milliseconds here, seconds in AgentConnect (seen) */
        facts_tell(f, FACT_AGENT_NO_ANSWER, ch->call);
        break;
    case TAP_E_AGENTCOMPLETE:
        begin_agent(f, e);
        facts_int(f, "talk_s", facts_number(tap_get(e, TAP_H_TALKTIME), 0));
        facts_text(f, "reason", tap_get(e, TAP_H_REASON));
        facts_tell(f, FACT_AGENT_COMPLETED, ch->call);
        break;
    case TAP_E_AGENTDUMP:
        begin_agent(f, e);
        facts_tell(f, FACT_AGENT_DUMPED, ch->call);
        break;
    default:
        break;
    }
}

/* About a node, not about a call. */
void queue_member_event(struct facts *f, const struct tap_event *e)
{
    bool is_paused;

    switch (e->name) {
    case TAP_E_QUEUEMEMBERPAUSE:
        is_paused = text_eq(tap_get(e, TAP_H_PAUSED), TEXT("1"));
        begin_agent(f, e);
        facts_text(f, "reason", tap_get(e, TAP_H_PAUSEDREASON));
        facts_tell(f, is_paused ? FACT_AGENT_PAUSED : FACT_AGENT_UNPAUSED, NULL);
        break;
    case TAP_E_QUEUEMEMBERADDED:
    case TAP_E_QUEUEMEMBERREMOVED:
        begin_agent(f, e);
        facts_tell(f, e->name == TAP_E_QUEUEMEMBERADDED ? FACT_AGENT_ADDED : FACT_AGENT_REMOVED, NULL);
        break;
    case TAP_E_AGENTLOGIN:
        facts_begin(f);
        facts_text(f, "agent", tap_get(e, TAP_H_AGENT));
        facts_text(f, "channel", tap_get(e, TAP_H_CHANNEL));
        facts_tell(f, FACT_AGENT_LOGIN, NULL);
        break;
    case TAP_E_AGENTLOGOFF:
        facts_begin(f);
        facts_text(f, "agent", tap_get(e, TAP_H_AGENT));
        facts_tell(f, FACT_AGENT_LOGOFF, NULL);
        break;
    default:
        break;
    }
}
