/* Correlation of what is heard with what was played. */
#include "audio/echo_gate.h"

#include <string.h>

void echo_gate_init(struct echo_gate *g, unsigned rate_hz)
{
    memset(g, 0, sizeof *g);
    g->step = rate_hz / ECHO_HZ ? rate_hz / ECHO_HZ : 1;
    g->part = 1.0F / (float)g->step;
}

/* In every frame of every talk: no division. */
static void feed(const struct echo_gate *g, struct echo_line *l, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        l->sum += pcm[i];
        if (++l->count < g->step)
            continue;
        l->past[l->at] = (int16_t)((float)l->sum * g->part);
        l->at = l->at + 1 < ECHO_PAST ? l->at + 1 : 0;
        l->sum = 0;
        l->count = 0;
    }
}

void echo_gate_played(struct echo_gate *g, const int16_t *pcm, size_t n)
{
    feed(g, &g->played, pcm, n);
}

void echo_gate_heard(struct echo_gate *g, const int16_t *pcm, size_t n)
{
    feed(g, &g->heard, pcm, n);
}

enum { SHIFT = 4 }; /* 12 bits a sample: sums of products of a window fit 32 bits */

/* The newest n samples, oldest first. */
static void newest(const struct echo_line *l, size_t n, int16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)(l->past[(l->at + ECHO_PAST - n + i) % ECHO_PAST] >> SHIFT);
}

/* Written so that the compiler takes eight at a time. */
static int32_t product(const int16_t *a, const int16_t *b)
{
    int32_t sum = 0;

    for (size_t i = 0; i < ECHO_WINDOW; i++)
        sum += a[i] * b[i];
    return sum;
}

int echo_gate_share(const struct echo_gate *g)
{
    int16_t heard[ECHO_WINDOW], played[ECHO_PAST];
    int64_t played_energy;
    double best = 0, heard_energy;

    newest(&g->heard, ECHO_WINDOW, heard);
    newest(&g->played, ECHO_PAST, played);
    heard_energy = product(heard, heard);
    played_energy = product(played, played);
    if (heard_energy <= 0)
        return 0;
    for (size_t from = 0;; from++) {
        const double both = product(heard, played + from);

        /* both^2 / played_energy is the energy of the best copy of this piece in what was heard */
        if (played_energy > 0 && both * both > best * (double)played_energy)
            best = both * both / (double)played_energy;
        if (from + ECHO_WINDOW == ECHO_PAST)
            break;
        played_energy += played[from + ECHO_WINDOW] * played[from + ECHO_WINDOW] - played[from] * played[from];
    }
    return best >= heard_energy ? 100 : (int)(100 * best / heard_energy);
}
