/* Callers who let an agent talk for a second, then talk into it: how long does it go on? */
#include <stdlib.h>
#include <string.h>

#include "sim/media_load_parts.h"

enum {
    LOUD = 300,                    /* mean of the absolute samples of a frame that holds sound */
    LISTEN_FRAMES = 50,            /* of the agent's sound, before the caller cuts in */
    PAUSE_FRAMES = 15,             /* silence that ends a stretch of sound: longer than pauses between words */
    GIVE_UP_US = 4000000,          /* an agent that still talks is not cut */
};

static void state_enter(struct load_talk *t, enum load_talk_state s)
{
    t->state = s;
    t->sounding = 0;
}

void load_talk_make(struct load *l, struct load_leg *g, int16_t pcm[LOAD_FRAME], int64_t now_us)
{
    struct load_talk *t = &g->talk;
    size_t n = 0;

    memset(pcm, 0, LOAD_FRAME * sizeof *pcm);
    if (t->state == LOAD_LISTENS && t->sounding >= LISTEN_FRAMES && now_us < l->ends_us) {
        state_enter(t, LOAD_SPEAKS);
        t->said = 0;
        t->onset_us = now_us;
    }
    if (t->state == LOAD_SPEAKS && t->said < l->opt->voice_n) {
        n = l->opt->voice_n - t->said < LOAD_FRAME ? l->opt->voice_n - t->said : LOAD_FRAME;
        memcpy(pcm, l->opt->voice + t->said, n * sizeof *pcm);
        t->said += n;
    }
}

/* The agent is silent, or has talked on for so long that it will not be cut. */
static void cut_judge(struct load *l, struct load_leg *g, int64_t at_us)
{
    struct load_talk *t = &g->talk;
    const bool is_cut = t->quiet >= PAUSE_FRAMES;

    if (!is_cut && at_us - t->onset_us < GIVE_UP_US)
        return;
    if (t->said < l->opt->voice_n)
        return;                    /* first the rest of the sentence */
    if (!is_cut)
        l->out->uncut++;
    else
        hist_add(&l->out->cut_us, t->loud_us > t->onset_us ? t->loud_us - t->onset_us : 0);
    state_enter(t, LOAD_WAITS);
}

void load_talk_hear(struct load *l, struct load_leg *g, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct load_talk *t = &g->talk;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += abs(pcm[i]);
    if (n > 0 && sum / (int64_t)n > LOUD) {
        /* While the caller talks, only sound without a pause is still the old answer. */
        if (t->state != LOAD_SPEAKS || t->quiet < PAUSE_FRAMES) {
            t->quiet = 0;
            t->loud_us = at_us;
        }
        t->sounding++;
    } else {
        t->quiet++;
    }
    if (t->quiet == PAUSE_FRAMES && t->state != LOAD_SPEAKS)
        state_enter(t, LOAD_LISTENS);
    if (t->state == LOAD_SPEAKS)
        cut_judge(l, g, at_us);
}
