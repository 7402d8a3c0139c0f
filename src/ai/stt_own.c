/* Cuts a caller's utterances, and keeps those that wait to be understood in order. */
#include "ai/stt_own.h"

#include <stdlib.h>
#include <string.h>

enum {
    PER_MS = EAR_HZ / 1000,
    GAP_MS = 500,                  /* the line gave nothing for so long: silence is heard instead */
    NEED_MS = 120,                 /* speech this long counts: it may cut an agent off */
};

static struct stt_own *own_of(struct stt *s)
{
    return (struct stt_own *)s;
}

static void nothing_tell(struct stt_own *o)
{
    stt_tell_turn(&o->core, TEXT(""), TEXT_NONE, 0);
}

static void utterance_begin(struct stt_own *o, const int16_t *pcm, size_t n)
{
    const int err = o->understand(o, pcm, n);

    o->is_busy = !err;
    o->is_stale = false;
    if (!err)
        return;
    log_warn(&o->core.log, "utterance_lost", kv_err(err));
    nothing_tell(o);
}

static void next(struct stt_own *o)
{
    while (o->waiting_count > 0 && !o->is_busy && stt_core_is_on(&o->core)) {
        const struct stt_utterance u = o->waiting[0];

        memmove(o->waiting, o->waiting + 1, --o->waiting_count * sizeof *o->waiting);
        if (u.pcm)
            utterance_begin(o, u.pcm, u.n);
        else
            nothing_tell(o);
        free(u.pcm);
    }
}

void stt_own_understood(struct stt_own *o, struct text words, struct text intent, double score)
{
    o->is_busy = false;
    if (o->is_stale)
        nothing_tell(o);
    else
        stt_tell_turn(&o->core, words, intent, score);
    next(o);
}

/* Turns keep their order, also those of which nothing is to be understood. */
static void utterance_keep(struct stt_own *o, const int16_t *pcm, size_t n)
{
    struct stt_utterance *u = &o->waiting[o->waiting_count];

    if (o->waiting_count == STT_WAITING) {
        o->dropped++;
        log_warn(&o->core.log, "utterance_dropped", kv_int("waiting", STT_WAITING), kv_int("dropped", (int64_t)o->dropped));
        nothing_tell(o);
        return;
    }
    o->waiting_count++;
    u->n = n;
    u->pcm = n > 0 ? malloc(n * sizeof *pcm) : NULL;
    if (u->pcm)
        memcpy(u->pcm, pcm, n * sizeof *pcm);
}

static void utterance_take(struct stt_own *o)
{
    size_t n = 0;
    const int16_t *pcm = ear_utterance(o->ear, &n);

    if (ear_voiced_ms(o->ear) < o->least_ms)
        n = 0;
    if (o->is_busy)
        utterance_keep(o, pcm, n);
    else if (n > 0)
        utterance_begin(o, pcm, n);
    else
        nothing_tell(o);
}

void stt_own_hear(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct stt_own *o = own_of(s);

    o->was_fed = true;
    o->heard_until_us = at_us + (int64_t)n * 1000 / PER_MS;
    for (size_t at = 0; at < n && stt_core_is_on(&o->core);) {
        size_t used = 0;
        const enum ear_event event = ear_feed(o->ear, pcm + at, n - at, at_us + (int64_t)at * 1000 / PER_MS, NEED_MS, &used);

        at += used;
        if (event == EAR_STARTED) {
            stt_tell(&o->core, STT_STARTED, ear_onset_us(o->ear));
        } else if (event == EAR_STOPPED) {
            stt_tell(&o->core, STT_STOPPED, ear_end_us(o->ear));
            utterance_take(o);
        }
    }
}

/* A phone that sends nothing while nobody speaks must not keep an utterance open for ever. */
static void on_gap(void *arg)
{
    static const int16_t silence[GAP_MS * PER_MS];
    struct stt_own *o = arg;

    if (!stt_core_is_on(&o->core))
        return;
    if (!o->was_fed && !ear_is_quiet(o->ear))
        stt_own_hear(&o->core.base, silence, sizeof silence / sizeof silence[0], o->heard_until_us);
    o->was_fed = false;
    timer_start(o->gap, GAP_MS);
}

void stt_own_start(struct stt *s)
{
    struct stt_own *o = own_of(s);

    if (o->core.is_closed || o->core.is_started)
        return;
    o->core.is_started = true;
    stt_tell(&o->core, STT_READY, 0);
    timer_start(o->gap, GAP_MS);
}

static void waiting_forget(struct stt_own *o)
{
    for (size_t i = 0; i < o->waiting_count; i++) {
        free(o->waiting[i].pcm);
        o->waiting[i].pcm = NULL;
    }
}

void stt_own_discard(struct stt *s)
{
    struct stt_own *o = own_of(s);

    ear_discard(o->ear);
    stt_core_discard(&o->core);
    o->is_stale = o->is_busy;
    waiting_forget(o);
}

bool stt_own_close(struct stt_own *o)
{
    timer_stop(o->gap);
    return stt_core_close(&o->core);
}

int stt_own_init(struct stt_own *o, const struct ear_options *opt, stt_own_understand *understand)
{
    int err = ear_new(&o->ear, opt);

    o->understand = understand;
    if (!err)
        err = timer_new(&o->gap, o->core.loop, on_gap, o);
    return err;
}

void stt_own_free(struct stt_own *o)
{
    waiting_forget(o);
    timer_free(o->gap);
    ear_free(o->ear);
    stt_core_free(&o->core);
}
