/* One caller's two-way audio, whatever carries it. 16-bit linear mono at leg_rate().
 * Thread: the loop it was made on. Counted. Handlers never run from inside a call you make; on_closed is last, once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct leg;

enum { LEG_FRAME_MS = 20, LEG_FRAME_MAX = 960 /* samples: 20 ms at 48 kHz */ };

struct leg_handlers {
    /* Caller's samples as they came; not always 20 ms. at_us: when they were read. */
    void (*on_audio)(const int16_t *pcm, size_t n, int64_t at_us, void *arg);
    /* The audio clock wants the next n samples; all are written (silence when there is nothing to say). In the audio tick:
     * no allocation, lock or log. */
    void (*on_fill)(int16_t *out, size_t n, int64_t at_us, void *arg);
    void (*on_digit)(char digit, void *arg);
    /* err 0: the other side ended in order; -EPROTO with a sentence in why: nonsense on the wire. */
    void (*on_closed)(int err, const char *why, void *arg);
};

struct leg_figures {
    uint64_t frames_in, frames_out, odd, missed, send_refused;
    uint64_t early, late, lost, concealed, strangers; /* RTP's: packets out of order, too late, missing, made up, of others */
};

struct leg_ops {               /* for implementations only */
    void (*start)(struct leg *l);
    void (*close)(struct leg *l);
    void (*figures)(const struct leg *l, struct leg_figures *out);
    unsigned (*flush)(struct leg *l); /* NULL: nothing is held beyond what on_fill gave last */
};

struct leg {                   /* first member of each implementation */
    const struct leg_ops *ops;
    const struct leg_handlers *on;
    void *arg;
    unsigned rate_hz;
};

/* Sets the handlers and starts the clock. */
void leg_start(struct leg *l, const struct leg_handlers *on, void *arg);
/* Stops the clock and ends the carrier in order; on_closed follows. Safe to call twice. */
void leg_close(struct leg *l);
/* Throws away what on_fill has given and the carrier has not played yet; returns how much of it, in milliseconds. Not in the audio tick. */
unsigned leg_flush(struct leg *l);
unsigned leg_rate(const struct leg *l);
void leg_figures(const struct leg *l, struct leg_figures *out);
