/* How a call went: by who spoke, else by the last attempt, else by the cause. */
#include "tap/facts_internal.h"

const char *call_outcome_text(enum call_outcome o)
{
    static const char *const words[] = {
        [CALL_OPEN] = "open", [CALL_ANSWERED] = "answered", [CALL_UNANSWERED] = "unanswered", [CALL_BUSY] = "busy", [CALL_FAILED] = "failed",
        [CALL_CANCELLED] = "cancelled", [CALL_ABANDONED] = "abandoned", [CALL_UNOBSERVED] = "unobserved",
    };

    return words[o];
}

const char *queue_outcome_text(enum queue_outcome o)
{
    static const char *const words[] = {
        [QUEUE_NONE] = "", [QUEUE_WAITING] = "waiting", [QUEUE_ANSWERED] = "answered", [QUEUE_ABANDONED] = "abandoned",
        [QUEUE_TIMED_OUT] = "timed_out", [QUEUE_LEFT] = "left",
    };

    return words[o];
}

static enum call_outcome by_cause(const struct call *c)
{
    switch (c->r.cause) {
    case 17:
        return CALL_BUSY;
    case 18:
    case 19:
    case 20:
        return CALL_UNANSWERED;
    case 16:
    case 26:
        return c->was_up && !c->is_originate ? CALL_UNANSWERED : CALL_CANCELLED;
    case -1:
    case 0:
    case 31:
    case 127:   /* SIP 487: the caller gave up (seen) */
        return c->is_originate ? CALL_FAILED : c->was_up ? CALL_UNANSWERED : CALL_CANCELLED;
    default:
        return CALL_FAILED;
    }
}

static enum call_outcome by_dial(struct call *c)
{
    switch (c->dial) {
    case DIAL_BUSY:
        return CALL_BUSY;
    case DIAL_NO_ANSWER:
        return CALL_UNANSWERED;
    case DIAL_CANCEL:
        return CALL_CANCELLED;
    case DIAL_FAILED:
        return CALL_FAILED;
    case DIAL_ANSWER:       /* a phone picked up; the bridge was not seen */
        c->r.answered_us = c->dial_answered_us;
        return CALL_ANSWERED;
    case DIAL_NONE:
        break;
    }
    return by_cause(c);
}

/* Nobody was dialled: an announcement, a menu or a script was all there was, or the phone that Asterisk itself had called picked up. */
static enum call_outcome by_application(const struct facts *f, struct call *c)
{
    if (c->weak_app[0]) {
        char by[sizeof c->weak_app + 4] = "app:";

        text_copy(by + 4, sizeof by - 4, text_of(c->weak_app));
        text_copy(c->r.answered_by, sizeof c->r.answered_by, text_of(by));
        c->r.answered_us = c->weak_at;
        c->r.talk_us += c->weak_us;
        return CALL_ANSWERED;
    }
    if (c->is_originate && c->was_up && c->primary_leg != LEG_NONE) {
        text_copy(c->r.answered_by, sizeof c->r.answered_by, leg_label(c, &c->legs[c->primary_leg]));
        c->r.answered_us = c->legs[c->primary_leg].pub.answered_us;
        if (!c->r.talk_us && f->stamp.at_us > c->r.answered_us)
            c->r.talk_us = f->stamp.at_us - c->r.answered_us;       /* with whatever called it: ARI does not say (seen) */
        return CALL_ANSWERED;
    }
    return by_cause(c);
}

enum call_outcome outcome_of(const struct facts *f, struct call *c)
{
    if (c->is_unobserved)
        return CALL_UNOBSERVED;
    if (c->r.answered_us || c->joined[0])
        return CALL_ANSWERED;
    if (c->attempt == ATTEMPT_QUEUE)
        return c->r.queue_outcome == QUEUE_WAITING || c->r.queue_outcome == QUEUE_ABANDONED ? CALL_ABANDONED : CALL_UNANSWERED;
    if (c->attempt == ATTEMPT_DIAL)
        return by_dial(c);
    return by_application(f, c);
}
