/* Correlation of what is heard with what was played. */
#include "audio/echo_gate.h"

#include <string.h>

void echo_gate_init(struct echo_gate *g, unsigned rate_hz)
{
    memset(g, 0, sizeof *g);
    g->step = rate_hz / ECHO_HZ ? rate_hz / ECHO_HZ : 1;
}

static void feed(struct echo_line *l, unsigned step, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        l->sum += pcm[i];
        if (++l->count < step)
            continue;
        l->past[l->at] = (int16_t)(l->sum / (int32_t)step);
        l->at = (l->at + 1) % ECHO_PAST;
        l->sum = 0;
        l->count = 0;
    }
}

void echo_gate_played(struct echo_gate *g, const int16_t *pcm, size_t n)
{
    feed(&g->played, g->step, pcm, n);
}

void echo_gate_heard(struct echo_gate *g, const int16_t *pcm, size_t n)
{
    feed(&g->heard, g->step, pcm, n);
}

/* The newest n samples, oldest first. */
static void newest(const struct echo_line *l, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = l->past[(l->at + ECHO_PAST - n + i) % ECHO_PAST];
}

int echo_gate_share(const struct echo_gate *g)
{
    float heard[ECHO_WINDOW], played[ECHO_PAST];
    float heard_energy = 0, played_energy = 0, best = 0;

    newest(&g->heard, ECHO_WINDOW, heard);
    newest(&g->played, ECHO_PAST, played);
    for (size_t i = 0; i < ECHO_WINDOW; i++) {
        heard_energy += heard[i] * heard[i];
        played_energy += played[i] * played[i];
    }
    if (heard_energy <= 0)
        return 0;
    for (size_t from = 0; from + ECHO_WINDOW <= ECHO_PAST; from++) {
        float both = 0;

        for (size_t i = 0; i < ECHO_WINDOW; i++)
            both += heard[i] * played[from + i];
        /* both^2 / played_energy is the energy of the best copy of this piece in what was heard */
        if (played_energy > 0 && both * both > best * played_energy)
            best = both * both / played_energy;
        if (from + ECHO_WINDOW < ECHO_PAST) {
            played_energy += played[from + ECHO_WINDOW] * played[from + ECHO_WINDOW] - played[from] * played[from];
            if (played_energy < 0)
                played_energy = 0;
        }
    }
    return best >= heard_energy ? 100 : (int)(100 * best / heard_energy);
}
