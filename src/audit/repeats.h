/* Which findings say the same as others before them, so that a report for a person tells them once, with their number. */
#pragma once

#include <stddef.h>

#include "audit/audit.h"

/* More than REPEATS_MAX alike: the first REPEATS_SHOWN are shown. */
enum { REPEATS_MAX = 5, REPEATS_SHOWN = 3 };

struct repeat {
    const struct audit_finding *finding;
    size_t untold;                 /* behind this one so many more like it are left out; last is the last of them */
    const struct audit_finding *last;
    bool is_left_out;
};

/* Alike are findings of one rule with the same message; of notes, all of one rule. One with a way of its own is like no other.
 * list holds the findings in order; fills in the rest. 0 or -ENOMEM (then nothing is left out). */
int repeats_find(struct repeat *list, size_t count) MUST_USE;
