/* Keeps what was said and heard on one line of time, and writes it as a stereo WAV. */
#include "sim/caller_tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/wav.h"

struct caller_tape {
    struct wav_writer *file;
    int16_t ring[TAPE_RING][TAPE_CHANNELS];
    int64_t written; /* position of the first sample not written yet */
    uint64_t dropped;
    int err;
};

int caller_tape_new(struct caller_tape **out, const char *path)
{
    struct caller_tape *t = calloc(1, sizeof *t);
    int err;

    if (!t)
        return -ENOMEM;
    err = path ? wav_create(&t->file, path, TAPE_RATE, TAPE_CHANNELS) : 0;
    if (err) {
        free(t);
        return err;
    }
    *out = t;
    return 0;
}

void caller_tape_put(struct caller_tape *t, int channel, int64_t at, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++, at++) {
        if (at < t->written || at >= t->written + TAPE_RING)
            t->dropped++;
        else
            t->ring[at % TAPE_RING][channel] = pcm[i];
    }
}

void caller_tape_advance(struct caller_tape *t, int64_t to)
{
    while (t->written < to) {
        const size_t from = (size_t)(t->written % TAPE_RING);
        size_t n = TAPE_RING - from;

        if ((int64_t)n > to - t->written)
            n = (size_t)(to - t->written);
        if (t->file && !t->err)
            t->err = wav_write(t->file, &t->ring[from][0], n);
        memset(t->ring[from], 0, n * sizeof t->ring[0]);
        t->written += (int64_t)n;
    }
}

uint64_t caller_tape_dropped(const struct caller_tape *t)
{
    return t->dropped;
}

int caller_tape_close(struct caller_tape *t)
{
    int err;

    if (!t)
        return 0;
    err = wav_close(t->file);
    if (t->err)
        err = t->err;
    free(t);
    return err;
}
