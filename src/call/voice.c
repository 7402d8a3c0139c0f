/* Brings the agent's words to the audio clock, and knows what of them was heard. */
#include "call/voice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/pcm.h"
#include "audio/playout.h"
#include "audio/resample.h"
#include "base/clock.h"

enum {
    PLAYOUT_MS = 60 * 1000,        /* what a provider may send ahead of the caller's ear */
    RATE_RATIO_MAX = 6,            /* 8 to 48 kHz */
    PIECE = 960,                   /* samples converted at once */
    ENDED_MAX = 8,                 /* items that end within one turn of the loop */
    PHRASE_HZ = 8000,
    FADE_MS = 8,
    FADE_MAX = 384,                /* samples: at 48 kHz */
};

struct voice {
    struct playout *playout;       /* at the leg's rate */
    struct resampler *resampler;   /* NULL: same rate */
    struct timer *turn;            /* 0 ms: what the tick noticed */
    unsigned leg_hz;

    uint32_t newest;               /* item last begun in the playout */
    bool is_open;                  /* ... and not finished */
    uint32_t cut_up_to;            /* items up to this one were thrown away: late audio of them is too */
    uint32_t refused;              /* item for which the playout had no place */

    uint32_t ended[ENDED_MAX];
    size_t ended_count;
    bool has_cut, is_measured;     /* an interruption is to be told; its last sample has been taken */
    struct voice_cut cut;
    bool awaits_silence, is_silent, is_stopped;

    const int16_t *phrase;         /* being said; NULL: none */
    int16_t *converted;            /* the phrase at the leg's rate, when that is another */
    size_t phrase_n, phrase_at;
    bool holds, is_held;           /* is to be quiet; is, since held_us */
    int64_t held_us;
    int16_t tail[FADE_MAX];        /* what fades next: the end of what was cut, or the beginning of what goes on */
    size_t tail_n, tail_at;
    bool is_speaking, has_begun;   /* the provider's words are on the wire; that is to be told */
    int64_t began_us;

    struct voice_figures figures;
    struct voice_handlers on;
    void *arg;
};

/* ---- from the provider ---- */

static bool put(struct voice *v, const int16_t *pcm, size_t n)
{
    const size_t took = playout_add(v->playout, pcm, n);

    v->figures.dropped += n - took;
    return took == n;
}

static bool convert(struct voice *v, const int16_t *pcm, size_t n)
{
    int16_t out[PIECE * RATE_RATIO_MAX + 1];
    bool all = true;

    if (!v->resampler)
        return put(v, pcm, n);
    while (n > 0) {
        const size_t piece = n < PIECE ? n : PIECE;
        const size_t made = resampler_run(v->resampler, pcm, piece, out, sizeof out / sizeof out[0]);

        all = put(v, out, made) && all;
        pcm += piece;
        n -= piece;
    }
    return all;
}

static bool begin(struct voice *v, uint32_t item)
{
    if (v->is_open && item == v->newest)
        return true;
    if (item == v->refused || playout_begin(v->playout, item) != 0) {
        v->refused = item;         /* whole or not at all: a piece of its middle would be nonsense */
        return false;
    }
    v->newest = item;
    v->is_open = true;
    if (v->resampler)
        resampler_reset(v->resampler);
    return true;
}

bool voice_add(struct voice *v, uint32_t item, const int16_t *pcm, size_t n, bool last)
{
    bool all;

    if (v->is_stopped || item <= v->cut_up_to)
        return true;
    if (!begin(v, item)) {
        v->figures.dropped += n;
        return false;
    }
    all = convert(v, pcm, n);
    if (last) {
        playout_finish(v->playout);
        v->is_open = false;
    }
    return all;
}

void voice_finish(struct voice *v)
{
    playout_finish(v->playout);
    v->is_open = false;
}

/* ---- interruptions ---- */

static void cut_tell(struct voice *v)
{
    if (!v->has_cut)
        return;
    v->has_cut = false;
    if (!v->is_measured)
        v->cut.cut_us = clock_mono_us() - v->cut.onset_us;
    v->on.on_cut(&v->cut, v->arg);
}

static size_t fade_samples(const struct voice *v)
{
    const size_t n = v->leg_hz * FADE_MS / 1000;

    return n < FADE_MAX ? n : FADE_MAX;
}

/* False: there was none. */
static bool phrase_cut(struct voice *v)
{
    const size_t left = v->phrase_n - v->phrase_at, fade = fade_samples(v);

    if (!v->phrase)
        return false;
    if (!v->is_held && v->phrase_at > 0) {
        v->tail_n = left < fade ? left : fade;
        v->tail_at = 0;
        memcpy(v->tail, v->phrase + v->phrase_at, v->tail_n * sizeof *v->tail);
        pcm_fade(v->tail, v->tail_n, 256, 0);
    }
    v->phrase = NULL;
    return true;
}

/* What was held is silent already: nothing of it fades a second time. */
static void hold_drop(struct voice *v)
{
    int16_t faded[FADE_MAX];
    uint32_t ended;

    if (v->is_held) {
        v->tail_at = v->tail_n;
        (void)playout_take(v->playout, faded, fade_samples(v), &ended);
        v->is_measured = true;
        v->cut.cut_us = v->held_us > v->cut.onset_us ? v->held_us - v->cut.onset_us : 0;
        timer_start(v->turn, 0);
    }
    v->holds = v->is_held = false;
}

bool voice_interrupt(struct voice *v, const char *by, int64_t onset_us, unsigned unheard_ms, uint32_t *item, unsigned *played_ms)
{
    const bool has_phrase = phrase_cut(v), has_words = playout_is_talking(v->playout);

    *item = 0;
    *played_ms = 0;
    if (!has_phrase && !has_words)
        return false;
    cut_tell(v);                   /* of the one before, if the clock has not come round yet */
    if (has_words)
        playout_flush(v->playout, item, played_ms);
    *played_ms -= *played_ms < unheard_ms ? *played_ms : unheard_ms;
    v->cut_up_to = v->newest;
    v->is_open = false;
    v->has_cut = true;
    v->is_measured = false;
    v->cut = (struct voice_cut){ .item = *item, .played_ms = *played_ms, .by = by, .onset_us = onset_us };
    hold_drop(v);
    return true;
}

bool voice_hold(struct voice *v)
{
    if (!voice_is_talking(v))
        return false;
    v->holds = true;
    return true;
}

void voice_resume(struct voice *v)
{
    if (v->is_held) {
        pcm_fade(v->tail, v->tail_n, 0, 256);
        v->tail_at = 0;
    }
    v->holds = v->is_held = false;
}

/* ---- phrases ---- */

int voice_say(struct voice *v, const int16_t *pcm, size_t n)
{
    int err;

    if (v->is_stopped)
        return -ESHUTDOWN;
    (void)phrase_cut(v);
    free(v->converted);
    v->converted = NULL;
    if (v->leg_hz != PHRASE_HZ) {
        err = resample_clip(pcm, n, PHRASE_HZ, v->leg_hz, &v->converted, &n);
        if (err)
            return err;
        pcm = v->converted;
    }
    v->phrase = n > 0 ? pcm : NULL;
    v->phrase_n = n;
    v->phrase_at = 0;
    return 0;
}

bool voice_is_talking(const struct voice *v)
{
    return v->phrase || playout_is_talking(v->playout);
}

bool voice_is_dry(const struct voice *v)
{
    return !v->phrase && !v->holds && playout_is_talking(v->playout) && playout_waiting_ms(v->playout) == 0;
}

/* ---- the audio tick ---- */

static void cut_measure(struct voice *v, size_t spoken, int64_t at_us)
{
    const int64_t last_us = at_us + (int64_t)spoken * 1000000 / (int64_t)v->leg_hz;

    if (!v->has_cut || v->is_measured)
        return;
    v->is_measured = true;
    v->cut.cut_us = last_us > v->cut.onset_us ? last_us - v->cut.onset_us : 0;
    timer_start(v->turn, 0);
}

static size_t tail_take(struct voice *v, int16_t *out, size_t n)
{
    const size_t left = v->tail_n - v->tail_at;

    if (v->is_held || left == 0)
        return 0;
    n = n < left ? n : left;
    memcpy(out, v->tail + v->tail_at, n * sizeof *out);
    v->tail_at += n;
    return n;
}

static size_t phrase_take(struct voice *v, int16_t *out, size_t n)
{
    const size_t left = v->phrase_n - v->phrase_at;

    if (!v->phrase)
        return 0;
    n = n < left ? n : left;
    memcpy(out, v->phrase + v->phrase_at, n * sizeof *out);
    v->phrase_at += n;
    if (v->phrase_at == v->phrase_n)
        v->phrase = NULL;
    return n;
}

static void begin_note(struct voice *v, size_t spoken, int64_t at_us)
{
    if (spoken > 0 && !v->is_speaking) {
        v->has_begun = true;
        v->began_us = at_us;
        timer_start(v->turn, 0);
    }
    v->is_speaking = spoken > 0;
}

/* All of out is written; returns what was not silence. */
static size_t source_take(struct voice *v, int16_t *out, size_t n, int64_t at_us)
{
    const size_t phrase = phrase_take(v, out, n);
    uint32_t ended = 0;
    size_t spoken;

    if (phrase == n)
        return n;
    spoken = playout_take(v->playout, out + phrase, n - phrase, &ended);
    if (spoken > 0 && v->figures.first_us == 0)
        v->figures.first_us = at_us;
    begin_note(v, spoken, at_us);
    if (ended && v->ended_count < ENDED_MAX) {
        v->ended[v->ended_count++] = ended;
        timer_start(v->turn, 0);
    }
    return phrase + spoken;
}

/* The first frame of a hold fades what comes next, and keeps it for voice_resume. */
static size_t hold_take(struct voice *v, int16_t *out, size_t n, int64_t at_us)
{
    const size_t most = fade_samples(v);
    size_t spoken = 0;

    memset(out, 0, n * sizeof *out);
    if (v->is_held)
        return 0;
    v->tail_n = n < most ? n : most;
    spoken = source_take(v, v->tail, v->tail_n, at_us);
    memcpy(out, v->tail, v->tail_n * sizeof *out);
    pcm_fade(out, v->tail_n, 256, 0);
    v->is_held = true;
    v->held_us = at_us + (int64_t)spoken * 1000000 / (int64_t)v->leg_hz;
    return spoken;
}

void voice_take(struct voice *v, int16_t *out, size_t n, int64_t at_us)
{
    size_t spoken;

    if (v->awaits_silence && !voice_is_talking(v)) {
        v->awaits_silence = false; /* what was said has left with the frames before this one */
        v->is_silent = true;
        timer_start(v->turn, 0);
    }
    spoken = tail_take(v, out, n);
    if (spoken < n && v->holds)
        spoken += hold_take(v, out + spoken, n - spoken, at_us);
    else if (spoken < n)
        spoken += source_take(v, out + spoken, n - spoken, at_us);
    cut_measure(v, spoken, at_us);
}

/* A handler may end in voice_stop, not in voice_free: the conversation lives until both its sides have closed. */
static void on_turn(void *arg)
{
    struct voice *v = arg;

    if (v->is_measured)
        cut_tell(v);
    for (size_t i = 0; i < v->ended_count && !v->is_stopped; i++)
        v->on.on_heard(v->ended[i], v->arg);
    v->ended_count = 0;
    if (v->has_begun && !v->is_stopped) {
        v->has_begun = false;
        v->on.on_began(v->began_us, v->arg);
    }
    if (v->is_silent && !v->is_stopped) {
        v->is_silent = false;
        v->on.on_silent(v->arg);
    }
}

void voice_await_silence(struct voice *v)
{
    v->awaits_silence = true;
}

void voice_stop(struct voice *v)
{
    if (v->is_stopped)
        return;
    v->is_stopped = true;
    cut_tell(v);
    timer_stop(v->turn);
}

void voice_figures(const struct voice *v, struct voice_figures *out)
{
    *out = v->figures;
    out->underruns = playout_underruns(v->playout);
}

/* ---- construction ---- */

static int resampler_make(struct resampler **out, unsigned leg_hz, unsigned provider_hz)
{
    *out = NULL;
    if (leg_hz > provider_hz * RATE_RATIO_MAX || provider_hz > leg_hz * RATE_RATIO_MAX)
        return -EINVAL;
    return leg_hz == provider_hz ? 0 : resampler_new(out, provider_hz, leg_hz);
}

void voice_drop(struct voice *v)
{
    unsigned played_ms;
    uint32_t item;

    cut_tell(v);
    playout_flush(v->playout, &item, &played_ms);
    v->newest = v->cut_up_to = v->refused = 0;
    v->is_open = v->has_begun = false;
    v->ended_count = 0;
    hold_drop(v);
}

int voice_switch(struct voice *v, unsigned provider_hz)
{
    struct resampler *fresh;
    const int err = resampler_make(&fresh, v->leg_hz, provider_hz);

    if (err)
        return err;
    resampler_free(v->resampler);
    v->resampler = fresh;
    voice_drop(v);
    return 0;
}

void voice_free(struct voice *v)
{
    if (!v)
        return;
    timer_free(v->turn);
    resampler_free(v->resampler);
    playout_free(v->playout);
    free(v->converted);
    free(v);
}

int voice_new(struct voice **out, struct loop *l, unsigned leg_hz, unsigned provider_hz, const struct voice_handlers *on,
              void *arg)
{
    struct voice *v;
    int err;

    v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->leg_hz = leg_hz;
    v->on = *on;
    v->arg = arg;
    err = timer_new(&v->turn, l, on_turn, v);
    if (!err)
        err = playout_new(&v->playout, leg_hz, PLAYOUT_MS);
    if (!err)
        err = resampler_make(&v->resampler, leg_hz, provider_hz);
    if (err) {
        voice_free(v);
        return err;
    }
    *out = v;
    return 0;
}
