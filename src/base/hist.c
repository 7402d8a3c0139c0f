/* Counts values in slots whose width grows with the value, so that quantiles cost a fixed 9 KB. */
#include "base/hist.h"

#include <string.h>

void hist_reset(struct hist *h)
{
    memset(h, 0, sizeof *h);
}

/* Values below HIST_STEPS have a slot each; above, the 6 bits after the leading one choose the step of the octave. */
static unsigned slot_of(uint64_t v)
{
    unsigned octave;

    if (v < HIST_STEPS)
        return (unsigned)v;
    octave = 63u - (unsigned)__builtin_clzll(v) - 5u; /* 64..127 -> 1 */
    if (octave >= HIST_OCTAVES)
        return HIST_STEPS * HIST_OCTAVES - 1;
    return octave * HIST_STEPS + (unsigned)((v >> (octave - 1)) - HIST_STEPS);
}

static uint64_t upper_edge(unsigned slot)
{
    const unsigned octave = slot / HIST_STEPS, step = slot % HIST_STEPS;

    if (octave == 0)
        return step;
    return (((uint64_t)HIST_STEPS + step + 1) << (octave - 1)) - 1;
}

void hist_add(struct hist *h, int64_t value)
{
    const uint64_t v = value < 0 ? 0 : (uint64_t)value;

    h->slot[slot_of(v)]++;
    if (h->count == 0 || v < h->min)
        h->min = v;
    if (v > h->max)
        h->max = v;
    h->count++;
    h->sum += v;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    if (from->count == 0)
        return;
    for (unsigned i = 0; i < HIST_STEPS * HIST_OCTAVES; i++)
        into->slot[i] += from->slot[i];
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
}

int64_t hist_quantile(const struct hist *h, double q)
{
    uint64_t rank, seen = 0;

    if (h->count == 0)
        return 0;
    rank = (uint64_t)(q * (double)h->count + 0.999999);
    if (rank < 1)
        rank = 1;
    for (unsigned i = 0; i < HIST_STEPS * HIST_OCTAVES; i++) {
        seen += h->slot[i];
        if (seen >= rank) {
            const uint64_t edge = upper_edge(i);

            return (int64_t)(edge < h->max ? edge : h->max);
        }
    }
    return (int64_t)h->max;
}

uint64_t hist_count_to(const struct hist *h, uint64_t edge)
{
    const unsigned last = slot_of(edge);
    uint64_t below = 0;

    for (unsigned i = 0; i <= last; i++)
        below += h->slot[i];
    return below;
}
