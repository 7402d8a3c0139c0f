/* A stand-in's voice on its way out: coded as the client wants it, paced faster than real time, cut in odd pieces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"

enum sim_coding { SIM_ULAW, SIM_ALAW, SIM_LINEAR };

/* "mulaw" "alaw" "linear16". False: another. */
bool sim_coding_parse(struct text name, enum sim_coding *out);
/* A millisecond of it. */
size_t sim_coding_bytes_a_ms(enum sim_coding c, unsigned rate_hz);
/* Adds 8 kHz samples, resampled and coded, to out: 0, out's error, -ENOMEM. SIM_AS_IT_IS: no resampling. */
enum { SIM_AS_IT_IS = 8000 };
int sim_coding_write(struct buf *out, const int16_t *pcm, size_t n, enum sim_coding c, unsigned rate_hz) MUST_USE;
/* The other way: *pcm malloc'ed, at the rate of the bytes; an odd byte at the end is lost. */
int sim_coding_read(struct text bytes, enum sim_coding c, int16_t **pcm, size_t *n) MUST_USE;

struct mouth {
    struct timer *tick;
    struct buf bytes;              /* what is to be said */
    size_t at;                     /* so much of it is gone */
    size_t bytes_a_ms;
    unsigned speed;                /* times real time */
    bool is_burst;                 /* all of it at once */
    /* False: no more of this. It may have hushed. */
    bool (*on_piece)(const unsigned char *bytes, size_t n, void *arg);
    void (*on_end)(void *arg);     /* all that was given is gone */
    void *arg;
};

int mouth_init(struct mouth *m, struct loop *l, void *arg) MUST_USE;
void mouth_free(struct mouth *m);
/* More bytes may be added to m->bytes at any time; then this. The first pieces leave within the call. */
void mouth_go(struct mouth *m);
bool mouth_is_busy(const struct mouth *m);
/* The rest is not said. */
void mouth_hush(struct mouth *m);
