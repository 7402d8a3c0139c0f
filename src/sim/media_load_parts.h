/* What the files of the media load share; nobody else includes this.
 *   media_load.c        connections, the schedule, lateness
 *   media_load_marks.c  callers who send marks and look for them
 *   media_load_talk.c   callers who talk with an agent and cut it short */
#pragma once

#include <stdbool.h>

#include "sim/media_load.h"
#include "wire/audiosocket.h"

enum {
    LOAD_FRAME = 160,
    LOAD_FRAME_US = 20000,
    LOAD_DIGITS = 3,
    LOAD_MARK_N = 2 + LOAD_DIGITS,
    LOAD_MARKS = 4096,             /* numbers in flight: 80 s */
};

enum load_talk_state { LOAD_LISTENS, LOAD_SPEAKS, LOAD_WAITS };

struct load_talk {
    enum load_talk_state state;
    size_t said;                   /* samples of the voice */
    int64_t onset_us, loud_us;     /* of our voice; of the agent's latest sound */
    uint64_t sounding;             /* frames of the agent's present stretch */
    uint64_t quiet;                /* frames since its latest sound */
};

struct load_leg {
    int fd;                        /* -1: gone */
    struct audiosocket_reader reader;
    uint32_t next, newest;         /* numbers: to be sent; last seen */
    bool has_seen;
    int64_t sent_us[LOAD_MARKS];   /* 0: seen again, or never sent */
    int64_t base_us;               /* of the grid */
    uint64_t frames;
    int16_t tail[LOAD_MARK_N - 1]; /* end of the frame before: a mark may lie across */
    struct load_talk talk;
};

struct load {
    const struct media_load_options *opt;
    struct media_load_result *out;
    int epoll, timer;
    struct load_leg *legs;
    int16_t of_code[256];          /* mu-law code to sample */
    int64_t began_us, ends_us, warm_us;
    uint64_t slot;                 /* next to be served */
};

void load_marks_make(struct load *l, struct load_leg *g, bool has_mark, int16_t pcm[LOAD_FRAME]);
void load_marks_find(struct load *l, struct load_leg *g, const int16_t *pcm, size_t n, int64_t at_us);
/* The next frame of a caller who talks, sent at now_us. */
void load_talk_make(struct load *l, struct load_leg *g, int16_t pcm[LOAD_FRAME], int64_t now_us);
void load_talk_hear(struct load *l, struct load_leg *g, const int16_t *pcm, size_t n, int64_t at_us);
