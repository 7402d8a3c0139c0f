/* Cuts utterances out of a stream of samples. */
#include "ai/ear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/vad.h"

enum {
    PER_MS = EAR_HZ / 1000,
    PIECE = 10 * PER_MS,
    LEAD = EAR_LEAD_MS * PER_MS,
    TAIL = EAR_TAIL_MS * PER_MS,
    /* Kept while nobody speaks: the lead, and what the detector needs to be sure (60 ms of sound with gaps of up to 40 ms). */
    KEPT = LEAD + 400 * PER_MS,
    /* So far the store fills while nobody speaks: its rest is touched by long speech only. */
    QUIET = KEPT + 2000 * PER_MS,
    SILENCE_MIN_MS = 100,
    SPEECH_LEAST_MS = 1000, SPEECH_LIMIT_MS = 60 * 1000, /* of speech_max_ms */
};

enum phase {
    EAR_QUIET, /* nothing, or not sure */
    EAR_HELD,  /* speech that does not count yet */
    EAR_OPEN,  /* told */
    EAR_DEAF,  /* the rest of a speech that is dealt with already */
};

struct ear {
    struct vad vad;
    enum phase phase;
    bool discarded;
    size_t n, size, quiet_size; /* samples in store; its room, and that while nobody speaks */
    int64_t total;            /* samples taken so far; the store's last is number total - 1 */
    int64_t at_us, at_sample; /* a moment and the sample that belongs to it */
    int64_t started, ended;   /* samples, of the present or last utterance */
    size_t utterance_n;
    int16_t store[];
};

int ear_new(struct ear **out, const struct ear_options *opt)
{
    const int silence_ms = opt && opt->silence_ms ? opt->silence_ms : EAR_SILENCE_MS;
    const int speech_max_ms = opt && opt->speech_max_ms ? opt->speech_max_ms : EAR_SPEECH_MAX_MS;
    struct vad_options v;
    struct ear *e;

    if (silence_ms < SILENCE_MIN_MS || speech_max_ms < SPEECH_LEAST_MS || speech_max_ms > SPEECH_LIMIT_MS)
        return -EINVAL;
    const size_t size = LEAD + (size_t)speech_max_ms * PER_MS + PIECE;

    e = calloc(1, sizeof *e + size * sizeof *e->store);
    if (!e)
        return -ENOMEM;
    e->size = size;
    e->quiet_size = size < QUIET ? size : QUIET;
    vad_options_default(&v);
    v.hangover_ms = silence_ms;
    vad_init(&e->vad, &v);
    *out = e;
    return 0;
}

void ear_free(struct ear *e)
{
    free(e);
}

static void store_keep(struct ear *e, size_t n)
{
    if (n >= e->n)
        return;
    memmove(e->store, e->store + (e->n - n), n * sizeof *e->store);
    e->n = n;
}

/* While nobody speaks the store is moved down when it is full: about once in 2 s, 11 kB. */
static void store_add(struct ear *e, const int16_t *pcm, size_t n)
{
    const bool is_kept = e->phase == EAR_HELD || e->phase == EAR_OPEN;

    if (e->n + n > (is_kept ? e->size : e->quiet_size))
        store_keep(e, KEPT);
    memcpy(e->store + e->n, pcm, n * sizeof *pcm);
    e->n += n;
    e->total += (int64_t)n;
}

static void speech_begin(struct ear *e)
{
    const int64_t wanted = e->total - e->vad.started_at + LEAD;

    e->started = e->vad.started_at;
    e->phase = EAR_HELD;
    e->discarded = false;
    store_keep(e, (size_t)wanted);
}

/* end: the sample at which the speech ended. */
static enum ear_event speech_end(struct ear *e, int64_t end, enum phase next)
{
    const bool told = e->phase == EAR_OPEN;
    const int64_t first = e->total - (int64_t)e->n;
    const int64_t last = end + TAIL < e->total ? end + TAIL : e->total;

    e->phase = next;
    if (!told)
        return EAR_NONE;
    e->ended = end;
    e->utterance_n = e->discarded ? 0 : (size_t)(last - first);
    return EAR_STOPPED;
}

static enum ear_event piece_feed(struct ear *e, const int16_t *pcm, size_t n, int need_ms)
{
    store_add(e, pcm, n);
    const enum vad_event event = vad_feed(&e->vad, pcm, n);
    if (event == VAD_START)
        speech_begin(e);
    if (event == VAD_STOP)
        return speech_end(e, e->vad.ended_at, EAR_QUIET);
    if (e->phase == EAR_HELD && need_ms >= 0 && vad_speech_ms(&e->vad) >= need_ms) {
        e->phase = EAR_OPEN;
        return EAR_STARTED;
    }
    if ((e->phase == EAR_HELD || e->phase == EAR_OPEN) && e->n + PIECE > e->size)
        return speech_end(e, e->total, EAR_DEAF);
    return EAR_NONE;
}

enum ear_event ear_feed(struct ear *e, const int16_t *pcm, size_t n, int64_t at_us, int need_ms, size_t *used)
{
    enum ear_event event = EAR_NONE;
    size_t at = 0;

    e->at_us = at_us;
    e->at_sample = e->total;
    e->utterance_n = 0;
    while (at < n && event == EAR_NONE) {
        const size_t piece = n - at < PIECE ? n - at : PIECE;
        event = piece_feed(e, pcm + at, piece, need_ms);
        at += piece;
    }
    *used = at;
    return event;
}

static int64_t time_of(const struct ear *e, int64_t sample)
{
    return e->at_us + (sample - e->at_sample) * 1000 / PER_MS;
}

int64_t ear_onset_us(const struct ear *e)
{
    return time_of(e, e->started);
}

int64_t ear_end_us(const struct ear *e)
{
    return time_of(e, e->ended);
}

int ear_voiced_ms(const struct ear *e)
{
    return (int)((e->ended - e->started) / PER_MS);
}

const int16_t *ear_utterance(const struct ear *e, size_t *n)
{
    *n = e->utterance_n;
    return e->store;
}

void ear_discard(struct ear *e)
{
    e->discarded = true;
    if (e->phase == EAR_HELD)
        e->phase = EAR_DEAF;
}

bool ear_is_quiet(const struct ear *e)
{
    return e->phase == EAR_QUIET;
}
