/* Runs one libuv loop and measures its turns. */
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "net/loop_internal.h"

enum {
    SLOW_LOG_US = 1000000,   /* at most one line in this time */
    DRAIN_MS = 30000,        /* loop_free: longer than any linger; after it a handle was forgotten */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* libuv and OpenSSL write with write(2): a peer that left would kill the process. A handler set by others stays.
 * Children inherit the ignored signal: who starts one resets it. */
static void ignore_sigpipe(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static void slow_report(struct loop *l, int64_t now_us)
{
    const struct log log = log_for(&l->log, "loop");

    if (l->slow_logged_us && now_us - l->slow_logged_us < SLOW_LOG_US)
        return;
    l->slow_logged_us = now_us;
    log_warn(&log, "slow_turn", kv_str("longest", l->longest), kv_int("longest_us", l->longest_us),
             kv_int("turn_us", l->turn_us), kv_int("slow_turns", (int64_t)l->slow_turns));
}

static void on_turn(uv_prepare_t *h)
{
    struct loop *l = h->data;

    if (l->turn_us > LOOP_SLOW_US) {
        l->slow_turns++;
        slow_report(l, clock_mono_us());
    }
    l->turn_us = l->longest_us = 0;
    l->longest = "";
}

void loop_leave(struct loop *l, const char *what, int64_t entered_us)
{
    const int64_t took_us = clock_mono_us() - entered_us;

    l->turn_us += took_us;
    if (took_us > l->longest_us) {
        l->longest_us = took_us;
        l->longest = what;
    }
}

static void on_idle(uv_idle_t *h);

void loop_defer(struct loop *l, struct loop_deferred *d)
{
    struct loop_deferred *head = &l->deferred;

    if (d->next)
        return;
    d->prev = head->prev;
    d->next = head;
    d->prev->next = d;
    head->prev = d;
    l->deferred_count++;
    uv_idle_start(&l->idle, on_idle);
}

void loop_undefer(struct loop *l, struct loop_deferred *d)
{
    if (!d->next)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->next = d->prev = NULL;
    l->deferred_count--;
}

static void on_idle(uv_idle_t *h)
{
    struct loop *l = h->data;

    /* Counted first: a call that defers itself again waits for the next turn, after the sockets had theirs. */
    for (size_t n = l->deferred_count; n > 0 && l->deferred_count > 0; n--) {
        struct loop_deferred *d = l->deferred.next;
        const int64_t entered_us = loop_enter();

        loop_undefer(l, d);
        d->fn(d->arg);
        loop_leave(l, "deferred", entered_us);
    }
    if (l->deferred_count == 0)
        uv_idle_stop(h);
}

static void on_wake(uv_async_t *h)
{
    struct loop *l = h->data;

    loop_posts_run(l);
    loop_posts_settle(l);
    if (atomic_load(&l->is_stopping))
        uv_stop(&l->uv);
}

static int handles_open(struct loop *l)
{
    int err = uv_async_init(&l->uv, &l->wake, on_wake);

    if (err)
        return err;
    uv_prepare_init(&l->uv, &l->turn);
    uv_idle_init(&l->uv, &l->idle);
    l->wake.data = l->turn.data = l->idle.data = l;
    uv_prepare_start(&l->turn, on_turn);
    uv_unref((uv_handle_t *)&l->turn);
    uv_unref((uv_handle_t *)&l->wake);
    return 0;
}

int loop_new(struct loop **out, const struct log *log)
{
    struct loop *l = calloc(1, sizeof *l);
    int err = -ENOMEM;

    if (!l)
        return -ENOMEM;
    pthread_once(&once, ignore_sigpipe);
    l->log = *log;
    l->longest = "";
    l->deferred.next = l->deferred.prev = &l->deferred;
    l->scratch = malloc(LOOP_SCRATCH_BYTES);
    if (!l->scratch)
        goto fail;
    err = ring_new(&l->posts, LOOP_POSTS_MAX);
    if (err)
        goto fail;
    err = uv_loop_init(&l->uv);
    if (err)
        goto fail;
    err = handles_open(l);
    if (err) {
        uv_loop_close(&l->uv);
        goto fail;
    }
    *out = l;
    return 0;
fail:
    ring_free(l->posts);
    free(l->scratch);
    free(l);
    return err;
}

static void handle_report(uv_handle_t *h, void *arg)
{
    const struct log log = log_for(arg, "loop");

    if (!uv_is_closing(h))
        log_error(&log, "handle_left_open", kv_str("type", uv_handle_type_name(uv_handle_get_type(h))));
}

static void on_drain_late(uv_timer_t *t)
{
    struct loop *l = t->data;
    const bool every_handle_was_closed = false;

    uv_walk(&l->uv, handle_report, &l->log);
    INVARIANT(every_handle_was_closed);
}

/* One turn of what is left; false when nothing is. */
static bool drain_turn(struct loop *l)
{
    loop_posts_run(l);
    loop_posts_settle(l);
    return uv_run(&l->uv, UV_RUN_ONCE) != 0 || l->deferred_count > 0 || atomic_load(&l->owed) > 0;
}

void loop_free(struct loop *l)
{
    uv_timer_t guard;

    if (!l)
        return;
    uv_timer_init(&l->uv, &guard);
    guard.data = l;
    uv_timer_start(&guard, on_drain_late, DRAIN_MS, 0);
    uv_unref((uv_handle_t *)&guard);
    while (drain_turn(l)) {
    }
    uv_close((uv_handle_t *)&guard, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->turn, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    INVARIANT(uv_loop_close(&l->uv) == 0);
    ring_free(l->posts);
    free(l->scratch);
    free(l);
}

void loop_run(struct loop *l)
{
    int alive;

    do {
        loop_posts_run(l);
        loop_posts_settle(l);
        alive = atomic_load(&l->is_stopping) ? 0 : uv_run(&l->uv, UV_RUN_DEFAULT);
    } while (!atomic_load(&l->is_stopping) && (alive || atomic_load(&l->owed) > 0));
    atomic_store(&l->is_stopping, false);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->is_stopping, true);
    uv_async_send(&l->wake);
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

const struct log *loop_log(const struct loop *l)
{
    return &l->log;
}

uint64_t loop_slow_turns(const struct loop *l)
{
    return l->slow_turns;
}
