/* Voice activity by energy over an adaptive noise floor, on 20 ms (or shorter or longer) pieces of 8 kHz telephone speech.
 * It works in frames of 10 ms of its own, so the outcome does not depend on how the stream is cut. The floor is the lowest level of
 * the last 1.5-3 s: a sound that stays even for longer than that (a tone, a fan) becomes the floor and ends as speech.
 * Pure; no allocation. Time is counted in samples fed, so a test turns the clock by feeding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vad_options {
    unsigned rate_hz;         /* 8000 */
    int attack_ms;            /* speech this long before START is told: 60 */
    int hangover_ms;          /* silence this long before STOP is told: 600 */
    int floor_min;            /* rms below which nothing is speech: 120 */
    int ratio_256;            /* speech when rms > floor * ratio / 256: 3.0 = 768 */
};

enum vad_event { VAD_NONE, VAD_START, VAD_STOP };

struct vad {
    struct vad_options opt;
    int64_t samples;          /* fed so far */
    int floor_rms;            /* present noise estimate */
    bool speaking;
    int64_t loud_since, quiet_since;  /* sample counts; -1 none */
    int64_t started_at;       /* where the present or last speech truly began, in samples */
    int64_t ended_at;
    int gap_ms;               /* quiet inside a beginning, before START */
    int64_t loud_samples;     /* of the beginning so far, gaps not counted */
    uint64_t frame_sum;       /* the 10 ms frame in the making: squares, */
    int frame_n;              /* samples */
    int level;                /* smoothed rms, for the floor */
    int low_now, low_before;  /* lowest level of the present and of the last window: the floor follows the smaller */
    int window_frames;
};

void vad_options_default(struct vad_options *o);
void vad_init(struct vad *v, const struct vad_options *opt);
/* At most one event a call: feed 10..60 ms pieces. */
enum vad_event vad_feed(struct vad *v, const int16_t *pcm, size_t n);
/* Speech is under way or just beginning (before START): its length so far in ms, 0 when quiet. */
int vad_speech_ms(const struct vad *v);
