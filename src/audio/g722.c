/* G.722 by spandsp. */
#include "audio/g722.h"

#include <stdlib.h>

#include <spandsp.h>

enum { BITS_A_SECOND = 64000 };

struct g722 {
    g722_encode_state_t *encoder;
    g722_decode_state_t *decoder;
};

int g722_new(struct g722 **out)
{
    struct g722 *g = calloc(1, sizeof *g);

    if (!g)
        return -ENOMEM;
    g->encoder = g722_encode_init(NULL, BITS_A_SECOND, 0);
    g->decoder = g722_decode_init(NULL, BITS_A_SECOND, 0);
    if (!g->encoder || !g->decoder) {
        g722_free(g);
        return -ENOMEM;
    }
    *out = g;
    return 0;
}

void g722_free(struct g722 *g)
{
    if (!g)
        return;
    if (g->encoder)
        g722_encode_free(g->encoder);
    if (g->decoder)
        g722_decode_free(g->decoder);
    free(g);
}

size_t g722_read(struct g722 *g, int16_t *out, const uint8_t *bytes, size_t n)
{
    return (size_t)g722_decode(g->decoder, out, bytes, (int)n);
}

size_t g722_write(struct g722 *g, uint8_t *out, const int16_t *pcm, size_t n)
{
    return (size_t)g722_encode(g->encoder, out, pcm, (int)n);
}
