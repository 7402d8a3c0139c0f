/* Tells the agent's own words, come back over the line, from the caller's: compares what is heard with what was played, at every delay up to
 * ECHO_DELAY_MS. Both are taken down to 2 kHz, where most of speech is. Pure; no allocation. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    ECHO_HZ = 2000,
    ECHO_DELAY_MS = 400,           /* the longest way out and back that is looked for */
    ECHO_WINDOW_MS = 100,          /* what is compared */
    ECHO_WINDOW = ECHO_WINDOW_MS * ECHO_HZ / 1000,
    ECHO_PAST = (ECHO_DELAY_MS + ECHO_WINDOW_MS + 100) * ECHO_HZ / 1000,
};

struct echo_line {
    int16_t past[ECHO_PAST];       /* a ring */
    size_t at;                     /* where the next sample goes */
    int32_t sum;                   /* of the samples that become the next one */
    unsigned count;
};

struct echo_gate {
    unsigned step;                 /* samples of the line that become one */
    float part;                    /* 1 / step */
    struct echo_line played, heard;
};

/* rate_hz: a multiple of ECHO_HZ. */
void echo_gate_init(struct echo_gate *g, unsigned rate_hz);
void echo_gate_played(struct echo_gate *g, const int16_t *pcm, size_t n);
void echo_gate_heard(struct echo_gate *g, const int16_t *pcm, size_t n);
/* How much of the last ECHO_WINDOW_MS heard is what was played, in percent of its energy: 100 is an echo and nothing else. 60,000 multiplications:
 * for when it matters. */
int echo_gate_share(const struct echo_gate *g);
