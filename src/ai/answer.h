/* Texts that the embedded agent completes before it says them. Pure. */
#pragma once

#include "ai/agent_file.h"
#include "base/buf.h"

/* Adds text to out with each {name} replaced by that member of a JSON object: texts, numbers, and yes or no.
 * 0, -EBADMSG (not an object), -ENOENT (a member is missing, or is an object, a list or null), or the buffer's error. */
int answer_fill(struct buf *out, struct text words, struct text json) MUST_USE;
/* Adds text to out with {mark} replaced by value. */
int answer_put(struct buf *out, struct text words, struct text mark, struct text value) MUST_USE;
/* Adds "1 for our opening hours, 2 for our address or 0 for a colleague". Nothing when no intent has a digit. */
int answer_digits(struct buf *out, const struct agent_file *agent) MUST_USE;
