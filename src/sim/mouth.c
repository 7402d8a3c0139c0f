/* Sends what a stand-in says, piece by piece. */
#include "sim/mouth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audio/g711.h"
#include "audio/resample.h"

enum {
    TICK_MS = 20,
    PIECE = 1234,                  /* bytes: no multiple of a frame, even for 16 bits */
    PIECE_BURST = 98,
    BYTES_MAX = 64 * 1024 * 1024,
};

bool sim_coding_parse(struct text name, enum sim_coding *out)
{
    static const char *const names[] = { "mulaw", "alaw", "linear16" }; /* order of enum sim_coding */

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (text_eq(name, text_of(names[i]))) {
            *out = (enum sim_coding)i;
            return true;
        }
    }
    return false;
}

size_t sim_coding_bytes_a_ms(enum sim_coding c, unsigned rate_hz)
{
    return rate_hz / 1000 * (c == SIM_LINEAR ? 2 : 1);
}

static int samples_write(struct buf *out, const int16_t *pcm, size_t n, enum sim_coding c)
{
    unsigned char *room = (unsigned char *)buf_room(out, n * 2);

    if (!room)
        return out->err;
    if (c == SIM_ULAW)
        ulaw_write(room, pcm, n);
    else if (c == SIM_ALAW)
        alaw_write(room, pcm, n);
    for (size_t i = 0; c == SIM_LINEAR && i < n; i++) {
        room[2 * i] = (unsigned char)((uint16_t)pcm[i] & 0xff);
        room[2 * i + 1] = (unsigned char)((uint16_t)pcm[i] >> 8);
    }
    out->n += c == SIM_LINEAR ? n * 2 : n;
    return 0;
}

int sim_coding_write(struct buf *out, const int16_t *pcm, size_t n, enum sim_coding c, unsigned rate_hz)
{
    int16_t *other = NULL;
    size_t count = 0;
    int err;

    if (rate_hz == SIM_AS_IT_IS)
        return samples_write(out, pcm, n, c);
    err = resample_clip(pcm, n, SIM_AS_IT_IS, rate_hz, &other, &count);
    if (!err)
        err = samples_write(out, other, count, c);
    free(other);
    return err;
}

int sim_coding_read(struct text bytes, enum sim_coding c, int16_t **pcm, size_t *n)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    int16_t *out = malloc((bytes.n + 1) * sizeof *out);

    if (!out)
        return -ENOMEM;
    if (c == SIM_ULAW)
        ulaw_read(out, in, bytes.n);
    else if (c == SIM_ALAW)
        alaw_read(out, in, bytes.n);
    for (size_t i = 0; c == SIM_LINEAR && i < bytes.n / 2; i++)
        out[i] = (int16_t)(uint16_t)(in[2 * i] | in[2 * i + 1] << 8);
    *pcm = out;
    *n = c == SIM_LINEAR ? bytes.n / 2 : bytes.n;
    return 0;
}

/* ---- pacing ---- */

bool mouth_is_busy(const struct mouth *m)
{
    return m->at < m->bytes.n;
}

void mouth_hush(struct mouth *m)
{
    timer_stop(m->tick);
    buf_clear(&m->bytes);
    m->at = 0;
}

static void tick(struct mouth *m)
{
    size_t budget = m->is_burst ? SIZE_MAX : (size_t)TICK_MS * m->speed * m->bytes_a_ms;

    while (budget > 0 && mouth_is_busy(m)) {
        size_t n = m->is_burst ? PIECE_BURST : PIECE;
        const unsigned char *piece = (const unsigned char *)m->bytes.p + m->at;

        n = n < m->bytes.n - m->at ? n : m->bytes.n - m->at;
        n = n < budget ? n : budget;
        m->at += n;
        budget -= budget == SIZE_MAX ? 0 : n;
        if (!m->on_piece(piece, n, m->arg))
            return;
    }
    if (mouth_is_busy(m)) {
        timer_start(m->tick, TICK_MS);
        return;
    }
    mouth_hush(m);
    m->on_end(m->arg);
}

static void on_tick(void *arg)
{
    tick(arg);
}

void mouth_go(struct mouth *m)
{
    if (!timer_is_running(m->tick))
        tick(m);
}

int mouth_init(struct mouth *m, struct loop *l, void *arg)
{
    *m = (struct mouth){ .arg = arg, .speed = 4 };
    buf_init(&m->bytes, BYTES_MAX);
    return timer_new(&m->tick, l, on_tick, m);
}

void mouth_free(struct mouth *m)
{
    timer_free(m->tick);
    buf_free(&m->bytes);
}
