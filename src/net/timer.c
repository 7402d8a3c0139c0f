/* One-shot timers and signals of a loop. */
#include "net/loop.h"

#include <stdlib.h>

#include "net/loop_internal.h"

struct timer {
    uv_timer_t uv;
    struct loop *loop;
    void (*on_time)(void *arg);
    void *arg;
};

struct loop_signal {
    uv_signal_t uv;
    struct loop *loop;
    void (*on_signal)(void *arg);
    void *arg;
};

static void on_fire(uv_timer_t *h)
{
    struct timer *t = h->data;
    struct loop *l = t->loop;
    const int64_t entered_us = loop_enter();

    t->on_time(t->arg);
    loop_leave(l, "timer", entered_us);
}

int timer_new(struct timer **out, struct loop *l, void (*on_time)(void *arg), void *arg)
{
    struct timer *t = calloc(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    t->loop = l;
    t->on_time = on_time;
    t->arg = arg;
    *out = t;
    return 0;
}

void timer_start(struct timer *t, int64_t ms)
{
    /* libuv counts from the turn's begin. After long work that is too early; uv_update_time would put that right, but a
     * timer that restarts itself could then fire again and again within one turn. */
    const int64_t behind_ms = (int64_t)(uv_hrtime() / 1000000) - loop_now_ms(t->loop);

    if (ms < 1)
        ms = 1;
    uv_timer_start(&t->uv, on_fire, (uint64_t)(ms + (behind_ms > 0 ? behind_ms : 0)), 0);
}

void timer_stop(struct timer *t)
{
    uv_timer_stop(&t->uv);
}

bool timer_is_running(const struct timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->uv);
}

static void on_timer_gone(uv_handle_t *h)
{
    free(h->data);
}

void timer_free(struct timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->uv, on_timer_gone);
}

static void on_signum(uv_signal_t *h, int signum)
{
    struct loop_signal *s = h->data;
    struct loop *l = s->loop;
    const int64_t entered_us = loop_enter();

    (void)signum;
    s->on_signal(s->arg);
    loop_leave(l, "signal", entered_us);
}

int loop_signal_new(struct loop_signal **out, struct loop *l, int signum, void (*on_signal)(void *arg), void *arg)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    err = uv_signal_init(&l->uv, &s->uv);
    if (err) {
        free(s);
        return err;
    }
    s->uv.data = s;
    s->loop = l;
    s->on_signal = on_signal;
    s->arg = arg;
    err = uv_signal_start(&s->uv, on_signum, signum);
    if (err) {
        loop_signal_free(s);
        return err;
    }
    /* A signal that may come is no reason to go on. */
    uv_unref((uv_handle_t *)&s->uv);
    *out = s;
    return 0;
}

static void on_signal_gone(uv_handle_t *h)
{
    free(h->data);
}

void loop_signal_free(struct loop_signal *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->uv, on_signal_gone);
}
