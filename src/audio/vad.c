/* Voice activity from frame energy over an adaptive noise floor. */
#include "audio/vad.h"

#include <limits.h>
#include <math.h>

enum {
    FRAME_MS = 10,
    WINDOW_FRAMES = 150, /* 1.5 s: speech dips to the floor within it, steady noise does not */
    GAP_MAX_MS = 40,     /* a stop consonant inside a beginning word */
    KEEP_256 = 160,      /* once speaking, this part of the threshold is enough: soft endings */
};

void vad_options_default(struct vad_options *o)
{
    *o = (struct vad_options){.rate_hz = 8000, .attack_ms = 60, .hangover_ms = 600, .floor_min = 120, .ratio_256 = 768};
}

void vad_init(struct vad *v, const struct vad_options *opt)
{
    *v = (struct vad){
        .opt = *opt,
        .loud_since = -1,
        .quiet_since = -1,
        .started_at = -1,
        .ended_at = -1,
        .low_now = INT_MAX,
        .low_before = INT_MAX,
    };
}

static int64_t ms_of(const struct vad *v, int64_t samples)
{
    return samples * 1000 / v->opt.rate_hz;
}

/* The floor falls at once and rises only when a whole window stayed above it. */
static void floor_follow(struct vad *v, int rms)
{
    v->level = v->samples == 0 ? rms : v->level + (rms - v->level) / 2;
    if (v->level < v->low_now)
        v->low_now = v->level;
    if (++v->window_frames >= WINDOW_FRAMES) {
        v->low_before = v->low_now;
        v->low_now = v->level;
        v->window_frames = 0;
    }
    v->floor_rms = v->low_now < v->low_before ? v->low_now : v->low_before;
}

static bool is_loud(const struct vad *v, int rms)
{
    int64_t least = (int64_t)v->floor_rms * v->opt.ratio_256 / 256;

    /* Before a first whole window the floor may be speech itself: a call can begin in the middle of a word. */
    if (v->low_before == INT_MAX && least > v->opt.floor_min * 4)
        least = v->opt.floor_min * 4;
    if (least < v->opt.floor_min)
        least = v->opt.floor_min;
    if (v->speaking)
        least = least * KEEP_256 / 256;
    return rms > least;
}

static enum vad_event on_loud(struct vad *v, int64_t begin, int64_t length)
{
    if (v->loud_since < 0) {
        v->loud_since = begin;
        v->loud_samples = 0;
    }
    v->quiet_since = -1;
    v->gap_ms = 0;
    if (v->speaking)
        return VAD_NONE;
    v->loud_samples += length;
    if (ms_of(v, v->loud_samples) < v->opt.attack_ms)
        return VAD_NONE;
    v->speaking = true;
    v->started_at = v->loud_since;
    return VAD_START;
}

static enum vad_event on_quiet(struct vad *v, int64_t begin, int64_t end)
{
    if (v->loud_since < 0)
        return VAD_NONE;
    if (v->quiet_since < 0)
        v->quiet_since = begin;
    const int64_t quiet_ms = ms_of(v, end - v->quiet_since);
    if (!v->speaking) {
        v->gap_ms = (int)quiet_ms;
        if (quiet_ms > GAP_MAX_MS)
            v->loud_since = v->quiet_since = -1;
        return VAD_NONE;
    }
    if (quiet_ms < v->opt.hangover_ms)
        return VAD_NONE;
    v->speaking = false;
    v->ended_at = v->quiet_since;
    v->loud_since = v->quiet_since = -1;
    return VAD_STOP;
}

static enum vad_event frame_end(struct vad *v)
{
    const int rms = (int)sqrt((double)v->frame_sum / v->frame_n);
    const int64_t begin = v->samples, length = v->frame_n;

    floor_follow(v, rms);
    v->samples += length;
    v->frame_sum = 0;
    v->frame_n = 0;
    return is_loud(v, rms) ? on_loud(v, begin, length) : on_quiet(v, begin, v->samples);
}

enum vad_event vad_feed(struct vad *v, const int16_t *pcm, size_t n)
{
    const int frame = (int)(v->opt.rate_hz * FRAME_MS / 1000);
    enum vad_event event = VAD_NONE;

    for (size_t i = 0; i < n; i++) {
        v->frame_sum += (uint64_t)((int64_t)pcm[i] * pcm[i]);
        if (++v->frame_n < frame)
            continue;
        const enum vad_event now = frame_end(v);
        if (now != VAD_NONE)
            event = now;
    }
    return event;
}

int vad_speech_ms(const struct vad *v)
{
    if (v->loud_since < 0)
        return 0;
    const int64_t end = v->quiet_since >= 0 ? v->quiet_since : v->samples;
    return (int)ms_of(v, end - v->loud_since);
}
