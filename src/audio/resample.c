/* Sample-rate conversion with speexdsp, as a stream or for one clip. */
#include "audio/resample.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <speex/speex_resampler.h>

enum { QUALITY = 3, CLIP_PIECE = 8000, CLIP_MAX = 1 << 28 };

struct resampler {
    SpeexResamplerState *st; /* NULL when both rates are equal */
};

int resampler_new(struct resampler **out, unsigned from_hz, unsigned to_hz)
{
    int err = 0;

    if (from_hz < 1000 || from_hz > 192000 || to_hz < 1000 || to_hz > 192000)
        return -EINVAL;
    struct resampler *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    if (from_hz != to_hz) {
        r->st = speex_resampler_init(1, from_hz, to_hz, QUALITY, &err);
        if (!r->st) {
            free(r);
            return -ENOMEM;
        }
    }
    *out = r;
    return 0;
}

void resampler_free(struct resampler *r)
{
    if (!r)
        return;
    if (r->st)
        speex_resampler_destroy(r->st);
    free(r);
}

void resampler_reset(struct resampler *r)
{
    if (r->st)
        speex_resampler_reset_mem(r->st);
}

size_t resampler_run(struct resampler *r, const int16_t *in, size_t n, int16_t *out, size_t max_out)
{
    size_t made = 0;

    if (!r->st) {
        made = n < max_out ? n : max_out;
        memcpy(out, in, made * sizeof *out);
        return made;
    }
    while (n > 0 && made < max_out) {
        spx_uint32_t in_len = (spx_uint32_t)(n < CLIP_PIECE ? n : CLIP_PIECE);
        spx_uint32_t out_len = (spx_uint32_t)(max_out - made < INT_MAX ? max_out - made : INT_MAX);
        speex_resampler_process_int(r->st, 0, in, &in_len, out + made, &out_len);
        if (in_len == 0 && out_len == 0)
            break;
        in += in_len;
        n -= in_len;
        made += out_len;
    }
    return made;
}

/* Runs the clip, then zeros, so that the filter's delay is cut at the front and its tail comes out at the end. */
static size_t clip_run(struct resampler *r, const int16_t *in, size_t n, int16_t *out, size_t want)
{
    static const int16_t zeros[256];
    size_t made;

    if (r->st)
        speex_resampler_skip_zeros(r->st);
    made = resampler_run(r, in, n, out, want);
    while (made < want) {
        const size_t more = resampler_run(r, zeros, sizeof zeros / sizeof zeros[0], out + made, want - made);
        if (more == 0)
            break;
        made += more;
    }
    return made;
}

int resample_clip(const int16_t *in, size_t n, unsigned from_hz, unsigned to_hz, int16_t **out, size_t *out_n)
{
    struct resampler *r = NULL;

    if (n > CLIP_MAX)
        return -EFBIG;
    int err = resampler_new(&r, from_hz, to_hz);
    if (err)
        return err;
    const size_t want = (size_t)((uint64_t)n * to_hz / from_hz);
    int16_t *made = malloc(want * sizeof *made + 1);
    if (made) {
        *out_n = clip_run(r, in, n, made, want);
        *out = made;
    } else {
        err = -ENOMEM;
    }
    resampler_free(r);
    return err;
}
