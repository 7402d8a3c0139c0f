/* Decides what the embedded agent does about what the caller said or pressed. */
#include "ai/local_internal.h"

#include <stdio.h>

#include "ai/answer.h"

void local_answer(struct local *p, const struct agent_intent *in, struct text words)
{
    if (in->then == AGENT_HAND_BACK)
        local_say_then(p, words, PROVIDER_HAND_BACK, in->reason);
    else if (in->then == AGENT_HANG_UP)
        local_say_then(p, in->answer.p ? words : p->agent->goodbye, PROVIDER_HANG_UP, in->reason);
    else
        local_say_text(p, words);
}

/* Whatever was under way for an earlier turn no longer matters. */
static void turn_begin(struct local *p)
{
    p->turn++;
    p->tool_intent = -1;
    p->asked = -1;
    p->idle = 0;
}

static void accept_intent(struct local *p, int intent)
{
    const struct agent_intent *in = &p->agent->intents[intent];
    char made[128];

    turn_begin(p);
    p->rejections = p->silences = 0;
    if (!in->tool.p) {
        local_answer(p, in, in->answer);
        return;
    }
    local_speech_drop(p);
    p->tool_id++;
    p->tool_intent = intent;
    p->tool_left = (int64_t)TOOL_MAX_MS * PER_MS;
    /* A name is at most 64 bytes, none of which needs an escape. */
    const int n = snprintf(made, sizeof made, "{\"intent\":\"%.*s\"}", TEXT_ARG(in->name));
    p->base.on->on_tool_call(p->tool_id, in->tool, in->args.p ? in->args : text_make(made, (size_t)n), p->base.arg);
}

static void ask(struct local *p, int intent)
{
    turn_begin(p);
    p->asked = intent;
    const int err = answer_put(local_words_begin(p), p->agent->confirm, TEXT("title"), p->agent->intents[intent].title);
    if (err) {
        log_warn(&p->log, "confirm_failed", kv_err(err));
        local_reject(p);
        return;
    }
    local_say(p);
}

void local_give_up(struct local *p, struct text reason)
{
    local_say_then(p, p->agent->give_up, PROVIDER_HAND_BACK, reason);
}

/* Left out when it would make the whole too long to say. */
static void help_add(struct local *p, struct buf *words)
{
    struct buf digits, help;

    buf_init(&digits, WORDS_MAX);
    buf_init(&help, WORDS_MAX - words->n - 1);
    int err = answer_digits(&digits, p->agent);
    if (!err)
        err = answer_put(&help, p->agent->digits_help, TEXT("digits"), buf_text(&digits));
    if (err)
        log_warn(&p->log, "digits_help_failed", kv_err(err));
    else if (digits.n > 0)
        buf_addf(words, " %.*s", TEXT_ARG(buf_text(&help)));
    buf_free(&digits);
    buf_free(&help);
}

void local_reject(struct local *p)
{
    turn_begin(p);
    p->rejections++;
    if (p->rejections >= REJECTIONS_MAX) {
        local_give_up(p, TEXT("not_understood"));
        return;
    }
    struct buf *words = local_words_begin(p);
    buf_add_text(words, p->agent->reprompt);
    if (p->rejections == REJECTIONS_MAX - 1)
        help_add(p, words);
    local_say(p);
}

/* ---- judging what was heard ---- */

enum zone { ZONE_REJECT, ZONE_ASK, ZONE_ACCEPT };

static enum zone zone_of(const struct local *p, int intent, double score)
{
    if (intent == RECOGNISED_NOTHING || score < p->agent->confirm_above)
        return ZONE_REJECT;
    return score >= p->agent->accept ? ZONE_ACCEPT : ZONE_ASK;
}

static void caller_tell(struct local *p, struct text words, int intent, double score, bool accepted)
{
    const struct text name = intent >= 0 ? p->agent->intents[intent].name : TEXT_NONE;

    log_info(&p->log, "caller_said", kv_text("words", words), kv_text("intent", name), kv_int("score", (int64_t)score),
             kv_str("result", accepted ? "accepted" : "not accepted"));
    p->base.on->on_caller_text(words, name, score, accepted, p->base.arg);
}

/* Yes or no. Outside of a question neither means anything. */
static void judge_reply(struct local *p, bool yes, struct text words, double score, bool certain)
{
    const int asked = p->asked;
    const bool counts = asked >= 0 && certain;

    caller_tell(p, words, counts && yes ? asked : -1, score, counts);
    if (!local_is_live(p))
        return;
    if (counts && yes)
        accept_intent(p, asked);
    else
        local_reject(p);
}

void local_judge(struct local *p, int intent, struct text words, double score)
{
    enum zone zone = zone_of(p, intent, score);

    if (intent == RECOGNISED_YES || intent == RECOGNISED_NO) {
        judge_reply(p, intent == RECOGNISED_YES, words, score, zone != ZONE_REJECT);
        return;
    }
    if (zone == ZONE_ASK && intent == p->asked)
        zone = ZONE_ACCEPT; /* asked, and said again */
    caller_tell(p, words, intent, score, zone == ZONE_ACCEPT);
    if (!local_is_live(p))
        return;
    if (zone == ZONE_ACCEPT)
        accept_intent(p, intent);
    else if (zone == ZONE_ASK)
        ask(p, intent);
    else
        local_reject(p);
}

/* ---- digits ---- */

static int intent_of_digit(const struct local *p, char c)
{
    for (size_t i = 0; i < p->agent->intent_count; i++)
        if (p->agent->intents[i].digit == c)
            return (int)i;
    return -1;
}

void local_digit(struct local *p, char c)
{
    const struct text pressed = text_make(&c, 1);
    const int asked = p->asked;

    ear_discard(p->ear); /* the tone itself, or speech that the caller gave up */
    p->turn++;
    p->silences = 0;
    if (asked >= 0 && (c == '1' || c == '2')) {
        judge_reply(p, c == '1', pressed, 0, true);
        return;
    }
    const int intent = intent_of_digit(p, c);
    caller_tell(p, pressed, intent, 0, intent >= 0);
    if (!local_is_live(p))
        return;
    if (intent >= 0)
        accept_intent(p, intent);
    else
        local_reject(p);
}
