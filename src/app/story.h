/* Tells one call to a person: facts from the store, the caller's own moments and the PBX's words, in the order in which they
 * happened, a line each. Lines are held back for a moment so that late ones still find their place. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "call/timeline.h"

struct story;

int story_new(struct story **out, FILE *to, bool colour) MUST_USE;
void story_free(struct story *s);
/* Time zero of the first column. */
void story_begin(struct story *s, int64_t wall_us);
/* who: "pbx" "agi" "ari" "agent" "caller" "tool". */
void story_line(struct story *s, int64_t wall_us, const char *who, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A fact of the daemon in words; kinds that an operator would not ask about are passed over. */
void story_fact(struct story *s, const struct fact *f);
/* Prints what is older than now - hold_us; hold_us 0 prints all. */
void story_tell(struct story *s, int64_t now_us, int64_t hold_us);
