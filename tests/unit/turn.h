/* Turns a loop by hand: until a condition holds, or too long. Include after cmocka.h. */
#pragma once

#include <stdbool.h>

#include "net/loop.h"

struct turn {
    struct loop *loop;
    struct timer *timer;
    bool (*is_done)(void *arg);
    void *arg;
    int64_t until_ms;
    bool done;
};

static inline void turn_on_time(void *arg)
{
    struct turn *t = arg;

    t->done = t->is_done && t->is_done(t->arg);
    if (t->done || loop_now_ms(t->loop) >= t->until_ms)
        loop_stop(t->loop);
    else
        timer_start(t->timer, 1);
}

/* True when the condition held within limit_ms. */
static inline bool turn_until(struct loop *l, bool (*is_done)(void *arg), void *arg, int64_t limit_ms)
{
    struct turn t = { .loop = l, .is_done = is_done, .arg = arg, .until_ms = loop_now_ms(l) + limit_ms };

    if (timer_new(&t.timer, l, turn_on_time, &t) != 0)
        return false;
    timer_start(t.timer, 0);
    loop_run(l);
    timer_free(t.timer);
    return t.done;
}

/* Lets everything happen that is due within ms. */
static inline void turn_for(struct loop *l, int64_t ms)
{
    (void)turn_until(l, NULL, NULL, ms);
}
