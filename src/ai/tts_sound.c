/* Reads the bytes of a speech service: which kind, which rate, and then samples. */
#include "ai/tts_sound.h"

#include <errno.h>
#include <string.h>

enum {
    LINE_HZ = 8000,
    PIECE = 1024,                  /* samples converted at a time */
    TELLING = 12,                  /* bytes by which kinds are told apart: RIFF....WAVE */
    MORE = 1,                      /* not decided yet */
};

static unsigned get16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

void tts_sound_begin(struct tts_sound *s, unsigned rate_hz, uint64_t max_samples)
{
    tts_sound_free(s);
    *s = (struct tts_sound){ .rate_hz = rate_hz, .odd = -1, .max = max_samples, .data_left = UINT64_MAX };
}

void tts_sound_free(struct tts_sound *s)
{
    resampler_free(s->resampler);
    s->resampler = NULL;
}

/* ---- samples ---- */

static int out(struct tts_sound *s, const int16_t *in, size_t n, tts_sound_on_pcm *on_pcm, void *arg)
{
    int16_t pcm[PIECE + 1];        /* rates are 8 kHz at least: never more than came */
    const size_t made = resampler_run(s->resampler, in, n, pcm, PIECE + 1);

    if (s->samples + made > s->max)
        return -EMSGSIZE;
    s->samples += made;
    return made == 0 || on_pcm(pcm, made, arg) ? 0 : -ECANCELED;
}

static int data_feed(struct tts_sound *s, const unsigned char *p, size_t n, tts_sound_on_pcm *on_pcm, void *arg)
{
    int err = 0;

    if (n > s->data_left)
        n = (size_t)s->data_left;  /* behind a WAV's samples there may be lists of words */
    s->data_left -= s->data_left == UINT64_MAX ? 0 : n;
    while (n > 0 && !err) {
        int16_t in[PIECE];
        size_t count = 0;

        for (; n > 0 && count < PIECE; n--, p++) {
            if (s->odd >= 0)
                in[count++] = (int16_t)(uint16_t)((unsigned)s->odd | (unsigned)*p << 8);
            s->odd = s->odd >= 0 ? -1 : *p;
        }
        err = out(s, in, count, on_pcm, arg);
    }
    return err;
}

/* ---- what it is ---- */

static int bad(struct tts_sound *s, const char *problem)
{
    s->problem = problem;
    return -EBADMSG;
}

static bool is_words(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((p[i] < 0x20 || p[i] > 0x7e) && p[i] != '\r' && p[i] != '\n' && p[i] != '\t')
            return false;
    return true;
}

static bool begins(const struct tts_sound *s, const char *magic)
{
    const size_t n = strlen(magic);

    return s->head_n >= n && memcmp(s->head, magic, n) == 0;
}

/* An MPEG frame of layer III: as the first sample of a voice it would be exactly one of -1025, -1281, -3073 and -3329. */
static bool is_mpeg(const struct tts_sound *s)
{
    const unsigned char *p = s->head;

    return s->head_n >= 4 && p[0] == 0xff && (p[1] & 0xe6) == 0xe2 && (p[1] & 0x18) >= 0x10 && (p[2] & 0xf0) != 0xf0 && (p[2] & 0xf0) != 0 &&
           (p[2] & 0x0c) != 0x0c;
}

static int format_read(struct tts_sound *s, const unsigned char *p, size_t n)
{
    unsigned format = n >= 16 ? get16(p) : 0;

    if (format == 0xfffe && n >= 26)
        format = get16(p + 24);    /* the sub-format's first two bytes */
    if (format != 1 || get16(p + 14) != 16)
        return bad(s, "a WAV that is not of 16-bit samples");
    if (get16(p + 2) != 1)
        return bad(s, "a WAV of more than one channel");
    s->rate_hz = get32(p + 4);
    return 0;
}

/* MORE, an error, or 0 with *at: where the samples begin. A stream's sizes may be 0 or all ones: then it ends with the stream. */
static int wav_read(struct tts_sound *s, size_t *at)
{
    bool has_format = false;

    for (size_t i = TELLING; s->head_n - i >= 8;) {
        const unsigned char *chunk = s->head + i;
        const uint32_t size = get32(chunk + 4);
        const size_t have = s->head_n - i - 8;

        if (memcmp(chunk, "data", 4) == 0) {
            *at = i + 8;
            s->data_left = size == 0 || size >= UINT32_MAX - 1024 ? UINT64_MAX : size;
            return has_format ? 0 : bad(s, "a WAV without a format");
        }
        if (size > TTS_HEAD_MAX)
            return bad(s, "a WAV whose head is too long");
        if (have < size + (size & 1))
            break;
        if (memcmp(chunk, "fmt ", 4) == 0) {
            if (format_read(s, chunk + 8, size))
                return -EBADMSG;
            has_format = true;
        }
        i += 8 + size + (size & 1);
    }
    return s->head_n < TTS_HEAD_MAX ? MORE : bad(s, "a WAV whose head is too long");
}

static int head_judge(struct tts_sound *s, bool is_end, size_t *at)
{
    *at = 0;
    if (s->head_n < TELLING && !is_end)
        return MORE;
    if (begins(s, "RIFF") && s->head_n >= TELLING && memcmp(s->head + 8, "WAVE", 4) == 0)
        return wav_read(s, at);
    if (s->head_n > 1 && is_words(s->head, s->head_n < TELLING ? s->head_n : TELLING))
        return bad(s, "words instead of sound");
    if (begins(s, "ID3") || begins(s, "OggS") || begins(s, "fLaC") || is_mpeg(s))
        return bad(s, "compressed sound instead of samples");
    return 0;
}

/* 0 also while it is not decided. */
static int head_end(struct tts_sound *s, bool is_end, tts_sound_on_pcm *on_pcm, void *arg)
{
    size_t at;
    int err = head_judge(s, is_end, &at);

    if (err == MORE)
        return is_end ? bad(s, "a WAV that ends within its head") : 0;
    if (!err && (s->rate_hz < TTS_RATE_MIN || s->rate_hz > TTS_RATE_MAX))
        err = bad(s, "a sample rate that is not between 8,000 and 48,000 a second");
    if (!err)
        err = resampler_new(&s->resampler, s->rate_hz, LINE_HZ);
    if (err)
        return err;
    s->state = TTS_SOUND_DATA;
    return data_feed(s, s->head + at, s->head_n - at, on_pcm, arg);
}

int tts_sound_feed(struct tts_sound *s, struct text bytes, tts_sound_on_pcm *on_pcm, void *arg)
{
    while (s->state == TTS_SOUND_HEAD && bytes.n > 0) {
        const size_t room = (s->head_n < TELLING ? TELLING : TTS_HEAD_MAX) - s->head_n, n = bytes.n < room ? bytes.n : room;

        memcpy(s->head + s->head_n, bytes.p, n);
        s->head_n += n;
        bytes = text_skip(bytes, n);
        const int err = head_end(s, false, on_pcm, arg);
        if (err)
            return err;
    }
    return s->state == TTS_SOUND_DATA ? data_feed(s, (const unsigned char *)bytes.p, bytes.n, on_pcm, arg) : 0;
}

int tts_sound_end(struct tts_sound *s, tts_sound_on_pcm *on_pcm, void *arg)
{
    static const int16_t silence[TTS_RATE_MAX / 250];
    int err = 0;

    if (s->state == TTS_SOUND_HEAD && s->head_n > 0)
        err = head_end(s, true, on_pcm, arg);
    if (err || s->state == TTS_SOUND_OVER)
        return err;
    s->state = TTS_SOUND_OVER;
    if (s->samples == 0)
        return -ENODATA;
    return out(s, silence, s->rate_hz / 250, on_pcm, arg); /* 4 ms: what the filter holds back */
}
