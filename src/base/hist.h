/* Log-linear histogram of non-negative integers (microseconds, mostly): 64 steps an octave, error < 1.6 %. */
#pragma once

#include <stdint.h>

enum { HIST_STEPS = 64, HIST_OCTAVES = 36 };

struct hist {
    uint64_t count, sum, max, min;
    uint32_t slot[HIST_STEPS * HIST_OCTAVES];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, int64_t value);       /* negative counts as 0 */
void hist_merge(struct hist *into, const struct hist *from);
/* q in 0..1; the upper edge of the slot that holds the quantile; 0 when empty. */
int64_t hist_quantile(const struct hist *h, double q);
/* How many values lie at or below the edge, to a slot's width. */
uint64_t hist_count_to(const struct hist *h, uint64_t edge);
