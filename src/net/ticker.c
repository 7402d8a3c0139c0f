/* The audio clock: an absolute grid of 5 ms slots on a timerfd; a tick belongs to every fourth. */
#include "net/ticker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <utlist.h>

#include "net/loop_internal.h"

enum {
    SLOT_US = TICK_US / TICK_PHASES,
    CATCH_UP_SLOTS = 3 * TICK_PHASES, /* at most three grid points a tick are made up for; older ones are skipped */
};

/* Slot k stands for the monotonic time k * SLOT_US; its phase is k % TICK_PHASES. */
struct tick {
    struct tick *next, *prev;
    struct ticker *ticker;      /* NULL: the ticker is gone */
    unsigned phase;
    int64_t last_slot;          /* the grid point handed out last */
    tick_on_time *on_time;
    void *arg;
};

struct ticker {
    uv_poll_t poll;
    struct loop *loop;
    int fd;
    bool is_closed;
    struct tick *phase[TICK_PHASES];
    size_t count[TICK_PHASES], total;
    struct tick *cursor;        /* the next to run: ticker_remove moves it on */
    int64_t next_slot;          /* the first that did not run */
    struct ticker_figures figures;
};

static void arm(struct ticker *t, int64_t first_slot)
{
    const int64_t at_us = first_slot * SLOT_US;
    const struct itimerspec grid = {
        .it_value = { .tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000 },
        .it_interval = { .tv_nsec = SLOT_US * 1000L },
    };

    timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &grid, NULL);
}

static void tick_run(struct ticker *t, struct tick *k, int64_t slot)
{
    const int64_t skipped = (slot - k->last_slot) / TICK_PHASES - 1;
    const unsigned missed = skipped > 0 ? (unsigned)skipped : 0;

    k->last_slot = slot;
    t->figures.ticks++;
    t->figures.missed += missed;
    k->on_time(slot * SLOT_US, missed, k->arg);
}

static void slot_run(struct ticker *t, int64_t slot)
{
    struct tick *k = t->phase[slot % TICK_PHASES];
    const int64_t late_us = clock_mono_us() - slot * SLOT_US;

    if (!k)
        return;
    if (late_us > t->figures.late_max_us)
        t->figures.late_max_us = late_us;
    while (k && !t->is_closed) {
        t->cursor = k->next;
        /* A tick that joined during this very slot begins with its next grid point. */
        if (k->last_slot < slot)
            tick_run(t, k, slot);
        k = t->cursor;
    }
    t->cursor = NULL;
}

static void slots_run(struct ticker *t)
{
    const int64_t now_slot = clock_mono_us() / SLOT_US;

    if (now_slot - t->next_slot >= CATCH_UP_SLOTS)
        t->next_slot = now_slot - CATCH_UP_SLOTS + 1;
    while (t->next_slot <= now_slot && !t->is_closed)
        slot_run(t, t->next_slot++);
}

static void on_expired(uv_poll_t *h, int status, int events)
{
    struct ticker *t = h->data;
    struct loop *l = t->loop;
    const int64_t entered_us = loop_enter();
    uint64_t expirations;

    (void)status;
    (void)events;
    /* The number of expirations is not needed: the clock says which slots are due. The read only quiets the descriptor. */
    if (read(t->fd, &expirations, sizeof expirations) == (ssize_t)sizeof expirations)
        slots_run(t);
    loop_leave(l, "tick", entered_us);
}

int ticker_new(struct ticker **out, struct loop *l)
{
    struct ticker *t = calloc(1, sizeof *t);
    int err;

    if (!t)
        return -ENOMEM;
    t->loop = l;
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->fd < 0) {
        err = -errno;
        free(t);
        return err;
    }
    err = uv_poll_init(&l->uv, &t->poll, t->fd);
    if (err) {
        close(t->fd);
        free(t);
        return err;
    }
    t->poll.data = t;
    *out = t;
    return 0;
}

static void on_gone(uv_handle_t *h)
{
    free(h->data);
}

void ticker_free(struct ticker *t)
{
    if (!t)
        return;
    t->is_closed = true;
    for (unsigned i = 0; i < TICK_PHASES; i++) {
        struct tick *k;

        DL_FOREACH (t->phase[i], k)
            k->ticker = NULL; /* its owner still removes it */
    }
    t->cursor = NULL;
    uv_close((uv_handle_t *)&t->poll, on_gone);
    close(t->fd);
}

static unsigned emptiest(const struct ticker *t)
{
    unsigned best = 0;

    for (unsigned i = 1; i < TICK_PHASES; i++)
        if (t->count[i] < t->count[best])
            best = i;
    return best;
}

static void start(struct ticker *t, int64_t now_slot)
{
    t->next_slot = now_slot + 1;
    arm(t, t->next_slot);
    uv_poll_start(&t->poll, UV_READABLE, on_expired);
}

int ticker_add(struct tick **out, struct ticker *t, tick_on_time *on_time, void *arg)
{
    const int64_t now_slot = clock_mono_us() / SLOT_US;
    struct tick *k = calloc(1, sizeof *k);
    int64_t ahead;

    if (!k)
        return -ENOMEM;
    k->ticker = t;
    k->phase = emptiest(t);
    /* As if it had run at its last grid point up to now: the first to come is not missed, and none before it. */
    ahead = (now_slot - k->phase) % TICK_PHASES;
    k->last_slot = now_slot - ahead;
    k->on_time = on_time;
    k->arg = arg;
    DL_APPEND(t->phase[k->phase], k);
    t->count[k->phase]++;
    if (t->total++ == 0)
        start(t, now_slot);
    *out = k;
    return 0;
}

void ticker_remove(struct tick *k)
{
    struct ticker *t;

    if (!k)
        return;
    t = k->ticker;
    if (!t) {
        free(k);
        return;
    }
    if (t->cursor == k)
        t->cursor = k->next;
    DL_DELETE(t->phase[k->phase], k);
    t->count[k->phase]--;
    free(k);
    if (--t->total > 0)
        return;
    uv_poll_stop(&t->poll);
    timerfd_settime(t->fd, 0, &(struct itimerspec){ 0 }, NULL);
}

void ticker_figures(const struct ticker *t, struct ticker_figures *out)
{
    *out = t->figures;
}
