/* Makes the caller's clips, from words or from files. */
#include "sim/caller_clip.h"

#include <errno.h>
#include <stdlib.h>

#include "ai/speech.h"
#include "audio/pcm.h"
#include "audio/resample.h"
#include "audio/wav.h"
#include "sim/caller_ear.h"

enum { RATE = 8000 };

/* Loud: over a fiftieth of the peak (-34 dB), and over what the ear would hear. */
static void edges_find(struct caller_clip *c)
{
    const int peak = pcm_peak(c->pcm, c->n);
    const int threshold = peak / 50 > EAR_THRESHOLD_MIN ? peak / 50 : EAR_THRESHOLD_MIN;
    size_t first = 0, last = c->n ? c->n - 1 : 0;

    while (first < last && abs(c->pcm[first]) <= threshold)
        first++;
    while (last > first && abs(c->pcm[last]) <= threshold)
        last--;
    c->first_loud = peak > threshold ? first : 0;
    c->last_loud = peak > threshold ? last : c->n ? c->n - 1 : 0;
}

int caller_clip_say(struct caller_clip *out, const char *voice, const char *words)
{
    struct caller_clip c = { .n = 0 };
    const int err = speech_make(voice, words, &c.pcm, &c.n);

    if (err)
        return err;
    edges_find(&c);
    *out = c;
    return 0;
}

int caller_clip_load(struct caller_clip *out, const char *path)
{
    struct caller_clip c = { .n = 0 };
    unsigned rate, channels;
    int16_t *raw;
    size_t frames;
    int err = wav_load(path, &raw, &frames, &rate, &channels);

    if (err)
        return err;
    if (channels != 1) {
        free(raw);
        return -EBADMSG;
    }
    if (rate == RATE) {
        c = (struct caller_clip){ .pcm = raw, .n = frames };
    } else {
        err = resample_clip(raw, frames, rate, RATE, &c.pcm, &c.n);
        free(raw);
        if (err)
            return err;
    }
    edges_find(&c);
    *out = c;
    return 0;
}

void caller_clip_free(struct caller_clip *c)
{
    free(c->pcm);
    *c = (struct caller_clip){ .pcm = NULL };
}
