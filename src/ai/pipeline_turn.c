/* Asks the model of a pipeline, turn by turn, and takes back what the caller did not hear of its answer.
 *
 *   the caller's words -> asked -> words... -> end -> (calls -> results -> asked)...
 *        ^ his voice takes back what was not heard, at any of them */
#include <errno.h>
#include <string.h>

#include "ai/pipeline_internal.h"
#include "base/clock.h"

/* ---- asking ---- */

static void answer_begin(struct pipeline *p)
{
    if (p->sentence.raw.n == 0)
        sentence_clear(&p->sentence);      /* else the end of what it said before a call still waits */
    p->answer_first = p->newest + 1;
    p->owes_answer = false;
    p->has_words = false;
    p->asked_us = clock_mono_us();
    p->figures.answers++;
}

/* A model that is to begin: many servers want to be spoken to first. */
static void opening_add(struct pipeline *p)
{
    if (!chat_history_ends_with_user(&p->history) && chat_history_add(&p->history, CHAT_USER, 0, TEXT("[a caller is on the line]")))
        log_warn(&p->log, "words_lost", kv_err(-ENOMEM));
}

void pipeline_greet(struct pipeline *p)
{
    if (!p->opt->greeting) {
        opening_add(p);
        p->wants_answer = true;
        pipeline_ask(p);
        return;
    }
    answer_begin(p);
    p->is_greeting = true;
    p->sentence.has_first = true;      /* always the same words: whole sentences are found in the cache */
    if (sentence_add(&p->sentence, text_of(p->opt->greeting)))
        log_warn(&p->log, "greeting_lost", kv_err(-ENOMEM));
    pipeline_sentences_take(p, true);
    pipeline_speak(p);
}

void pipeline_ask(struct pipeline *p)
{
    int err;

    if (!pipeline_is_on(p) || !p->wants_answer || p->turns_open > 0 || p->is_taking_calls || p->tools_open > 0 || p->digit_count > 0 || p->is_parting)
        return;
    p->wants_answer = false;
    p->is_greeting = false;
    answer_begin(p);
    err = llm_ask(p->llm, &p->history);
    if (err)
        pipeline_fail(p, err == -EINVAL ? PROVIDER_CONFIG : PROVIDER_SERVER, err_text(err));
}

/* ---- taking back ---- */

void pipeline_answer_drop(struct pipeline *p)
{
    llm_cancel(p->llm);
    pipeline_voice_drop(p);
    sentence_clear(&p->sentence);
    chat_history_drop(&p->history, p->given + 1);
}

void pipeline_answer_hold(struct pipeline *p)
{
    if (!llm_is_busy(p->llm) && !pipeline_is_speaking(p))
        return;
    if (p->given < p->answer_first)
        p->owes_answer = true;     /* nothing of it was heard */
    else
        p->was_cut = true;
    pipeline_answer_drop(p);
    p->heard = p->given;
}

void pipeline_interrupted(struct pipeline *p, uint32_t number, unsigned played_ms)
{
    const struct pipeline_item *it = pipeline_item(p, number);

    if (it)
        chat_history_cut(&p->history, number, played_ms, pipeline_item_ms(it));
    p->given = number < p->given ? number : p->given;
    pipeline_answer_drop(p);
    p->given = p->newest;          /* what comes from now on is new */
    p->heard = p->given;
    p->was_cut = true;
    p->figures.cuts++;
    if (p->is_parting) {
        p->has_wish = true;
        timer_start(p->pump, 0);
    }
}

/* An agent that nothing cuts off has said what it has begun to say; the rest is out of date. */
static void answer_end(struct pipeline *p)
{
    const struct pipeline_item *it = pipeline_item(p, p->given);
    const bool is_open = it && it->samples > 0 && !it->is_done && p->saying.item == p->given;
    static const int16_t nothing[1];

    if (is_open)
        chat_history_cut(&p->history, p->given, it->samples / PIPELINE_PER_MS, pipeline_item_ms(it));
    pipeline_answer_drop(p);
    if (is_open)
        p->base.on->on_audio(p->given, nothing, 0, true, p->base.arg);
}

void pipeline_say_to(struct pipeline *p, struct text words)
{
    int err;

    answer_end(p);
    if (!pipeline_is_on(p))
        return;
    err = chat_history_add(&p->history, CHAT_USER, 0, words);
    if (err) {
        pipeline_fail(p, PROVIDER_SERVER, err_text(err));
        return;
    }
    p->was_cut = p->owes_answer = p->is_asked_again = false;
    p->rounds = 0;
    p->turn_first = p->newest + 1;
    p->wants_answer = true;
    pipeline_ask(p);
}

/* ---- the model's answer ---- */

static void on_words(struct text words, void *arg)
{
    struct pipeline *p = arg;
    const int64_t ms = (clock_mono_us() - p->asked_us) / 1000;
    int err;

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    if (!p->has_words && p->asked_us && ms > p->figures.words_ms_max)
        p->figures.words_ms_max = ms;
    p->has_words = true;
    err = sentence_add(&p->sentence, words);
    if (err) {
        log_warn(&p->log, "answer_cut", kv_err(err));
        llm_cancel(p->llm);        /* what it said so far is enough for anybody */
    }
    pipeline_sentences_take(p, err != 0);
    pipeline_speak(p);
}

/* For the caller this is silence: once more, then the end. After a tool the model may have said all before. */
static void empty_answer(struct pipeline *p)
{
    if (p->rounds > 0 && p->newest >= p->turn_first)
        return;
    if (p->is_asked_again) {
        pipeline_fail(p, PROVIDER_SERVER, "the model's answers have no words in them");
        return;
    }
    log_warn(&p->log, "answer_empty", kv_str("next", "once more"));
    p->is_asked_again = true;
    p->wants_answer = true;
    pipeline_ask(p);
}

static void on_end(const struct chat_call *calls, size_t count, bool is_broken, void *arg)
{
    struct pipeline *p = arg;

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    (void)is_broken;               /* the model's log line tells; the caller heard what there was */
    pipeline_sentences_take(p, true);
    pipeline_speak(p);
    if (count > 0)
        pipeline_calls_take(p, calls, count);
    else if (p->newest < p->answer_first)
        empty_answer(p);
}

static void on_fault(enum provider_error kind, struct text detail, void *arg)
{
    struct pipeline *p = arg;
    char why[200];

    text_copy(why, sizeof why, detail);
    pipeline_fail(p, kind, why);
}

const struct llm_handlers pipeline_llm_on = { .on_words = on_words, .on_end = on_end, .on_fault = on_fault };
