/* Hands out a route's places in the order of arrival, for as long as each is willing to wait. */
#include "route/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* A place that another loop gives back rings no bell here: one looks, as long as somebody waits. */
enum { LOOK_MS = 20 };

struct admission {
    struct loop *loop;
    struct gate *gate;
    size_t queue_max, waiting;
    int64_t wait_ms;
    struct ticket *queue;
    struct timer *look;
};

bool gate_enter(struct gate *g)
{
    if (!g)
        return true;
    if (atomic_fetch_add(&g->taken, 1) < g->max || g->max == 0)
        return true;
    atomic_fetch_sub(&g->taken, 1);
    return false;
}

void gate_leave(struct gate *g)
{
    if (g)
        atomic_fetch_sub(&g->taken, 1);
}

static void queue_remove(struct admission *a, struct ticket *t)
{
    DL_DELETE(a->queue, t);
    a->waiting--;
    t->waits = false;
}

static void on_look(void *arg)
{
    struct admission *a = arg;
    struct ticket *t;

    while ((t = a->queue)) { /* the oldest has the earliest end */
        const bool enters = gate_enter(a->gate);

        if (!enters && loop_now_ms(a->loop) < t->until_ms)
            break;
        queue_remove(a, t);
        t->is_in = enters;
        if (a->queue)
            timer_start(a->look, 1); /* before the handler, which may end us all */
        t->on_turn(t, enters ? 0 : -ETIMEDOUT);
        return;
    }
    if (a->queue)
        timer_start(a->look, LOOK_MS);
}

int admission_new(struct admission **out, struct loop *l, struct gate *gate, size_t queue_max, int64_t wait_ms)
{
    struct admission *a = calloc(1, sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    a->loop = l;
    a->gate = gate;
    a->queue_max = queue_max;
    a->wait_ms = wait_ms;
    err = timer_new(&a->look, l, on_look, a);
    if (err) {
        free(a);
        return err;
    }
    *out = a;
    return 0;
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    INVARIANT(!a->queue);
    timer_free(a->look);
    free(a);
}

int admission_enter(struct admission *a, struct ticket *t)
{
    /* Nobody overtakes the queue of his own loop. */
    if (!a->queue && gate_enter(a->gate)) {
        t->is_in = true;
        return 0;
    }
    if (a->waiting >= a->queue_max)
        return -EBUSY;
    t->waits = true;
    t->until_ms = loop_now_ms(a->loop) + a->wait_ms;
    DL_APPEND(a->queue, t);
    a->waiting++;
    if (!timer_is_running(a->look))
        timer_start(a->look, LOOK_MS);
    return -EINPROGRESS;
}

void admission_leave(struct admission *a, struct ticket *t)
{
    if (t->waits)
        queue_remove(a, t);
    if (!t->is_in)
        return;
    t->is_in = false;
    gate_leave(a->gate);
    if (a->queue)
        timer_start(a->look, 1);
}

size_t admission_waiting(const struct admission *a)
{
    return a->waiting;
}
