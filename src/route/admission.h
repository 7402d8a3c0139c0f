/* Who may begin on a route: places that all call loops share, and this loop's short queue in front of them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/loop.h"

/* Places. Any thread; made once, before the loops run. */
struct gate {
    atomic_size_t taken;
    size_t max;                    /* 0: no ceiling */
};
bool gate_enter(struct gate *g);   /* false: full. NULL lets everyone pass */
void gate_leave(struct gate *g);

struct admission;                  /* of one route on one loop */

/* One who wants to begin. Lives in the owner's object; touched by the admission from enter to leave. */
struct ticket {
    /* Of one who was queued: err 0: the place is yours; -ETIMEDOUT: waited too long (still to be left). Never from inside a call. */
    void (*on_turn)(struct ticket *t, int err);
    int64_t until_ms;
    bool waits, is_in;
    struct ticket *prev, *next;
};

/* gate may be NULL (no ceiling) and outlives the admission. */
int admission_new(struct admission **out, struct loop *l, struct gate *gate, size_t queue_max, int64_t wait_ms) MUST_USE;
void admission_free(struct admission *a); /* nobody may be in or waiting; NULL passes */
/* 0: in. -EINPROGRESS: queued, on_turn follows. -EBUSY: no place, and the queue is full. */
int admission_enter(struct admission *a, struct ticket *t) MUST_USE;
/* Gives the place back, or leaves the queue; nothing for one who has neither. */
void admission_leave(struct admission *a, struct ticket *t);
size_t admission_waiting(const struct admission *a);
