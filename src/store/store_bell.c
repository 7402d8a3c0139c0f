/* One job: let a thread sleep until its queue is deep enough, without a lock on the side that fills the queue. */
#include <errno.h>
#include <time.h>

#include "store/store_parts.h"

int store_bell_init(struct store_bell *b)
{
    atomic_init(&b->wake_at, 0);
    return sem_init(&b->sem, 0, 0) ? -errno : 0;
}

void store_bell_free(struct store_bell *b)
{
    sem_destroy(&b->sem);
}

/* Both sides do a read-modify-write on wake_at, so one of them comes first: either the sleeper sees the item when it looks again,
 * or the one who pushed sees the wish. A plain load here could miss both. */
void store_bell_ring(struct store_bell *b, size_t depth)
{
    const size_t wish = atomic_fetch_add(&b->wake_at, 0);

    if (!wish || depth < wish)
        return;
    if (atomic_exchange(&b->wake_at, 0))
        sem_post(&b->sem);
}

void store_bell_stop(struct store_bell *b)
{
    atomic_store(&b->wake_at, 0);
    sem_post(&b->sem);
}

static struct timespec deadline_in(int64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

void store_bell_wait(struct store_bell *b, size_t at_least, int64_t ms, size_t (*depth_now)(void *arg), void *arg,
                     const atomic_bool *stop)
{
    const struct timespec until = deadline_in(ms);

    atomic_exchange(&b->wake_at, at_least);
    while (depth_now(arg) < at_least && !atomic_load(stop))
        if (!sem_clockwait(&b->sem, CLOCK_MONOTONIC, &until) || errno != EINTR)
            break;
    atomic_exchange(&b->wake_at, 0);
}
