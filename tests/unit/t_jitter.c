/* jitter.c with scripted loss, disorder, repetition and wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "audio/jitter.h"

enum { N = 4 };

struct heard {
    int first[128];                /* first sample of each piece */
    size_t n;
};

static void on_pcm(const int16_t *pcm, size_t n, void *arg)
{
    struct heard *h = arg;

    assert_int_equal(n, N);
    assert_true(h->n < 128);
    h->first[h->n++] = pcm[0];
}

static void put(struct jitter *j, uint16_t seq, int value, struct heard *h)
{
    const int16_t pcm[N] = { (int16_t)value, (int16_t)value, (int16_t)value, (int16_t)value };

    jitter_put(j, seq, pcm, N, on_pcm, h);
}

static void heard_is(const struct heard *h, const int *want, size_t n)
{
    assert_int_equal(h->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(h->first[i], want[i]);
}

#define HEARD_IS(h_, ...) heard_is((h_), (const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static struct jitter *make(void)
{
    struct jitter *j = malloc(sizeof *j);

    assert_non_null(j);
    jitter_init(j);
    return j;
}

static void in_order_nothing_waits_over_the_wrap(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    for (int i = 0; i < 6; i++) {
        put(j, (uint16_t)(65533 + i), i, &h);
        assert_int_equal(h.n, i + 1);
    }
    HEARD_IS(&h, 0, 1, 2, 3, 4, 5);
    assert_int_equal(j->figures.lost + j->figures.late + j->figures.early + j->figures.duplicate + j->figures.restarts, 0);
    free(j);
}

static void disorder_is_put_right(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 65535, 1, &h);
    put(j, 1, 3, &h);
    HEARD_IS(&h, 1);
    put(j, 0, 2, &h);
    HEARD_IS(&h, 1, 2, 3);
    assert_int_equal(j->figures.early, 1);
    assert_int_equal(j->figures.lost, 0);
    free(j);
}

static void loss_is_filled_by_the_last_sound_fading(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 10, 400, &h);
    put(j, 13, 1, &h);             /* 11 and 12 are missing; one packet is waited for */
    HEARD_IS(&h, 400);
    put(j, 14, 2, &h);
    HEARD_IS(&h, 400, 300, 200, 1, 2);
    assert_int_equal(j->figures.lost, 2);
    assert_int_equal(j->figures.concealed, 2);
    put(j, 12, 9, &h);             /* now it comes: too late, and the next gap is waited for longer */
    assert_int_equal(h.n, 5);
    assert_int_equal(j->figures.late, 1);
    assert_int_equal(j->depth, 2);
    put(j, 16, 4, &h);
    put(j, 17, 5, &h);
    assert_int_equal(h.n, 5);
    put(j, 15, 3, &h);
    HEARD_IS(&h, 400, 300, 200, 1, 2, 3, 4, 5);
    free(j);
}

static void repetition_is_thrown_away(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 1, 1, &h);
    put(j, 1, 1, &h);
    put(j, 3, 3, &h);
    put(j, 3, 3, &h);
    put(j, 2, 2, &h);
    HEARD_IS(&h, 1, 2, 3);
    assert_int_equal(j->figures.duplicate, 2);
    free(j);
}

static void a_leap_begins_anew(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 1, 1, &h);
    put(j, 3, 3, &h);              /* held */
    put(j, 5000, 50, &h);
    HEARD_IS(&h, 1, 0, 3, 50);     /* 1 * 3 / 4 is 0 */
    put(j, 5001, 51, &h);
    put(j, 40000, 60, &h);
    assert_int_equal(h.first[h.n - 1], 60);
    assert_int_equal(j->figures.restarts, 2);
    free(j);
}

static void what_is_held_is_bounded_and_can_be_flushed(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 0, 100, &h);
    put(j, 40, 40, &h);            /* further than there are places */
    assert_true(j->held <= JITTER_SLOTS);
    jitter_flush(j, on_pcm, &h);
    assert_int_equal(h.first[h.n - 1], 40);
    assert_int_equal(h.n, 41);
    assert_int_equal(j->held, 0);
    jitter_flush(j, on_pcm, &h);
    assert_int_equal(h.n, 41);
    free(j);
}

static void calm_makes_it_shallow_again(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    j->depth = 3;
    for (unsigned i = 0; i < 1000; i++) {
        h.n = 0;
        put(j, (uint16_t)i, 1, &h);
    }
    assert_int_equal(j->depth, 1);
    free(j);
}

static void an_event_leaves_no_gap(void **state)
{
    struct jitter *j = make();
    struct heard h = { .n = 0 };

    (void)state;
    put(j, 1, 1, &h);
    jitter_skip(j, 2, on_pcm, &h);
    put(j, 3, 3, &h);
    HEARD_IS(&h, 1, 3);
    assert_int_equal(j->figures.lost, 0);
    free(j);
}

/* Whatever comes: never more pieces than numbers passed, and places stay counted. */
static void any_order_is_survived(void **state)
{
    struct jitter *j = make();
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        struct heard h = { .n = 0 };
        unsigned full = 0;

        seed = seed * 1664525u + 1013904223u;
        put(j, (uint16_t)(i / 2 + (seed >> 28) - ((seed >> 20) % 100 == 0 ? 3000 : 0)), 1, &h);
        for (size_t k = 0; k < JITTER_SLOTS; k++)
            full += j->slots[k].is_full;
        assert_int_equal(full, j->held);
        assert_true(j->held <= j->depth && j->depth <= JITTER_DEPTH_MAX);
    }
    assert_true(j->figures.late > 0 && j->figures.lost > 0 && j->figures.restarts > 0);
    free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_nothing_waits_over_the_wrap), cmocka_unit_test(disorder_is_put_right),
        cmocka_unit_test(loss_is_filled_by_the_last_sound_fading), cmocka_unit_test(repetition_is_thrown_away),
        cmocka_unit_test(a_leap_begins_anew), cmocka_unit_test(what_is_held_is_bounded_and_can_be_flushed),
        cmocka_unit_test(calm_makes_it_shallow_again), cmocka_unit_test(an_event_leaves_no_gap), cmocka_unit_test(any_order_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
