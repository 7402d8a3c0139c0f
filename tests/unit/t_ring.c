/* Bounded, in order for one writer, nothing lost or doubled between many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/ring.h"

static void test_full_and_order(void **state)
{
    struct ring *r;
    int item[5];

    (void)state;
    assert_int_equal(ring_new(&r, 4), 0);
    assert_int_equal(ring_capacity(r), 4);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            assert_true(ring_push(r, &item[i]));
        assert_false(ring_push(r, &item[4]));
        assert_int_equal(ring_depth(r), 4);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(ring_pop(r), &item[i]);
        assert_null(ring_pop(r));
    }
    ring_free(r);
}

enum { WRITERS = 3, READERS = 2, EACH = 20000 };

struct shared {
    struct ring *ring;
    unsigned char seen[WRITERS * EACH];
    int left; /* atomic */
};

struct writer {
    struct shared *shared;
    unsigned from;
};

static void *write_all(void *arg)
{
    struct writer *w = arg;

    for (unsigned i = 0; i < EACH; i++)
        while (!ring_push(w->shared->ring, &w->shared->seen[w->from + i]))
            sched_yield();
    return NULL;
}

static void *read_all(void *arg)
{
    struct shared *s = arg;

    while (__atomic_load_n(&s->left, __ATOMIC_RELAXED) > 0) {
        unsigned char *seen = ring_pop(s->ring);

        if (!seen) {
            sched_yield();
            continue;
        }
        __atomic_fetch_add(seen, 1, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&s->left, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_many_threads_lose_nothing(void **state)
{
    struct shared *s = calloc(1, sizeof *s);
    struct writer writer[WRITERS];
    pthread_t thread[WRITERS + READERS];

    (void)state;
    assert_int_equal(ring_new(&s->ring, 64), 0);
    s->left = WRITERS * EACH;
    for (unsigned i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){ .shared = s, .from = i * EACH };
        assert_int_equal(pthread_create(&thread[i], NULL, write_all, &writer[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[WRITERS + i], NULL, read_all, s), 0);
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < WRITERS * EACH; i++)
        assert_int_equal(s->seen[i], 1);
    assert_null(ring_pop(s->ring));
    ring_free(s->ring);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_order),
        cmocka_unit_test(test_many_threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
