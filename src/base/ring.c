/* A bounded queue between threads. Each cell carries a turn number: a writer may fill a cell whose number is its own
 * position, a reader may empty one whose number is position + 1 (D. Vyukov's bounded MPMC queue). */
#include "base/ring.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct cell {
    atomic_size_t turn;
    void *item;
};

struct ring {
    size_t mask;
    struct cell *cells;
    _Alignas(64) atomic_size_t head; /* next to write */
    _Alignas(64) atomic_size_t tail; /* next to read */
};

int ring_new(struct ring **out, size_t capacity)
{
    size_t size = 2;
    struct ring *r;

    while (size < capacity) {
        if (size > SIZE_MAX / 4 / sizeof *r->cells)
            return -ENOMEM;
        size *= 2;
    }
    if (posix_memalign((void **)&r, 64, sizeof *r))
        return -ENOMEM;
    r->cells = calloc(size, sizeof *r->cells);
    if (!r->cells) {
        free(r);
        return -ENOMEM;
    }
    r->mask = size - 1;
    for (size_t i = 0; i < size; i++)
        atomic_init(&r->cells[i].turn, i);
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
    *out = r;
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    free(r->cells);
    free(r);
}

bool ring_push(struct ring *r, void *item)
{
    size_t at = atomic_load_explicit(&r->head, memory_order_relaxed);

    INVARIANT(item != NULL);
    for (;;) {
        struct cell *c = &r->cells[at & r->mask];
        const size_t turn = atomic_load_explicit(&c->turn, memory_order_acquire);
        const intptr_t ahead = (intptr_t)turn - (intptr_t)at;

        if (ahead < 0)
            return false;
        if (ahead > 0) {
            at = atomic_load_explicit(&r->head, memory_order_relaxed);
            continue;
        }
        if (atomic_compare_exchange_weak_explicit(&r->head, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            c->item = item;
            atomic_store_explicit(&c->turn, at + 1, memory_order_release);
            return true;
        }
    }
}

void *ring_pop(struct ring *r)
{
    size_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);

    for (;;) {
        struct cell *c = &r->cells[at & r->mask];
        const size_t turn = atomic_load_explicit(&c->turn, memory_order_acquire);
        const intptr_t ahead = (intptr_t)turn - (intptr_t)(at + 1);

        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            at = atomic_load_explicit(&r->tail, memory_order_relaxed);
            continue;
        }
        if (atomic_compare_exchange_weak_explicit(&r->tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            void *item = c->item;

            atomic_store_explicit(&c->turn, at + r->mask + 1, memory_order_release);
            return item;
        }
    }
}

size_t ring_depth(const struct ring *r)
{
    const size_t tail = atomic_load_explicit(&((struct ring *)(uintptr_t)r)->tail, memory_order_relaxed);
    const size_t head = atomic_load_explicit(&((struct ring *)(uintptr_t)r)->head, memory_order_relaxed);

    return head > tail ? head - tail : 0;
}

size_t ring_capacity(const struct ring *r)
{
    return r->mask + 1;
}
