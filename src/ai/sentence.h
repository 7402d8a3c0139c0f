/* Cuts a model's words, as they come, into what a voice says at a time: sentences, and a first piece that is short so that the caller does
 * not wait. Markdown, emoji and addresses of the web are not spoken. Pure. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

enum { SENTENCE_MAX = 600 };       /* bytes; longer ones are cut at a word */

struct sentence {
    struct buf raw;                /* not said yet */
    bool has_first;                /* a piece was taken already */
};

void sentence_init(struct sentence *s);
void sentence_free(struct sentence *s);
/* A new answer. */
void sentence_clear(struct sentence *s);
/* 0, or the buffer's error. Ceiling: 64 KiB that were not taken. */
int sentence_add(struct sentence *s, struct text words) MUST_USE;
/* Adds the next piece to out (cleared first) when it is whole, or, with is_end, what is left. False: nothing yet. What cannot be spoken at all
 * gives no piece. */
bool sentence_take(struct sentence *s, bool is_end, struct buf *out);
