/* The way out of Stasis, whatever began it: the status is set, what is ours is removed, the caller goes on. */
#include "call/stasis_call_parts.h"

enum { TRIES = 2 };

enum call_state stasis_leave_next(const struct stasis_call *c)
{
    switch (c->state) {
    default:
        if (c->caller_lives)
            return CALL_STATUS;
        /* fall through */
    case CALL_STATUS:
        if (c->media_asked)
            return CALL_DROP_MEDIA;
        /* fall through */
    case CALL_DROP_MEDIA:
        if (c->bridge_asked)
            return CALL_DROP_BRIDGE;
        /* fall through */
    case CALL_DROP_BRIDGE:
        if (c->caller_lives)
            return CALL_LEAVE;
        /* fall through */
    case CALL_LEAVE:
        if (stasis_call_hears(c) && (c->media_going || c->bridge_going))
            return CALL_SETTLE;
        /* fall through */
    case CALL_SETTLE:
        return CALL_OVER;
    }
}

static void repeat(struct stasis_call *c)
{
    timer_start(c->deadline, c->ground->step_ms);
    stasis_call_ask_on(c);
}

/* A caller is not left in silence: after a pause again, until it works or the channel is no more. */
static void leave_refused(struct stasis_call *c)
{
    timer_start(c->deadline, c->ground->step_ms);
}

static void leave_again(struct stasis_call *c)
{
    c->leave_answered = false;
    if (c->variable < stasis_call_variables(c))
        stasis_call_enter(c, CALL_STATUS);     /* Asterisk was away when it was tried */
    else
        repeat(c);
}

/* Either the pause after a refusal is over, or 204 came and StasisEnd did not. */
void stasis_leave_late(struct stasis_call *c)
{
    if (c->leave_answered && !stasis_call_hears(c)) {
        c->leave_answered = false;
        c->ground->on_residue(c->ground->arg);
        stasis_call_enter(c, stasis_leave_next(c));
        return;
    }
    if (c->leave_answered)
        log_warn(&c->ground->log, "still_inside", kv_str("call", c->channel), kv_int("ms", c->ground->step_ms));
    leave_again(c);
}

/* status: 204 promises that it will go, 404 says that it has gone. */
static void way_out_done(struct stasis_call *c, int status)
{
    if (c->state == CALL_DROP_MEDIA) {
        c->media_asked = false;
        c->media_going = c->media_going && status != 404;
    }
    if (c->state == CALL_DROP_BRIDGE) {
        c->bridge_asked = false;
        c->bridge_going = c->bridge_going && status != 404;
    }
    if (c->state == CALL_LEAVE && stasis_call_hears(c)) {
        c->leave_answered = true;  /* the deadline runs on */
        return;
    }
    if (c->state == CALL_STATUS && c->caller_lives && ++c->variable < stasis_call_variables(c)) {
        c->tries = 0;
        repeat(c);
        return;
    }
    stasis_call_enter(c, stasis_leave_next(c));
}

static void way_out_refused(struct stasis_call *c)
{
    if (c->state == CALL_LEAVE) {
        leave_refused(c);
        return;
    }
    if (++c->tries < TRIES) {
        repeat(c);
        return;
    }
    if (c->state != CALL_STATUS) {
        c->media_going = c->media_going && c->state != CALL_DROP_MEDIA;  /* looked for later, not waited for */
        c->bridge_going = c->bridge_going && c->state != CALL_DROP_BRIDGE;
        c->ground->on_residue(c->ground->arg);
    }
    stasis_call_enter(c, stasis_leave_next(c));
}

void stasis_leave_answered(struct stasis_call *c, int err, int status, struct text body)
{
    const bool is_for_caller = c->state == CALL_STATUS || c->state == CALL_LEAVE;

    if (!err && is_for_caller && stasis_is_without_caller(status)) {
        c->caller_lives = false;
        stasis_call_enter(c, stasis_leave_next(c));
    } else if (err || (status >= 400 && status != 404)) {
        stasis_call_log_refusal(c, err, status, body);
        way_out_refused(c);
    } else {
        way_out_done(c, status);   /* 404 to a deletion: it is gone already */
    }
}

/* An Asterisk that cannot tell (no func_dialplan) is believed to have the place. */
void stasis_leave_place_answered(struct stasis_call *c, int err, int status, struct text body)
{
    c->place_checked = true;
    c->tries = 0;
    if (err || status >= 400) {
        stasis_call_log_refusal(c, err, status, body);
    } else if (stasis_call_place_is_missing(body)) {
        log_error(&c->ground->log, "no_such_place", kv_str("call", c->channel), kv_str("context", c->after->context),
                  kv_str("extension", c->after->extension), kv_str("priority", c->after->priority));
        c->after->context[0] = '\0';
        c->status = "ERROR";
        stasis_call_set_reason(c, "no_such_place");
    }
    repeat(c);
}
