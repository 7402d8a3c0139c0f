/* Tells when the other side begins and stops to sound. */
#include "sim/caller_ear.h"

#include <stdlib.h>

enum { MS_SAMPLES = 8, LEVEL_STEP = 16 };

void caller_ear_init(struct caller_ear *e)
{
    *e = (struct caller_ear){ .threshold = EAR_THRESHOLD_MIN, .heard_last = -1 };
}

/* 8 x the 20th percentile of the peaks of each millisecond, at most a quarter of the loudest, at least the minimum. */
static void threshold_update(struct caller_ear *e)
{
    uint32_t below = 0;
    int level = 0, wanted;

    while (level < EAR_LEVELS - 1 && (below += e->levels[level]) * 5 < e->total)
        level++;
    wanted = 8 * level * LEVEL_STEP;
    if (wanted > e->max / 4)
        wanted = e->max / 4;
    e->threshold = wanted > EAR_THRESHOLD_MIN ? wanted : EAR_THRESHOLD_MIN;
}

static void level_add(struct caller_ear *e, int magnitude)
{
    if (magnitude > e->ms_peak)
        e->ms_peak = magnitude;
    if (++e->ms_fill < MS_SAMPLES)
        return;
    e->levels[e->ms_peak / LEVEL_STEP < EAR_LEVELS ? e->ms_peak / LEVEL_STEP : EAR_LEVELS - 1]++;
    e->total++;
    if (e->ms_peak > e->max)
        e->max = e->ms_peak;
    e->ms_peak = e->ms_fill = 0;
}

size_t caller_ear_idle(struct caller_ear *e, int64_t now, struct caller_ear_event out[EAR_EVENTS])
{
    size_t count = 0;

    if (!e->open || now - e->last < EAR_GAP)
        return 0;
    if (e->told)
        out[count++] = (struct caller_ear_event){ .is_start = false, .at = e->last };
    e->open = false;
    return count;
}

static size_t loud(struct caller_ear *e, int64_t at, struct caller_ear_event out[EAR_EVENTS])
{
    size_t count = caller_ear_idle(e, at, out);

    if (!e->open) {
        e->open = true;
        e->told = false;
        e->first = at;
    }
    e->last = at;
    if (!e->told && e->last - e->first >= EAR_SHORTEST) {
        e->told = true;
        out[count++] = (struct caller_ear_event){ .is_start = true, .at = e->first };
    }
    if (e->told)
        e->heard_last = at;
    return count;
}

size_t caller_ear_feed(struct caller_ear *e, int64_t at, const int16_t *pcm, size_t n, struct caller_ear_event out[EAR_EVENTS])
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        level_add(e, abs(pcm[i]));
    threshold_update(e);
    for (size_t i = 0; i < n; i++)
        if (abs(pcm[i]) > e->threshold && count + 2 <= EAR_EVENTS)
            count += loud(e, at + (int64_t)i, out + count);
    if (count < EAR_EVENTS)
        count += caller_ear_idle(e, at + (int64_t)n, out + count);
    return count;
}

bool caller_ear_is_hearing(const struct caller_ear *e)
{
    return e->open && e->told;
}
