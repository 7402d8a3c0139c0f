/* Levels of linear samples, with the small operations that playout and tests need. */
#include "audio/pcm.h"

#include <math.h>

static int16_t saturated(int v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

int pcm_rms(const int16_t *s, size_t n)
{
    uint64_t sum = 0;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint64_t)((int64_t)s[i] * s[i]);
    const int rms = (int)sqrt((double)sum / (double)n);
    return rms > INT16_MAX ? INT16_MAX : rms;
}

int pcm_peak(const int16_t *s, size_t n)
{
    int peak = 0;

    for (size_t i = 0; i < n; i++) {
        const int v = s[i] < 0 ? -(int)s[i] : s[i];
        if (v > peak)
            peak = v;
    }
    return peak > INT16_MAX ? INT16_MAX : peak;
}

double pcm_dbfs(int rms)
{
    return rms <= 0 ? -120.0 : 20.0 * log10((double)rms / 32768.0);
}

void pcm_mix(int16_t *into, const int16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        into[i] = saturated((int)into[i] + from[i]);
}

void pcm_fade(int16_t *s, size_t n, int from256, int to256)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t gain = from256 + (int64_t)(to256 - from256) * (int64_t)i / (int64_t)n;
        s[i] = saturated((int)(s[i] * gain / 256));
    }
}
