/* Finds where speech or tones begin and end in 8 kHz samples that come piece by piece. Pure; no allocation.
 * Positions are sample numbers on the caller's own line of time and never go back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EAR_THRESHOLD_MIN = 120, /* below it nothing is heard */
    EAR_GAP = 200 * 8,       /* shorter pauses are joined */
    EAR_SHORTEST = 30 * 8,   /* shorter sounds are clicks and are dropped */
    EAR_LEVELS = 2048,       /* of 16 */
    EAR_EVENTS = 4,
};

struct caller_ear_event {
    bool is_start;
    int64_t at; /* the first, or the last, loud sample itself */
};

struct caller_ear {
    uint32_t levels[EAR_LEVELS]; /* how many milliseconds had that peak */
    uint32_t total;
    int max, threshold;
    int ms_peak, ms_fill;
    bool open, told;     /* inside a sound; long enough to have been told */
    int64_t first, last; /* of the present or last sound */
    int64_t heard_last;  /* last loud sample of a sound that was told; -1 none */
};

void caller_ear_init(struct caller_ear *e);
/* Pieces of up to 100 ms. Returns how many events went to out. */
size_t caller_ear_feed(struct caller_ear *e, int64_t at, const int16_t *pcm, size_t n, struct caller_ear_event out[EAR_EVENTS]);
/* Nothing came up to `now`: a sound under way may have ended. */
size_t caller_ear_idle(struct caller_ear *e, int64_t now, struct caller_ear_event out[EAR_EVENTS]);
bool caller_ear_is_hearing(const struct caller_ear *e);
