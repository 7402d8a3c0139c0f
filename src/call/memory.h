/* What both sides have said in a talk, as far as it was heard, for an agent that takes over. Internal to src/call. Pure. */
#pragma once

#include "ai/talk_words.h"

enum { MEMORY_ITEMS = 16 };

struct memory_item {               /* of the agent that talks now */
    uint32_t number;
    uint64_t samples;              /* that came */
    int64_t heard_ms;              /* negative: it was not cut */
};

struct memory {                    /* all zero: empty */
    struct talk_words words;
    struct memory_item items[MEMORY_ITEMS]; /* the latest ones; number 0: free */
    size_t next;
};

void memory_caller(struct memory *m, struct text words);
/* Words and samples of one item come in any order. */
void memory_agent(struct memory *m, uint32_t item, struct text words, unsigned rate_hz);
void memory_sound(struct memory *m, uint32_t item, size_t samples);
/* Of item only so much was heard, and nothing of what comes after it. */
void memory_cut(struct memory *m, uint32_t item, unsigned played_ms, unsigned rate_hz);
/* Another agent talks from now on: its items count from 1 again. */
void memory_switch(struct memory *m);
void memory_free(struct memory *m);
