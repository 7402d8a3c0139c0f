/* Follows the caller of a pipeline: his turns, his digits, and an ear that fails. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ai/pipeline_internal.h"
#include "base/clock.h"

enum {
    SPEECH_MAX_MS = 90 * 1000,     /* of one turn: by then it is no speech, or the ear has lost its end */
    EAR_OLD_US = 60 * 1000 * 1000, /* an ear that lived so long may expire without that being a failure */
    MISHEARD_MAX = 1,              /* asked to repeat, one after the other */
    CUT_MISHEARD_MAX = 3,          /* likewise, when the agent was cut off: it owes the rest */
    NOTE_MAX = PIPELINE_DIGITS_MAX + 40,
};

/* ---- turns ---- */

static void turn_open(struct pipeline *p)
{
    p->turns_open++;
    p->has_stopped = false;
    timer_start(p->turn, SPEECH_MAX_MS);
}

static void turn_close(struct pipeline *p)
{
    p->turns_open -= p->turns_open > 0;
    if (p->turns_open == 0)
        timer_stop(p->turn);
    else if (p->has_stopped)
        timer_start(p->turn, p->opt->turn_ms);
}

static void speech_stopped(struct pipeline *p, int64_t end_us)
{
    if (p->has_stopped)
        return;
    p->has_stopped = true;
    timer_start(p->turn, p->opt->turn_ms);
    p->base.on->on_speech_stopped(end_us, p->base.arg);
}

/* The conversation does not wait for an answer to this. */
static void nothing_comes(struct pipeline *p)
{
    p->base.on->on_caller_text(TEXT_NONE, TEXT_NONE, 0, false, p->base.arg);
}

/* There was a turn, and no words in it. */
static void nothing_understood(struct pipeline *p)
{
    const unsigned max = p->was_cut ? CUT_MISHEARD_MAX : MISHEARD_MAX;

    if (p->owes_answer) {          /* it was only a noise */
        p->owes_answer = false;
        if (p->is_greeting) {
            pipeline_greet(p);
        } else {
            p->wants_answer = true;
            pipeline_ask(p);
        }
    } else if (p->wants_answer || p->tools_open > 0 || p->digit_count > 0) {
        pipeline_ask(p);           /* an answer comes in any case */
    } else if (pipeline_is_speaking(p) || pipeline_is_audible(p) || llm_is_busy(p->llm) || p->misheard >= max) {
        nothing_comes(p);
    } else {
        p->misheard++;
        p->figures.reprompts++;
        pipeline_say_to(p, TEXT("[the caller said something that could not be understood]"));
    }
}

static void on_ready(void *arg)
{
    struct pipeline *p = arg;

    timer_stop(p->setup);
    p->ear_since_us = clock_mono_us();
    if (!pipeline_is_on(p) || p->has_begun)
        return;
    p->has_begun = true;
    p->base.on->on_ready(p->base.arg);
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct pipeline *p = arg;

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    turn_open(p);
    p->base.on->on_speech_started(onset_us, p->base.arg); /* cuts us off from inside, if it is to be so */
    if (pipeline_is_on(p) && !pipeline_is_audible(p))
        pipeline_answer_hold(p);
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    struct pipeline *p = arg;

    if (pipeline_is_on(p) && !p->is_parting && p->turns_open > 0)
        speech_stopped(p, end_us);
}

static void on_partial(struct text words, void *arg)
{
    (void)words;                   /* the model is asked when the turn is over */
    (void)arg;
}

static void on_turn(struct text words, struct text intent, double score, void *arg)
{
    struct pipeline *p = arg;

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    if (p->turns_open == 1)
        speech_stopped(p, clock_mono_us());
    turn_close(p);
    words = text_trim(words);
    if (!pipeline_is_on(p))
        return;
    if (p->turns_discarded > 0) {  /* the digits speak for it */
        p->turns_discarded--;
        pipeline_ask(p);
        return;
    }
    if (words.n == 0) {
        nothing_understood(p);
        return;
    }
    p->misheard = 0;
    p->figures.turns++;
    p->base.on->on_caller_text(words, intent, score, true, p->base.arg);
    if (pipeline_is_on(p))
        pipeline_say_to(p, words);
}

/* What was asked of the model was half a sentence: the whole one comes again. */
static void on_resumed(void *arg)
{
    struct pipeline *p = arg;

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    turn_open(p);
    p->base.on->on_speech_started(clock_mono_us(), p->base.arg);
    if (!pipeline_is_on(p))
        return;
    p->wants_answer = false;
    if (!pipeline_is_audible(p))
        pipeline_answer_hold(p);
    p->owes_answer = false;
    chat_history_retract(&p->history);
}

void pipeline_on_turn_late(struct pipeline *p)
{
    if (!pipeline_is_on(p) || p->turns_open == 0)
        return;
    log_warn(&p->log, "turn_lost", kv_str("why", p->has_stopped ? "no words came of it" : "it has no end"));
    p->turns_open = 1;
    on_turn(TEXT(""), TEXT_NONE, 0, p);
}

/* ---- the ear ---- */

static void ear_lost(struct pipeline *p, enum provider_error kind, const char *detail)
{
    const bool may_retry = kind == PROVIDER_NET || kind == PROVIDER_SERVER || kind == PROVIDER_EXPIRED;
    const bool is_old = kind == PROVIDER_EXPIRED && p->ear_since_us && clock_mono_us() - p->ear_since_us > EAR_OLD_US;

    pipeline_ear_close(p);
    if (!may_retry || (p->ear_retries_left == 0 && !is_old)) {
        pipeline_fail(p, kind, detail);
        return;
    }
    log_warn(&p->log, "ear_lost", kv_str("kind", provider_error_name(kind)), kv_str("why", detail), kv_str("next", "once more"));
    p->ear_retries_left -= !is_old;
    p->figures.ear_retries++;
    p->ear_since_us = 0;
    timer_start(p->setup, p->opt->retry_ms);
    if (p->turns_open == 0)
        return;
    p->turns_open = 1;
    on_turn(TEXT(""), TEXT_NONE, 0, p); /* what he said is gone */
}

static void on_fault(enum provider_error kind, struct text detail, void *arg)
{
    struct pipeline *p = arg;
    char why[200];

    if (!pipeline_is_on(p))
        return;
    text_copy(why, sizeof why, detail);
    if (p->is_parting)
        pipeline_ear_close(p);     /* nobody is listened to any more */
    else
        ear_lost(p, kind, why);
}

static void on_closed(void *arg)
{
    struct pipeline *p = arg;

    p->ears--;
    if (p->state == PIPELINE_CLOSED && p->ears == 0)
        timer_start(p->pump, 0);
}

static const struct stt_handlers ear_on = {
    .on_ready = on_ready,
    .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped,
    .on_partial = on_partial,
    .on_turn = on_turn,
    .on_resumed = on_resumed,
    .on_fault = on_fault,
    .on_closed = on_closed,
};

void pipeline_ear_open(struct pipeline *p)
{
    const int err = p->opt->parts->ear(&p->ear, p->opt->settings, &p->opt->ground, &ear_on, p);

    if (err) {
        p->ear = NULL;
        pipeline_fail(p, err == -EINVAL || err == -ENOENT ? PROVIDER_CONFIG : PROVIDER_SERVER, err_text(err));
        return;
    }
    p->ears++;
    timer_start(p->setup, p->opt->setup_ms);
    stt_start(p->ear);
}

void pipeline_ear_close(struct pipeline *p)
{
    struct stt *ear = p->ear;

    p->ear = NULL;
    timer_stop(p->setup);
    if (ear)
        stt_close(ear);
}

/* No ear: the pause before the next is over. An ear: it was not ready in time. */
void pipeline_on_setup(struct pipeline *p)
{
    if (!pipeline_is_on(p) || p->is_parting)
        return;
    if (p->ear)
        ear_lost(p, PROVIDER_NET, "the ear was not ready in time");
    else
        pipeline_ear_open(p);
}

/* ---- digits ---- */

void pipeline_digit(struct pipeline *p, char c)
{
    if (!pipeline_is_on(p) || p->is_parting || p->digit_count == PIPELINE_DIGITS_MAX)
        return;
    if (p->ear)
        stt_discard(p->ear);       /* the tone itself, or speech that the caller gave up */
    p->turns_discarded = p->turns_open;
    if (!pipeline_is_audible(p))
        pipeline_answer_hold(p);
    p->digits[p->digit_count++] = c;
    p->digits[p->digit_count] = '\0';
    timer_start(p->keys, p->opt->keys_ms);
}

void pipeline_on_keys(struct pipeline *p)
{
    char words[NOTE_MAX];

    if (!pipeline_is_on(p) || p->is_parting || p->digit_count == 0)
        return;
    snprintf(words, sizeof words, "[the caller pressed %s]", p->digits);
    p->digit_count = 0;
    p->misheard = 0;
    pipeline_say_to(p, text_of(words));
}
