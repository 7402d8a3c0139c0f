/* The part of a bought voice that is the same with every service. */
#include "ai/tts_bought.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ai/service.h"
#include "base/ref.h"

enum {
    FIRST_MS = 5000,
    GAP_MS = 3000,
    LEAST_S = 5,                   /* a voice that speaks on and on has lost its text */
    SAMPLES_A_BYTE = TTS_HZ / 2,
    MOST_S = 180,
};

static uint64_t samples_max(const struct tts_bought *b)
{
    const uint64_t n = LEAST_S * TTS_HZ + (uint64_t)b->words.n * SAMPLES_A_BYTE;

    return n < MOST_S * TTS_HZ ? n : MOST_S * TTS_HZ;
}

size_t bought_bytes_max(const struct tts_bought *b)
{
    return (size_t)samples_max(b) * (TTS_RATE_MAX / TTS_HZ) * sizeof(int16_t) + TTS_HEAD_MAX;
}

void bought_hush(struct tts_bought *b)
{
    timer_stop(b->watch);
    timer_stop(b->pump);
    free(b->ready);
    b->ready = NULL;
    b->is_saying = false;
    b->turn++;
}

/* ---- a text's sound ---- */

static bool on_pcm(const int16_t *pcm, size_t n, void *arg)
{
    struct tts_bought *b = arg;
    const unsigned turn = b->turn;

    b->has_sound = true;
    if (b->keeps && buf_add(&b->kept, pcm, n * sizeof *pcm))
        b->keeps = false;
    b->base.on->on_audio(pcm, n, b->base.arg);
    return b->turn == turn;
}

static void sound_fault(struct tts_bought *b, int err)
{
    char detail[160];

    if (err == -EBADMSG)
        snprintf(detail, sizeof detail, "the voice's server sent %s", b->sound.problem);
    if (err == -EBADMSG)
        bought_fault(b, PROVIDER_CONFIG, false, detail);
    else if (err == -EMSGSIZE)
        bought_fault(b, PROVIDER_SERVER, true, "the sound is far longer than its words");
    else if (err == -ENODATA)
        bought_fault(b, PROVIDER_SERVER, true, "no sound came");
    else if (err != -ECANCELED)
        bought_fault(b, PROVIDER_SERVER, true, err_text(err));
}

void bought_hear(struct tts_bought *b, struct text bytes)
{
    int err;

    if (!b->is_saying || bytes.n == 0)
        return;
    ref_hold(b);
    timer_start(b->watch, b->settings->gap_ms ? b->settings->gap_ms : GAP_MS);
    err = tts_sound_feed(&b->sound, bytes, on_pcm, b);
    if (err)
        sound_fault(b, err);
    ref_drop(b);
}

static void done_tell(struct tts_bought *b)
{
    if (b->keeps)
        tts_cache_put(b->settings->cache, buf_text(&b->words), (const int16_t *)(const void *)b->kept.p, b->kept.n / sizeof(int16_t));
    bought_hush(b);
    b->base.on->on_done(b->base.arg);
}

void bought_done(struct tts_bought *b)
{
    int err;

    if (!b->is_saying)
        return;
    ref_hold(b);
    err = tts_sound_end(&b->sound, on_pcm, b);
    if (err)
        sound_fault(b, err);
    else
        done_tell(b);
    ref_drop(b);
}

void bought_fault(struct tts_bought *b, enum provider_error kind, bool may_retry, const char *detail)
{
    char safe[200];

    if (!b->is_saying)
        return;
    service_detail(safe, sizeof safe, b->settings->key, detail);
    ref_hold(b);
    bought_hush(b);
    b->drop(b);
    b->base.on->on_fault(kind, may_retry, text_of(safe), b->base.arg);
    ref_drop(b);
}

static void on_watch(void *arg)
{
    struct tts_bought *b = arg;

    bought_fault(b, PROVIDER_NET, true, b->has_sound ? "the voice went silent in the middle of its text" : "the voice did not begin in time");
}

/* ---- what is at hand ---- */

static void on_pump(void *arg)
{
    struct tts_bought *b = arg;
    const unsigned turn = b->turn;
    int16_t *pcm = b->ready;

    b->ready = NULL;               /* ours: a handler may stop this, or free all */
    ref_hold(b);
    if (pcm)
        b->base.on->on_audio(pcm, b->ready_n, b->base.arg);
    free(pcm);
    if (b->turn == turn)
        done_tell(b);
    ref_drop(b);
}

static int words_take(struct tts_bought *b, struct text words)
{
    if (b->is_saying)
        return -EBUSY;
    if (words.n > TTS_WORDS_MAX)
        return -EINVAL;
    buf_clear(&b->words);
    return buf_add_text(&b->words, words);
}

int bought_say(struct tts_bought *b, struct text words, unsigned rate_hz)
{
    const bool may_be_kept = b->settings->cache && words.n <= TTS_CACHE_WORDS_MAX;
    int err = words_take(b, words);

    if (err)
        return err;
    err = may_be_kept ? tts_cache_get(b->settings->cache, words, &b->ready, &b->ready_n) : -ENOENT;
    if (err == -ENOMEM)
        return err;
    b->is_at_hand = !err || text_trim(words).n == 0; /* a service refuses a text without words */
    b->keeps = may_be_kept && !b->is_at_hand;
    buf_clear(&b->kept);
    tts_sound_begin(&b->sound, rate_hz, samples_max(b));
    b->is_saying = true;
    b->has_sound = false;
    b->turn++;
    if (b->is_at_hand)
        timer_start(b->pump, 0);
    return 0;
}

void bought_await(struct tts_bought *b)
{
    timer_start(b->watch, b->settings->first_ms ? b->settings->first_ms : FIRST_MS);
}

/* ---- its life ---- */

int bought_begin(struct tts_bought *b, struct loop *l, const struct tts_settings *settings, const struct log *log, const char *module,
                 const struct tts_handlers *on, void *arg)
{
    int err;

    b->base.on = on;
    b->base.arg = arg;
    b->loop = l;
    b->log = log_for(log, module);
    b->settings = settings;
    buf_init(&b->words, TTS_WORDS_MAX);
    buf_init(&b->kept, MOST_S * TTS_HZ * sizeof(int16_t));
    err = timer_new(&b->watch, l, on_watch, b);
    return err ? err : timer_new(&b->pump, l, on_pump, b);
}

void bought_end(struct tts_bought *b)
{
    timer_free(b->watch);
    timer_free(b->pump);
    tts_sound_free(&b->sound);
    buf_free(&b->words);
    buf_free(&b->kept);
    free(b->ready);
}
