/* Holds packets behind a gap, and fills the gap when it stays. */
#include "audio/jitter.h"

#include <string.h>

enum {
    CALM_PACKETS = 500,            /* ten seconds in order: one packet less is waited for */
    LEAP = 64,                     /* further off than this is not a loss but another numbering */
    FADE_STEPS = 4,                /* a fourth quieter with each piece made up, then silence */
    DUPLICATE_SPAN = 1,
};

static struct jitter_slot *slot_of(struct jitter *j, uint16_t seq)
{
    return &j->slots[seq % JITTER_SLOTS];
}

void jitter_init(struct jitter *j)
{
    memset(j, 0, sizeof *j);
    j->depth = 1;
}

void jitter_restart(struct jitter *j)
{
    for (size_t i = 0; i < JITTER_SLOTS; i++)
        j->slots[i].is_full = false;
    j->held = 0;
    j->has_next = false;
    j->last_n = 0;
    j->fade = 0;
}

static void deeper(struct jitter *j)
{
    j->calm = 0;
    if (j->depth < JITTER_DEPTH_MAX)
        j->depth++;
}

static void calm(struct jitter *j)
{
    if (++j->calm < CALM_PACKETS)
        return;
    j->calm = 0;
    if (j->depth > 1)
        j->depth--;
}

static void conceal(struct jitter *j, jitter_on_pcm *on_pcm, void *arg)
{
    const int keep = j->fade < FADE_STEPS ? (int)(FADE_STEPS - 1 - j->fade) : 0;

    j->figures.lost++;
    j->next++;
    if (j->last_n == 0)
        return;                    /* nothing known that could be repeated */
    j->fade += j->fade < FADE_STEPS;
    for (size_t i = 0; i < j->last_n; i++)
        j->made[i] = (int16_t)(j->last[i] * keep / FADE_STEPS);
    j->figures.concealed++;
    on_pcm(j->made, j->last_n, arg);
}

static void give(struct jitter *j, struct jitter_slot *s, jitter_on_pcm *on_pcm, void *arg)
{
    s->is_full = false;
    j->held--;
    j->next++;
    if (s->n == 0)
        return;
    memcpy(j->last, s->pcm, s->n * sizeof s->pcm[0]);
    j->last_n = s->n;
    j->fade = 0;
    on_pcm(s->pcm, s->n, arg);
}

/* Gives out what is due; keep: how many may stay behind a gap. */
static void drain(struct jitter *j, unsigned keep, jitter_on_pcm *on_pcm, void *arg)
{
    while (j->held > 0) {
        struct jitter_slot *s = slot_of(j, j->next);

        if (s->is_full && s->seq == j->next)
            give(j, s, on_pcm, arg);
        else if (j->held > keep)
            conceal(j, on_pcm, arg);
        else
            return;
    }
}

static void keep_packet(struct jitter *j, uint16_t seq, const int16_t *pcm, size_t n)
{
    struct jitter_slot *s = slot_of(j, seq);

    s->is_full = true;
    s->seq = seq;
    s->n = n < JITTER_PACKET_MAX ? n : JITTER_PACKET_MAX;
    if (s->n > 0)
        memcpy(s->pcm, pcm, s->n * sizeof *pcm);
    j->held++;
}

void jitter_put(struct jitter *j, uint16_t seq, const int16_t *pcm, size_t n, jitter_on_pcm *on_pcm, void *arg)
{
    int ahead = (int16_t)(uint16_t)(seq - j->next);

    j->figures.packets++;
    if (j->has_next && (ahead > LEAP || ahead < -LEAP)) {
        jitter_flush(j, on_pcm, arg);
        j->figures.restarts++;
        j->has_next = false;
    }
    if (!j->has_next) {
        j->has_next = true;
        j->next = seq;
        ahead = 0;
    }
    if (ahead < 0) {
        if (ahead == -DUPLICATE_SPAN && j->fade == 0) {
            j->figures.duplicate++;  /* the last one given out, once more */
            return;
        }
        j->figures.late++;
        deeper(j);
        return;
    }
    if (slot_of(j, seq)->is_full && slot_of(j, seq)->seq == seq) {
        j->figures.duplicate++;
        return;
    }
    /* Far ahead of the gap: the oldest gaps are given up until this one fits. */
    while (ahead >= JITTER_SLOTS) {
        struct jitter_slot *s = slot_of(j, j->next);

        if (s->is_full && s->seq == j->next)
            give(j, s, on_pcm, arg);
        else
            conceal(j, on_pcm, arg);
        ahead--;
    }
    j->figures.early += ahead > 0;
    if (ahead == 0)
        calm(j);
    keep_packet(j, seq, pcm, n);
    drain(j, j->depth, on_pcm, arg);
}

void jitter_skip(struct jitter *j, uint16_t seq, jitter_on_pcm *on_pcm, void *arg)
{
    jitter_put(j, seq, NULL, 0, on_pcm, arg);
}

void jitter_flush(struct jitter *j, jitter_on_pcm *on_pcm, void *arg)
{
    drain(j, 0, on_pcm, arg);
}
