/* Puts packets of sound back in order. Nothing is delayed while they come in order: a gap alone holds back what follows it, until the
 * missing packet comes or as many wait as the present depth allows (20 to 120 ms: it grows when one came just too late, and
 * shrinks again while all is well); then the gap is filled by the last sound, fading. It has no clock of its own, so two
 * clocks that drift apart do it no harm. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JITTER_DEPTH_MAX = 6,          /* packets: 120 ms of the usual 20 */
    JITTER_SLOTS = 8,              /* power of two above it */
    JITTER_PACKET_MAX = 1500,      /* samples; more are cut off */
};

struct jitter_figures {
    uint64_t packets;
    uint64_t early;                /* came before one that precedes them */
    uint64_t late;                 /* came after their place was given up; thrown away */
    uint64_t duplicate, lost;
    uint64_t concealed;            /* pieces made up */
    uint64_t restarts;             /* the numbering leapt */
};

struct jitter_slot {
    bool is_full;
    uint16_t seq;
    size_t n;
    int16_t pcm[JITTER_PACKET_MAX];
};

struct jitter {
    struct jitter_figures figures;
    struct jitter_slot slots[JITTER_SLOTS];
    unsigned held, depth, calm;    /* calm: packets in order since the depth last changed */
    bool has_next;
    uint16_t next;                 /* the sequence number that is due */
    size_t last_n;                 /* samples of the last packet given out */
    unsigned fade;                 /* concealed pieces in a row */
    int16_t last[JITTER_PACKET_MAX], made[JITTER_PACKET_MAX];
};

typedef void jitter_on_pcm(const int16_t *pcm, size_t n, void *arg);

void jitter_init(struct jitter *j);
/* Takes one packet and gives out what is due. on_pcm must not call back into j. */
void jitter_put(struct jitter *j, uint16_t seq, const int16_t *pcm, size_t n, jitter_on_pcm *on_pcm, void *arg);
/* Takes a number that carries no sound (a telephone event), so that it leaves no gap. */
void jitter_skip(struct jitter *j, uint16_t seq, jitter_on_pcm *on_pcm, void *arg);
/* Nothing has come for a while: what is held goes out, gaps filled. */
void jitter_flush(struct jitter *j, jitter_on_pcm *on_pcm, void *arg);
/* Another source begins (a new SSRC): what is held goes, counters stay. */
void jitter_restart(struct jitter *j);
