/* What a bought voice sends becomes samples of 8 kHz as it comes: headerless 16-bit, or a WAV, which shows itself; cut anywhere. What is no sound
 * at all (a complaint in words, MP3) is told apart before it is heard. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audio/resample.h"
#include "base/text.h"

enum { TTS_HEAD_MAX = 1024, TTS_RATE_MIN = 8000, TTS_RATE_MAX = 48000 };

enum tts_sound_state { TTS_SOUND_HEAD, TTS_SOUND_DATA, TTS_SOUND_OVER };

struct tts_sound {
    unsigned rate_hz;              /* of headerless samples; then of what came */
    enum tts_sound_state state;
    unsigned char head[TTS_HEAD_MAX];
    size_t head_n;
    int odd;                       /* -1, or the first half of a sample */
    uint64_t data_left;            /* bytes */
    struct resampler *resampler;
    uint64_t samples, max;         /* of 8 kHz */
    const char *problem;           /* of -EBADMSG: what it is, for an operator */
};

/* False: no more of it; the sound is not touched behind that, it may be another already. */
typedef bool tts_sound_on_pcm(const int16_t *pcm, size_t n, void *arg);

/* Of a zeroed one, or again for the next text. */
void tts_sound_begin(struct tts_sound *s, unsigned rate_hz, uint64_t max_samples);
void tts_sound_free(struct tts_sound *s);
/* 0, -ECANCELED (on_pcm said so), -EBADMSG (problem is set), -EMSGSIZE (more than max), -ENOMEM. */
int tts_sound_feed(struct tts_sound *s, struct text bytes, tts_sound_on_pcm *on_pcm, void *arg) MUST_USE;
/* All has come: what is held back is told. As above, and -ENODATA: there was no sound. */
int tts_sound_end(struct tts_sound *s, tts_sound_on_pcm *on_pcm, void *arg) MUST_USE;
