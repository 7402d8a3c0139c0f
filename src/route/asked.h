/* What a handler asked of the world beside Asterisk (store, http), and what came back: as a recording keeps it.
 * A question is "store.get TABLE KEY", "store.put TABLE KEY", "GET URL" or "POST URL"; an answer is "=VALUE", "-" (no such row),
 * "!TEXT" (an error), or "=STATUS BODY" of http. */
#pragma once

#include "base/buf.h"
#include "route/tape.h"

/* Longer ones are not kept: a replay then asks again. */
enum { ASKED_MAX = 16 * 1024 };

/* Adds a question and its answer to the tape; nothing when they are too long. */
void asked_add(struct tape *t, int64_t us, struct text question, struct text answer);

/* Which recorded questions a replay has had answered. */
struct asked {
    bool *used;                    /* by entry of the tape */
    size_t room;
};
/* The answer to the next unused question that is the same, else to the last one; TEXT_NONE: none was recorded (or memory is
 * short). */
struct text asked_find(struct asked *a, const struct tape *t, struct text question);
void asked_clear(struct asked *a);
