/* Brings the agent's words to the audio clock, and knows what of them was heard. */
#include "call/voice.h"

#include <errno.h>
#include <stdlib.h>

#include "audio/playout.h"
#include "audio/resample.h"
#include "base/clock.h"

enum {
    PLAYOUT_MS = 60 * 1000,        /* what a provider may send ahead of the caller's ear */
    RATE_RATIO_MAX = 6,            /* 8 to 48 kHz */
    PIECE = 960,                   /* samples converted at once */
    ENDED_MAX = 8,                 /* items that end within one turn of the loop */
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

bool voice_interrupt(struct voice *v, const char *by, int64_t onset_us, unsigned unheard_ms, uint32_t *item, unsigned *played_ms)
{
    if (!playout_is_talking(v->playout))
        return false;
    cut_tell(v);                   /* of the one before, if the clock has not come round yet */
    playout_flush(v->playout, item, played_ms);
    *played_ms -= *played_ms < unheard_ms ? *played_ms : unheard_ms;
    v->cut_up_to = v->newest;
    v->is_open = false;
    v->has_cut = true;
    v->is_measured = false;
    v->cut = (struct voice_cut){ .item = *item, .played_ms = *played_ms, .by = by, .onset_us = onset_us };
    return true;
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

void voice_take(struct voice *v, int16_t *out, size_t n, int64_t at_us)
{
    uint32_t ended = 0;
    size_t spoken;

    if (v->awaits_silence && !playout_is_talking(v->playout)) {
        v->awaits_silence = false; /* what was said has left with the frames before this one */
        v->is_silent = true;
        timer_start(v->turn, 0);
    }
    spoken = playout_take(v->playout, out, n, &ended);
    if (spoken > 0 && v->figures.first_us == 0)
        v->figures.first_us = at_us;
    cut_measure(v, spoken, at_us);
    if (ended && v->ended_count < ENDED_MAX) {
        v->ended[v->ended_count++] = ended;
        timer_start(v->turn, 0);
    }
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

void voice_free(struct voice *v)
{
    if (!v)
        return;
    timer_free(v->turn);
    resampler_free(v->resampler);
    playout_free(v->playout);
    free(v);
}

int voice_new(struct voice **out, struct loop *l, unsigned leg_hz, unsigned provider_hz, const struct voice_handlers *on,
              void *arg)
{
    struct voice *v;
    int err;

    if (leg_hz > provider_hz * RATE_RATIO_MAX || provider_hz > leg_hz * RATE_RATIO_MAX)
        return -EINVAL;
    v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->leg_hz = leg_hz;
    v->on = *on;
    v->arg = arg;
    err = timer_new(&v->turn, l, on_turn, v);
    if (!err)
        err = playout_new(&v->playout, leg_hz, PLAYOUT_MS);
    if (!err && leg_hz != provider_hz)
        err = resampler_new(&v->resampler, provider_hz, leg_hz);
    if (err) {
        voice_free(v);
        return err;
    }
    *out = v;
    return 0;
}
