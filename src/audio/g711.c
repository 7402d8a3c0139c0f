/* Turns linear samples into mu-law or A-law, and back, as ITU-T G.711 has it. */
#include "audio/g711.h"

enum { BIAS = 0x84, CLIP = 32635 };

static unsigned char coded(int sample)
{
    const int sign = sample < 0 ? 0x80 : 0;
    int magnitude = sample < 0 ? -sample : sample, exponent = 7;

    magnitude = (magnitude > CLIP ? CLIP : magnitude) + BIAS;
    while (exponent > 0 && !(magnitude & (0x80 << exponent)))
        exponent--;
    return (unsigned char)~(sign | exponent << 4 | (magnitude >> (exponent + 3) & 15));
}

static int16_t decoded(unsigned char code)
{
    const int c = ~code & 0xff, magnitude = ((((c & 15) << 3) + BIAS) << (c >> 4 & 7)) - BIAS;

    return (int16_t)(c & 0x80 ? -magnitude : magnitude);
}

void ulaw_write(unsigned char *out, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = coded(pcm[i]);
}

void ulaw_read(int16_t *pcm, const unsigned char *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pcm[i] = decoded(in[i]);
}

/* A-law: even bits inverted, and thirteen bits of sample. */
enum { ALAW_TURN = 0x55 };

static unsigned char alaw_coded(int sample)
{
    const int sign = sample < 0 ? 0 : 0x80;
    int magnitude = sample < 0 ? -sample - 1 : sample, exponent = 7;

    while (exponent > 0 && !(magnitude & (0x80 << exponent)))
        exponent--;
    return (unsigned char)((sign | exponent << 4 | (magnitude >> (exponent ? exponent + 3 : 4) & 15)) ^ ALAW_TURN);
}

static int16_t alaw_decoded(unsigned char code)
{
    const int c = code ^ ALAW_TURN, exponent = c >> 4 & 7;
    int magnitude = ((c & 15) << 4) + 8;

    if (exponent > 0)
        magnitude = (magnitude + 0x100) << (exponent - 1);
    return (int16_t)(c & 0x80 ? magnitude : -magnitude);
}

void alaw_write(unsigned char *out, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = alaw_coded(pcm[i]);
}

void alaw_read(int16_t *pcm, const unsigned char *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pcm[i] = alaw_decoded(in[i]);
}
