/* The latest words of both sides, so that a session that breaks can be followed by one that knows them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum { TALK_TURNS = 20, TALK_TURN_MAX = 1000 /* bytes of each */ };

struct talk_turn {
    bool is_agent;
    uint32_t number;               /* of the item; 0: the caller's */
    char *words;
};

struct talk_words {                /* all zero: empty */
    struct talk_turn turns[TALK_TURNS];
    size_t first, count;
};

/* The oldest turn goes when there are too many. */
void talk_words_add(struct talk_words *t, bool is_agent, uint32_t number, struct text words);
/* Of an answer only so much was heard: its words are cut in proportion, to whole words. */
void talk_words_cut(struct talk_words *t, uint32_t number, uint64_t part, uint64_t whole);
/* As said before: by nobody who can be cut now. */
void talk_words_copy(struct talk_words *to, const struct talk_words *from);
/* Of the oldest first; i below count. */
const struct talk_turn *talk_words_at(const struct talk_words *t, size_t i);
void talk_words_free(struct talk_words *t);
