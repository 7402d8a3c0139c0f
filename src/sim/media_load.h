/* Plays the callers of many AudioSocket legs at once against whatever echoes: each sends a marked frame every 20 ms, finds its marks in
 * what comes back, and tells how late and how whole that was; or talks with an agent and cuts it short. Blocking, on one thread with its own epoll: a load generator must cost
 * less than what it measures. For tools only. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/hist.h"
#include "net/listener.h"

enum { MEDIA_LOAD_LEGS_MAX = 4000 };

struct media_load_options {
    struct address target;
    unsigned legs;                 /* leg i names itself media_load_id(i) */
    double seconds;                /* of speaking */
    unsigned apart_ms;             /* between two legs' openings */
    unsigned warm_s;               /* that are not counted, first; 0 = 1 */
    const int16_t *voice;          /* 8 kHz: what each caller says whenever the agent has talked for a second, instead of marks; NULL: marks */
    size_t voice_n;
};

struct media_load_result {
    uint64_t sent, received;       /* frames */
    uint64_t counted, missing;     /* marks that were sent behind the first second, and of those: never seen again */
    uint64_t disordered;           /* marks that came twice, or behind a younger one */
    uint64_t broken_legs;          /* ended by the other side, or with nonsense */
    uint64_t own_late;             /* frames that we ourselves sent more than 5 ms behind their time */
    uint64_t uncut;                /* with a voice: the agent talked on for 4 s */
    struct hist cut_us;            /* with a voice: from its first frame to the agent's last sound */
    struct hist late_us;           /* each frame that came, behind the leg's own 20 ms grid */
    struct hist delay_us;          /* from a mark's sending to its coming back: mouth to ear, both ways */
};

/* 0, or what made it impossible. */
int media_load_run(const struct media_load_options *opt, struct media_load_result *out) MUST_USE;
void media_load_id(unsigned leg, uint8_t out[16]);
