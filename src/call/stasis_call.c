/* Takes one call through Stasis step by step, each with a deadline, and gives it back whatever happens.
 *
 *   NEW -> ANSWER -> BRIDGE -> MEDIA -> JOIN -> TALK          each may turn to the way out
 *                               ^ v
 *                              SWITCH                         what could not carry the talk goes, the next one is tried
 *                                                |
 *   OVER <- SETTLE <- LEAVE <- DROP_BRIDGE <- DROP_MEDIA <- STATUS      steps with nothing to do are skipped
 *                        +------ refused: again, with STATUS if it was not set -------^
 *
 * 204 says that Asterisk will do it, not that it is done: JOIN waits for both channels in the bridge, LEAVE for StasisEnd, SETTLE for the
 * ends of external channel and bridge. Only while no events come the answer has to do; the comparison behind the interruption looks then.
 *
 * The way out is stasis_leave.c's. One request at a time: Asterisk may answer two in any order. On the way in a request that is under way is waited for even when
 * the caller has gone, for what it makes must be known before it can be removed. */
#include "call/stasis_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "call/stasis_call_parts.h"
#include "call/stasis_media.h"

enum {
    AGAIN_MS = 100,                /* after a request that could not even be sent */
    NEXT_MS = 500,                 /* for one carrier of media, when another is left */
};

#define TO(s) (1u << CALL_##s)

static const unsigned call_moves[] = {
    [CALL_NEW] = TO(ANSWER) | TO(BRIDGE) | TO(STATUS) | TO(OVER),
    [CALL_ANSWER] = TO(BRIDGE) | TO(STATUS) | TO(OVER),
    [CALL_BRIDGE] = TO(MEDIA) | TO(STATUS) | TO(DROP_BRIDGE),
    [CALL_MEDIA] = TO(JOIN) | TO(MEDIA) | TO(SWITCH) | TO(STATUS) | TO(DROP_MEDIA) | TO(DROP_BRIDGE),
    [CALL_SWITCH] = TO(MEDIA) | TO(STATUS) | TO(DROP_MEDIA) | TO(DROP_BRIDGE),
    [CALL_JOIN] = TO(TALK) | TO(STATUS) | TO(DROP_MEDIA),
    [CALL_TALK] = TO(STATUS) | TO(DROP_MEDIA),
    [CALL_STATUS] = TO(DROP_MEDIA) | TO(DROP_BRIDGE) | TO(LEAVE) | TO(OVER),
    [CALL_DROP_MEDIA] = TO(DROP_BRIDGE),
    [CALL_DROP_BRIDGE] = TO(LEAVE) | TO(OVER) | TO(SETTLE),
    [CALL_LEAVE] = TO(OVER) | TO(STATUS) | TO(SETTLE),
    [CALL_SETTLE] = TO(OVER),
    [CALL_OVER] = 0,
};

static const char *const call_names[] = {
    [CALL_NEW] = "new",       [CALL_ANSWER] = "answer",         [CALL_BRIDGE] = "bridge",           [CALL_MEDIA] = "media",
    [CALL_SWITCH] = "media",  [CALL_JOIN] = "join",     [CALL_TALK] = "talk",             [CALL_STATUS] = "status",           [CALL_DROP_MEDIA] = "drop_media",
    [CALL_SETTLE] = "settle", [CALL_LEAVE] = "leave",   [CALL_DROP_BRIDGE] = "drop_bridge", [CALL_OVER] = "over",
};

static void set_state(struct stasis_call *c, enum call_state to)
{
    INVARIANT(call_moves[c->state] & (1u << to));
    log_debug(&c->ground->log, "state", kv_str("call", c->channel), kv_str("from", call_names[c->state]),
              kv_str("to", call_names[to]));
    c->state = to;
}

static bool is_way_in(const struct stasis_call *c)
{
    return c->state <= CALL_TALK;
}

static int64_t age_ms(const struct stasis_call *c)
{
    return loop_now_ms(c->ground->loop) - c->began_ms;
}

/* ---- requests ---- */

static void answered(struct stasis_call *c, int err, int status, struct text body);

static void on_answer(int err, int status, struct text body, void *arg)
{
    struct stasis_call *c = ref_hold(arg);

    c->request = NULL;
    answered(c, err, status, body);
    ref_drop(c);
}

/* What cannot be sent (256 under way, no memory) is tried again until the step's deadline. */
void stasis_call_ask_on(struct stasis_call *c)
{
    const int err = stasis_call_ask(c, on_answer);

    if (!err)
        return;
    log_warn(&c->ground->log, "request_not_sent", kv_str("call", c->channel), kv_str("step", call_names[c->state]), kv_err(err));
    timer_start(c->again, AGAIN_MS);
}

static void forget_request(struct stasis_call *c)
{
    ari_forget(c->request);
    c->request = NULL;
    timer_stop(c->again);
}

/* Events of this call come; without them an answer has to do. */
bool stasis_call_hears(const struct stasis_call *c)
{
    const struct stasis_ground *g = c->ground;

    return strcmp(c->app, g->app) == 0 ? ari_is_up(g->ari) : ari_has_call_link(g->ari, c->app);
}

/* ---- the end of the talk ---- */

static void over(struct stasis_call *c)
{
    timer_stop(c->deadline);
    log_info(&c->ground->log, "end", kv_str("call", c->channel), kv_str("status", c->status), kv_str("reason", c->reason),
             kv_int("ms", age_ms(c)));
    TIMELINE(c->ground->timeline, text_of(c->channel), "stasis.end", kv_str("status", c->status), kv_str("reason", c->reason),
             kv_int("ms", age_ms(c)));
    c->ground->on_over(c, c->ground->arg);
}

static void let_go(struct stasis_call *c)
{
    stasis_media_forget(c);
    if (c->is_talking)
        c->ground->talks.stop(c->ground->talks.arg, c->talk);
    c->is_talking = false;
}

/* It becomes the value of a channel variable: one line. */
void stasis_call_set_reason(struct stasis_call *c, const char *reason)
{
    text_copy(c->reason, sizeof c->reason, text_of(reason));
    for (char *p = c->reason; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

static void end(struct stasis_call *c, const char *status, const char *reason, bool hang_up)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    c->status = status;
    c->hang_up = hang_up;
    stasis_call_set_reason(c, reason);
    let_go(c);
    if (!c->request)
        stasis_call_enter(c, stasis_leave_next(c));
}

/* "media" and "timeout" give SIDETONE_REASON "media_timeout". */
static void fail(struct stasis_call *c, const char *how)
{
    char reason[64];

    snprintf(reason, sizeof reason, "%s_%s", call_names[c->state], how);
    end(c, "ERROR", reason, false);
}

/* ---- answers on the way in ---- */

static void media_check(struct stasis_call *c)
{
    if (c->state == CALL_MEDIA && !c->is_ending && c->media_answered && c->media_inside && stasis_media_is_open(c))
        stasis_call_enter(c, CALL_JOIN);
}

static void join_check(struct stasis_call *c)
{
    const bool is_joined = (c->caller_joined && c->media_joined) || !stasis_call_hears(c);

    if (c->state == CALL_JOIN && !c->is_ending && c->join_answered && is_joined)
        stasis_call_enter(c, CALL_TALK);
}

/* ---- one carrier of media after the other ---- */

static bool has_next_media(const struct stasis_call *c)
{
    return !c->is_ending && c->kind_at + 1 < c->kind_count;
}

static void media_forget(struct stasis_call *c)
{
    forget_request(c);
    stasis_media_forget(c);
    c->media_answered = c->media_inside = false;
}

/* A fresh name, for what still comes of the channel before must not be taken for the next one's. */
static void media_again(struct stasis_call *c)
{
    c->media_asked = c->media_going = false;
    if (c->ground->rename(c, c->ground->arg) == 0)
        stasis_call_enter(c, CALL_MEDIA);
    else
        fail(c, "failed");
}

static void media_fail(struct stasis_call *c, const char *how)
{
    if (!has_next_media(c)) {
        fail(c, how);
        return;
    }
    log_warn(&c->ground->log, "media_next", kv_str("call", c->channel), kv_str("failed", stasis_media_name(c->kinds[c->kind_at])),
             kv_str("why", how), kv_str("next", stasis_media_name(c->kinds[c->kind_at + 1])));
    TIMELINE(c->ground->timeline, text_of(c->channel), "media.next", kv_str("failed", stasis_media_name(c->kinds[c->kind_at])),
             kv_str("why", how), kv_str("next", stasis_media_name(c->kinds[c->kind_at + 1])));
    c->kind_at++;
    media_forget(c);
    if (c->media_asked)
        stasis_call_enter(c, CALL_SWITCH);
    else
        media_again(c);
}

static void media_done(struct stasis_call *c, struct text body)
{
    c->media_answered = true;
    if (!stasis_media_answered(c, body))
        media_fail(c, "failed");
    else
        media_check(c);
}

static void way_in_done(struct stasis_call *c, struct text body)
{
    switch (c->state) {
    case CALL_ANSWER:
        stasis_call_enter(c, CALL_BRIDGE);
        return;
    case CALL_BRIDGE:
        stasis_call_enter(c, CALL_MEDIA);
        return;
    case CALL_MEDIA:
        media_done(c, body);
        return;
    case CALL_JOIN:
        c->join_answered = true;
        join_check(c);
        return;
    default:
        return;
    }
}

/* The caller's channel is gone (404), outside Stasis (409) or dying (412). */
bool stasis_is_without_caller(int status)
{
    return status == 404 || status == 409 || status == 412;
}

void stasis_call_log_refusal(struct stasis_call *c, int err, int status, struct text body)
{
    char why[160] = "";

    if (!err)
        ari_error_text(body, why, sizeof why);
    log_warn(&c->ground->log, "step_failed", kv_str("call", c->channel), kv_str("step", call_names[c->state]),
             kv_int("http", status), kv_str("why", err ? err_text(err) : why));
}

/* It was not made, so nobody tells of its end. It is deleted all the same. */
static void refused_is_not_there(struct stasis_call *c)
{
    c->bridge_going = c->bridge_going && c->state != CALL_BRIDGE;
    c->media_going = c->media_going && c->state != CALL_MEDIA;
}

static void way_in_answered(struct stasis_call *c, int err, int status, struct text body)
{
    const bool is_refused = err || status >= 400;

    if (is_refused && !err)
        refused_is_not_there(c);
    if (is_refused && !(c->is_ending && stasis_is_without_caller(status)))
        stasis_call_log_refusal(c, err, status, body);
    if (c->is_ending) {            /* what was waited for is known now */
        stasis_call_enter(c, stasis_leave_next(c));
        return;
    }
    if (c->state == CALL_SWITCH) {
        if (is_refused && status != 404)
            c->ground->on_residue(c->ground->arg);
        media_again(c);            /* its deletion is not waited for longer: the caller hears nothing yet */
        return;
    }
    if (!is_refused)
        way_in_done(c, body);
    else if (c->state == CALL_ANSWER && stasis_is_without_caller(status))
        stasis_call_lost(c);
    else if (c->state == CALL_MEDIA && status == 500)
        media_fail(c, "refused");  /* nobody listens at media_host, or no such format (seen on 22.10.1) */
    else if (c->state == CALL_MEDIA)
        media_fail(c, err == -ETIMEDOUT ? "timeout" : "failed");
    else
        fail(c, err == -ETIMEDOUT ? "timeout" : "failed");
}

static void answered(struct stasis_call *c, int err, int status, struct text body)
{
    if (is_way_in(c))
        way_in_answered(c, err, status, body);
    else if (stasis_call_asks_place(c) && (err || !stasis_is_without_caller(status)))
        stasis_leave_place_answered(c, err, status, body);
    else
        stasis_leave_answered(c, err, status, body);
}

/* ---- deadlines ---- */

static void on_deadline(void *arg)
{
    struct stasis_call *c = ref_hold(arg);
    const bool was_asking = c->request || timer_is_running(c->again);

    forget_request(c);
    if (c->state == CALL_SETTLE) {
        c->ground->on_residue(c->ground->arg);
        stasis_call_enter(c, CALL_OVER);
    } else if (c->state == CALL_LEAVE && !was_asking) {
        stasis_leave_late(c);
    } else {
        if (was_asking && is_way_in(c))
            c->ground->on_residue(c->ground->arg);  /* Asterisk may still carry it out */
        if (c->state == CALL_TALK)
            end(c, "ERROR", "media_lost", false);
        else
            answered(c, -ETIMEDOUT, 0, TEXT_NONE);
    }
    ref_drop(c);
}

static void on_again(void *arg)
{
    stasis_call_ask_on(arg);
}

/* ---- entering a step ---- */

/* Without memory the call goes on all the same: behind Stasis(), and it says so. */
static bool after_keep(struct stasis_call *c, const struct talk_after *after)
{
    if (!after || talk_after_is_empty(after))
        return true;
    c->after = malloc(sizeof *c->after);
    if (c->after)
        *c->after = *after;
    return c->after;
}

static void on_talk_end(const struct stasis_talk_end *e, void *arg)
{
    struct stasis_call *c = ref_hold(arg);

    c->is_talking = false;
    c->talk = NULL;
    if (!c->is_ending && !after_keep(c, e->after)) {
        end(c, "ERROR", "no_memory", false);
        ref_drop(c);
        return;
    }
    if (strcmp(e->status, "HANGUP") == 0)
        end(c, "ERROR", "media_lost", false);  /* only the carrier ended: of the caller's end StasisEnd tells */
    else
        end(c, e->status, e->reason, e->hang_up);
    ref_drop(c);
}

static void enter_media(struct stasis_call *c)
{
    const int err = stasis_media_prepare(c);

    if (err) {
        log_warn(&c->ground->log, "media_not_ready", kv_str("call", c->channel),
                 kv_str("media", stasis_media_name(c->kinds[c->kind_at])), kv_err(err));
        media_fail(c, "failed");
        return;
    }
    c->media_asked = c->media_going = true;
    stasis_call_ask_on(c);
}

static void enter_talk(struct stasis_call *c)
{
    struct stasis_talk_request req = {
        .call = text_of(c->channel),
        .agent = text_of(c->agent),
        .caller_number = text_of(c->number),
        .caller_name = text_of(c->name),
    };
    int err;

    timer_stop(c->deadline);
    stasis_media_give(c, &req.way);
    TIMELINE(c->ground->timeline, req.call, "stasis.media", kv_int("ms", age_ms(c)), kv_str("media", stasis_media_name(req.way.media)));
    err = c->ground->talks.start(c->ground->talks.arg, &c->talk, &req, on_talk_end, c);
    if (!err) {
        c->is_talking = true;
        return;
    }
    log_error(&c->ground->log, "talk_not_started", kv_str("call", c->channel), kv_err(err));
    fail(c, "failed");
}

static int64_t step_ms(const struct stasis_call *c)
{
    const bool is_short = c->state == CALL_SWITCH || (c->state == CALL_MEDIA && has_next_media(c));

    return is_short && c->ground->step_ms > NEXT_MS ? NEXT_MS : c->ground->step_ms;
}

void stasis_call_enter(struct stasis_call *c, enum call_state to)
{
    set_state(c, to);
    timer_stop(c->again);
    c->tries = 0;
    if (to == CALL_OVER) {
        over(c);
        return;
    }
    timer_start(c->deadline, step_ms(c));
    if (to == CALL_BRIDGE)
        c->bridge_asked = c->bridge_going = true;
    if (to == CALL_SETTLE)
        return;                    /* nothing is asked */
    if (to == CALL_MEDIA)
        enter_media(c);
    else if (to == CALL_TALK)
        enter_talk(c);
    else
        stasis_call_ask_on(c);
}

/* ---- what happens from outside ---- */

void stasis_call_begin(struct stasis_call *c)
{
    const struct stasis_talks *t = &c->ground->talks;

    c->kinds[0] = STASIS_AUDIOSOCKET;
    c->kind_count = t->media ? t->media(t->arg, text_of(c->agent), c->kinds) : 1;
    INVARIANT(c->kind_count >= 1 && c->kind_count <= STASIS_MEDIA_COUNT);
    stasis_call_enter(c, c->is_up ? CALL_BRIDGE : CALL_ANSWER);
}

void stasis_call_give_back(struct stasis_call *c, const char *status, const char *reason)
{
    end(c, status, reason, false);
}

void stasis_call_lost(struct stasis_call *c)
{
    const bool was_asking_caller = c->state == CALL_STATUS || c->state == CALL_LEAVE;

    c->caller_lives = false;
    if (!c->is_ending) {
        end(c, "HANGUP", "caller_hangup", false);
    } else if (was_asking_caller) {
        forget_request(c);
        stasis_call_enter(c, stasis_leave_next(c));
    }
}

void stasis_call_media_open(struct stasis_call *c, int err)
{
    ref_hold(c);
    if (!err)
        media_check(c);
    else if (c->state == CALL_MEDIA && !c->is_ending)
        media_fail(c, err == -ETIMEDOUT ? "timeout" : "failed");
    ref_drop(c);
}

static void settle_check(struct stasis_call *c)
{
    if (c->state == CALL_SETTLE && !c->media_going && !c->bridge_going)
        stasis_call_enter(c, CALL_OVER);
}

void stasis_call_joined(struct stasis_call *c, struct text channel, struct text bridge)
{
    if (!text_eq(bridge, text_of(c->bridge)))
        return;
    c->caller_joined = c->caller_joined || text_eq(channel, text_of(c->channel));
    c->media_joined = c->media_joined || text_eq(channel, text_of(c->media));
    join_check(c);
}

void stasis_call_bridge_gone(struct stasis_call *c)
{
    c->bridge_going = false;
    settle_check(c);
}

void stasis_call_media_inside(struct stasis_call *c)
{
    c->media_inside = true;
    media_check(c);
}

/* During a talk its own end is awaited first: a talk that ends in order closes its media connection, which Asterisk may report
 * before the talk's loop does. */
void stasis_call_media_lost(struct stasis_call *c)
{
    c->media_going = false;
    if (c->state == CALL_MEDIA && has_next_media(c) && c->request)
        timer_start(c->deadline, 1);  /* its answer is not waited for any more */
    else if (c->state == CALL_MEDIA && has_next_media(c))
        media_fail(c, "lost");
    else if (c->state == CALL_MEDIA || c->state == CALL_JOIN)
        end(c, "ERROR", "media_lost", false);
    else if (c->state == CALL_TALK && !timer_is_running(c->deadline))
        timer_start(c->deadline, c->ground->step_ms);
    else
        settle_check(c);
}

void stasis_call_abandon(struct stasis_call *c)
{
    forget_request(c);
    timer_stop(c->deadline);
    let_go(c);
    ref_drop(c);
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct stasis_call *c = obj;

    timer_free(c->deadline);
    timer_free(c->again);
    free(c->channel);
    free(c->app);
    free(c->media);
    free(c->bridge);
    free(c->channel_path);
    free(c->media_path);
    free(c->bridge_path);
    free(c->agent);
    free(c->number);
    free(c->name);
    free(c->after);
}

int stasis_call_new(struct stasis_call **out, struct stasis_ground *g, struct text channel, const struct ari_event *start)
{
    struct stasis_call *c = ref_new(sizeof *c, destroy);
    int err;

    if (!c)
        return -ENOMEM;
    c->ground = g;
    c->way.fd = -1;
    c->caller_lives = true;
    c->began_ms = loop_now_ms(g->loop);
    err = stasis_call_name(c, channel, start);
    if (!err)
        err = timer_new(&c->deadline, g->loop, on_deadline, c);
    if (!err)
        err = timer_new(&c->again, g->loop, on_again, c);
    if (err) {
        ref_drop(c);
        return err;
    }
    *out = c;
    return 0;
}
