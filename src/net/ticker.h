/* The audio clock of one loop: an absolute 20 ms grid (timerfd) in four phases of 5 ms. Each tick joins the emptiest phase.
 * No allocation, lock, log or formatting happens between the ticks' handlers. Linux only. Loop thread. */
#pragma once

#include <stdint.h>

#include "net/loop.h"

enum { TICK_US = 20000, TICK_PHASES = 4 };

struct ticker;
struct tick;

int ticker_new(struct ticker **out, struct loop *l) MUST_USE;
void ticker_free(struct ticker *t);

/* at_us: the grid time this tick stands for (monotonic). missed: grid points skipped before it (after catching up at most
 * a few, the grid is kept; a long sleep is not replayed). A handler may remove any tick, its own too. */
typedef void tick_on_time(int64_t at_us, unsigned missed, void *arg);
int ticker_add(struct tick **out, struct ticker *t, tick_on_time *on_time, void *arg) MUST_USE;
void ticker_remove(struct tick *k); /* NULL passes */

struct ticker_figures {
    uint64_t ticks, missed;
    int64_t late_max_us;
};
void ticker_figures(const struct ticker *t, struct ticker_figures *out);
