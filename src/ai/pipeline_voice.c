/* Has the model's words spoken, sentence by sentence, never far ahead of the caller's ear. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ai/pipeline_internal.h"
#include "base/clock.h"

enum {
    AHEAD = 3,                     /* sentences that have sound and were not heard to their end: the one that sounds, and two behind it */
    AHEAD_MS = 20 * 1000,          /* of sound, before another sentence is begun: the playout holds 60 s */
    AHEAD_SLACK_MS = 45 * 1000,    /* phrases, pauses: longer than any of them */
    BYTE_MS = 65,                  /* of speech, about: 15 letters a second */
    PIECE_MAX = 2 * SENTENCE_MAX,  /* some signs become words */
};

struct pipeline_item *pipeline_item(struct pipeline *p, uint32_t number)
{
    struct pipeline_item *it = &p->items[number % PIPELINE_ITEMS];

    return number > 0 && it->number == number ? it : NULL;
}

uint64_t pipeline_item_ms(const struct pipeline_item *it)
{
    const uint64_t given = it->samples / PIPELINE_PER_MS, guess = (uint64_t)it->words * BYTE_MS;

    return it->is_done || given > guess ? given + (given == 0) : guess;
}

/* ---- the queue ---- */

static void sentence_queue(struct pipeline *p, struct text words)
{
    struct pipeline_sentence *s = &p->queue[(p->queue_first + p->queue_count) % PIPELINE_QUEUE];
    char *copy = text_dup(words);
    int err = copy ? chat_history_add(&p->history, CHAT_AGENT, p->newest + 1, words) : -ENOMEM;

    if (err) {
        log_warn(&p->log, "sentence_lost", kv_err(err));
        free(copy);
        return;
    }
    *s = (struct pipeline_sentence){ .item = ++p->newest, .words = copy };
    p->queue_count++;
    p->items[s->item % PIPELINE_ITEMS] = (struct pipeline_item){ .number = s->item, .words = words.n };
}

void pipeline_sentences_take(struct pipeline *p, bool is_end)
{
    struct buf piece;

    buf_init(&piece, PIECE_MAX);
    while (p->queue_count < PIPELINE_QUEUE && sentence_take(&p->sentence, is_end, &piece)) {
        if (piece.n > 0)
            sentence_queue(p, buf_text(&piece));
        buf_clear(&piece);
    }
    buf_free(&piece);
}

static void saying_end(struct pipeline *p)
{
    free(p->saying.words);
    p->saying = (struct pipeline_sentence){ .item = 0 };
    p->is_said_again = false;
}

void pipeline_voice_drop(struct pipeline *p)
{
    if (p->voice && p->saying.item)
        tts_stop(p->voice);
    saying_end(p);
    while (p->queue_count > 0) {
        free(p->queue[p->queue_first].words);
        p->queue_first = (p->queue_first + 1) % PIPELINE_QUEUE;
        p->queue_count--;
    }
    timer_stop(p->ahead);
}

bool pipeline_is_speaking(const struct pipeline *p)
{
    return p->saying.item > 0 || p->queue_count > 0;
}

/* ---- not too far ahead ---- */

/* Sentences with sound that were not heard to their end, and how long all of that takes. */
static unsigned unheard(const struct pipeline *p, uint64_t *ms)
{
    unsigned count = 0;

    *ms = 0;
    for (uint32_t n = p->heard + 1; n <= p->given; n++) {
        const struct pipeline_item *it = &p->items[n % PIPELINE_ITEMS];

        if (it->number != n || it->samples == 0)
            continue;
        count++;
        *ms += it->samples / PIPELINE_PER_MS;
    }
    return count;
}

bool pipeline_is_audible(const struct pipeline *p)
{
    uint64_t ms;

    return unheard(p, &ms) > 0;
}

static bool has_room(struct pipeline *p)
{
    uint64_t ms;
    const unsigned count = unheard(p, &ms);

    if (count < AHEAD && ms < AHEAD_MS)
        return true;
    timer_start(p->ahead, (int64_t)ms + AHEAD_SLACK_MS);
    return false;
}

/* The last words of all have been spoken. */
static void wish(struct pipeline *p)
{
    p->has_wish = true;
    timer_start(p->pump, 0);
}

static void say(struct pipeline *p)
{
    const int err = tts_say(p->voice, text_of(p->saying.words));

    if (err)
        pipeline_fail(p, err == -ENOBUFS ? PROVIDER_RATE : err == -EINVAL ? PROVIDER_CONFIG : PROVIDER_SERVER, err_text(err));
}

void pipeline_speak(struct pipeline *p)
{
    if (!pipeline_is_on(p) || p->saying.item)
        return;
    if (p->queue_count == 0) {
        if (p->is_parting)
            wish(p);
        return;
    }
    if (!has_room(p))
        return;
    timer_stop(p->ahead);
    p->saying = p->queue[p->queue_first];
    p->queue_first = (p->queue_first + 1) % PIPELINE_QUEUE;
    p->queue_count--;
    pipeline_sentences_take(p, !llm_is_busy(p->llm));
    p->figures.sentences++;
    say(p);
}

void pipeline_heard(struct pipeline *p, uint32_t item)
{
    if (item <= p->heard || item > p->newest)
        return;
    p->heard = item;
    pipeline_speak(p);
}

/* ---- what the voice gives ---- */

static void first_sound(struct pipeline *p)
{
    const int64_t ms = (clock_mono_us() - p->asked_us) / 1000;

    if (p->asked_us == 0)
        return;
    p->asked_us = 0;
    if (ms > p->figures.sound_ms_max)
        p->figures.sound_ms_max = ms;
}

static void on_audio(const int16_t *pcm, size_t n, void *arg)
{
    struct pipeline *p = arg;
    const uint32_t number = p->saying.item;
    struct pipeline_item *it = pipeline_item(p, number);

    if (!pipeline_is_on(p) || !it || n == 0)
        return;
    if (it->samples == 0) {
        first_sound(p);
        p->given = number;
        it->samples = n;           /* counted before it is told: an interruption may come from inside */
        p->base.on->on_agent_text(number, text_of(p->saying.words), p->base.arg);
    } else {
        it->samples += n;
    }
    if (pipeline_is_on(p) && p->saying.item == number)
        p->base.on->on_audio(number, pcm, n, false, p->base.arg);
}

/* The sentence is over, whether or not all of it came. */
static void sentence_end(struct pipeline *p)
{
    static const int16_t nothing[1];
    const uint32_t number = p->saying.item;
    struct pipeline_item *it = pipeline_item(p, number);

    saying_end(p);
    if (it && it->samples > 0) {
        it->is_done = true;
        p->base.on->on_audio(number, nothing, 0, true, p->base.arg);
    } else if (p->figures.mute++ == 0) {
        log_warn(&p->log, "no_sound", kv_int("item", number));
    }
    pipeline_speak(p);
}

static void on_done(void *arg)
{
    struct pipeline *p = arg;

    if (pipeline_is_on(p) && p->saying.item)
        sentence_end(p);
}

/* ---- a voice that fails ---- */

/* False: there is none, or it speaks already. */
static bool spare_take(struct pipeline *p)
{
    struct tts *spare;

    if (!p->opt->parts->spare || p->is_spare)
        return false;
    if (p->opt->parts->spare(&spare, p->opt->settings, &p->opt->ground, &pipeline_voice_on, p))
        return false;
    tts_free(p->voice);
    p->voice = spare;
    p->is_spare = true;
    return true;
}

/* What has sounded is not said twice. */
static void say_again(struct pipeline *p)
{
    const struct pipeline_item *it = pipeline_item(p, p->saying.item);

    p->figures.voice_retries++;
    if (it && it->samples > 0)
        sentence_end(p);
    else
        say(p);
}

static void on_fault(enum provider_error kind, bool may_retry, struct text detail, void *arg)
{
    struct pipeline *p = arg;
    char why[200];

    if (!pipeline_is_on(p) || !p->saying.item)
        return;
    text_copy(why, sizeof why, detail);
    if (may_retry && !p->is_said_again) {
        log_warn(&p->log, "voice_failed", kv_str("kind", provider_error_name(kind)), kv_str("why", why), kv_str("next", "once more"));
        p->is_said_again = true;
        say_again(p);
    } else if (spare_take(p)) {
        log_error(&p->log, "voice_failed", kv_str("kind", provider_error_name(kind)), kv_str("why", why), kv_str("next", "the embedded voice"));
        say_again(p);
    } else {
        pipeline_fail(p, kind, why);
    }
}

const struct tts_handlers pipeline_voice_on = { .on_audio = on_audio, .on_done = on_done, .on_fault = on_fault };
