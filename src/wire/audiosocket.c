/* Cuts and builds AudioSocket frames. */
#include "wire/audiosocket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const unsigned rates[] = { 8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000 };

void audiosocket_reader_init(struct audiosocket_reader *r, uint16_t max_payload)
{
    r->have = 0;
    r->max_payload = max_payload < AUDIOSOCKET_MAX_PAYLOAD ? max_payload : AUDIOSOCKET_MAX_PAYLOAD;
    r->fault[0] = '\0';
}

/* Fills the store up to want bytes. True when it holds them. */
static bool fill(struct audiosocket_reader *r, struct text *in, size_t want)
{
    const size_t missing = want > r->have ? want - r->have : 0;
    const size_t take = missing < in->n ? missing : in->n;

    if (take) {
        memcpy(r->store + r->have, in->p, take);
        r->have += take;
        *in = text_skip(*in, take);
    }
    return r->have >= want;
}

/* A frame that lies whole in the input, as most do, is not copied. */
static bool read_whole(const struct audiosocket_reader *r, struct text *in, struct audiosocket_frame *out)
{
    const uint8_t *const p = (const uint8_t *)in->p;
    unsigned n;

    if (r->have > 0 || in->n < AUDIOSOCKET_HEAD)
        return false;
    n = (unsigned)p[1] << 8 | p[2];
    if (n > r->max_payload || in->n - AUDIOSOCKET_HEAD < n)
        return false;
    *out = (struct audiosocket_frame){ .kind = p[0], .payload = p + AUDIOSOCKET_HEAD, .n = (uint16_t)n };
    *in = text_skip(*in, AUDIOSOCKET_HEAD + (size_t)n);
    return true;
}

int audiosocket_read(struct audiosocket_reader *r, struct text *in, struct audiosocket_frame *out)
{
    unsigned n;

    if (r->fault[0])
        return -EMSGSIZE;
    if (read_whole(r, in, out))
        return 1;
    if (!fill(r, in, AUDIOSOCKET_HEAD))
        return 0;
    n = (unsigned)r->store[1] << 8 | r->store[2];
    if (n > r->max_payload) {
        snprintf(r->fault, sizeof r->fault, "a frame of kind 0x%02x announces %u bytes, more than the %u allowed", r->store[0],
                 n, r->max_payload);
        return -EMSGSIZE;
    }
    if (!fill(r, in, AUDIOSOCKET_HEAD + (size_t)n))
        return 0;
    *out = (struct audiosocket_frame){ .kind = r->store[0], .payload = r->store + AUDIOSOCKET_HEAD, .n = (uint16_t)n };
    r->have = 0;
    return 1;
}

bool audiosocket_is_partial(const struct audiosocket_reader *r)
{
    return r->have > 0;
}

void audiosocket_put_head(uint8_t out[AUDIOSOCKET_HEAD], uint8_t kind, uint16_t n)
{
    out[0] = kind;
    out[1] = (uint8_t)(n >> 8);
    out[2] = (uint8_t)(n & 0xff);
}

/* Samples between our order of bytes and the wire's, which is little-endian; either way the same. */
static void order(uint8_t *out, const uint8_t *in, size_t samples)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, in, 2 * samples);
#else
    for (size_t i = 0; i < samples; i++) {
        out[2 * i] = in[2 * i + 1];
        out[2 * i + 1] = in[2 * i];
    }
#endif
}

size_t audiosocket_put_audio(uint8_t *out, uint8_t kind, const int16_t *pcm, size_t samples)
{
    INVARIANT(samples > 0 && samples <= UINT16_MAX / 2); /* an empty audio frame makes Asterisk drop the call */
    audiosocket_put_head(out, kind, (uint16_t)(2 * samples));
    order(out + AUDIOSOCKET_HEAD, (const uint8_t *)pcm, samples);
    return AUDIOSOCKET_HEAD + 2 * samples;
}

size_t audiosocket_get_audio(const struct audiosocket_frame *f, int16_t *out, size_t max_samples, bool *odd)
{
    const size_t have = f->n / 2u;
    const size_t n = have < max_samples ? have : max_samples;

    order((uint8_t *)out, f->payload, n);
    *odd = f->n & 1;
    return n;
}

unsigned audiosocket_rate(uint8_t kind)
{
    if (kind < AUDIOSOCKET_AUDIO || kind > AUDIOSOCKET_AUDIO_LAST)
        return 0;
    return rates[kind - AUDIOSOCKET_AUDIO];
}

uint8_t audiosocket_kind(unsigned rate_hz)
{
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (rates[i] == rate_hz)
            return (uint8_t)(AUDIOSOCKET_AUDIO + i);
    return 0;
}

const char *audiosocket_format(unsigned rate_hz)
{
    static const char *const names[] = { "slin", "slin12", "slin16", "slin24", "slin32", "slin44", "slin48", "slin96", "slin192" };
    const uint8_t kind = audiosocket_kind(rate_hz);

    return kind ? names[kind - AUDIOSOCKET_AUDIO] : NULL;
}
