/* Playout: order, marks, exact played time at a flush, ceilings, the fade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "audio/playout.h"
#include "fail_alloc.h"

static int16_t ones[80000];
static int16_t out[80000];

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
        ones[i] = 1000;
    return playout_new((struct playout **)state, 8000, 1000);
}

static int teardown(void **state)
{
    playout_free(*state);
    return 0;
}

static void add(struct playout *p, uint32_t item, size_t n)
{
    assert_int_equal(playout_begin(p, item), 0);
    assert_int_equal(playout_add(p, ones, n), n);
    playout_finish(p);
}

static void test_items_in_order_without_a_gap(void **state)
{
    struct playout *p = *state;
    uint32_t ended;

    add(p, 1, 200);
    add(p, 2, 300);
    assert_int_equal(playout_waiting_ms(p), 62);
    assert_int_equal(playout_take(p, out, 160, &ended), 160);
    assert_int_equal(ended, 0);
    assert_int_equal(playout_take(p, out, 160, &ended), 160); /* 40 of the first, 120 of the second */
    assert_int_equal(ended, 1);
    assert_int_equal(playout_take(p, out, 160, &ended), 160);
    assert_int_equal(ended, 0);
    assert_true(playout_is_talking(p));
    assert_int_equal(playout_take(p, out, 160, &ended), 20);
    assert_int_equal(ended, 2);
    assert_int_equal(out[19], 1000);
    assert_int_equal(out[20], 0);
    assert_int_equal(out[159], 0);
    assert_false(playout_is_talking(p));
    assert_int_equal(playout_underruns(p), 0);
}

static void test_one_end_a_call(void **state)
{
    struct playout *p = *state;
    uint32_t ended;

    for (uint32_t i = 1; i <= 3; i++)
        add(p, i, 10);
    assert_int_equal(playout_begin(p, 4), 0); /* an empty item ends too */
    playout_finish(p);
    assert_int_equal(playout_take(p, out, 160, &ended), 20);
    assert_int_equal(ended, 1);
    assert_int_equal(playout_take(p, out, 160, &ended), 10);
    assert_int_equal(ended, 2);
    assert_int_equal(playout_take(p, out, 160, &ended), 0);
    assert_int_equal(ended, 3);
    assert_int_equal(playout_take(p, out, 160, &ended), 0);
    assert_int_equal(ended, 4);
    assert_int_equal(playout_take(p, out, 160, &ended), 0);
    assert_int_equal(ended, 0);
}

static void test_flush_tells_exactly_what_was_heard(void **state)
{
    struct playout *p = *state;
    uint32_t ended, item = 9;
    unsigned played = 9;

    add(p, 1, 160);
    add(p, 2, 4000);
    add(p, 3, 800);
    for (int i = 0; i < 11; i++)
        playout_take(p, out, 160, &ended); /* 160 of item 1, 1600 = 200 ms of item 2 */
    assert_int_equal(playout_flush(p, &item, &played), (4000 - 1600 - 64 + 800) / 8);
    assert_int_equal(item, 2);
    assert_int_equal(played, 200);
    assert_false(playout_is_talking(p));
    assert_int_equal(playout_waiting_ms(p), 0);
    assert_int_equal(playout_take(p, out, 160, &ended), 64); /* the 8 ms fade */
    assert_int_equal(ended, 0);
    assert_int_equal(out[0], 1000);
    for (int i = 1; i < 64; i++)
        assert_true(out[i] <= out[i - 1] && out[i] > 0);
    assert_true(out[63] < 40);
    assert_int_equal(out[64], 0);
    assert_int_equal(playout_take(p, out, 160, &ended), 0);
}

static void test_flush_of_nothing_and_of_the_unheard(void **state)
{
    struct playout *p = *state;
    uint32_t ended, item = 9;
    unsigned played = 9;

    assert_int_equal(playout_flush(p, &item, &played), 0);
    assert_int_equal(item, 0);
    assert_int_equal(played, 0);
    add(p, 5, 800);
    assert_int_equal(playout_flush(p, &item, &played), 100);
    assert_int_equal(item, 5);
    assert_int_equal(played, 0);
    assert_int_equal(playout_take(p, out, 160, &ended), 0); /* nothing was heard: nothing to fade */
    assert_int_equal(playout_add(p, ones, 10), 0);          /* late audio of a dropped item has no home */
    add(p, 6, 80);
    assert_int_equal(playout_take(p, out, 160, &ended), 80);
    assert_int_equal(ended, 6);
}

static void test_speech_after_a_flush_follows_the_fade(void **state)
{
    struct playout *p = *state;
    uint32_t ended, item;
    unsigned played;

    add(p, 1, 1600);
    playout_take(p, out, 160, &ended);
    playout_flush(p, &item, &played);
    add(p, 2, 160);
    assert_int_equal(playout_take(p, out, 160, &ended), 160);
    assert_int_equal(out[64], 1000);
    assert_int_equal(ended, 0);
    assert_int_equal(playout_take(p, out, 160, &ended), 64);
    assert_int_equal(ended, 2);
}

static void test_ceilings(void **state)
{
    struct playout *p = *state;
    uint32_t ended;

    assert_int_equal(playout_begin(p, 1), 0);
    assert_int_equal(playout_room(p), 8000);
    assert_int_equal(playout_add(p, ones, 7000), 7000);
    assert_int_equal(playout_add(p, ones, 7000), 1000);
    assert_int_equal(playout_add(p, ones, 1), 0);
    assert_int_equal(playout_room(p), 0);
    playout_take(p, out, 3000, &ended);
    assert_int_equal(playout_add(p, ones, 7000), 3000); /* around the end of the ring */
    assert_int_equal(playout_take(p, out, 8000, &ended), 8000);
    for (int i = 0; i < 8000; i++)
        assert_int_equal(out[i], 1000);
    for (uint32_t i = 2; i <= PLAYOUT_ITEMS; i++)
        assert_int_equal(playout_begin(p, i), 0);
    assert_int_equal(playout_begin(p, 99), -ENOBUFS);
}

static void test_underruns_are_counted_once_it_plays(void **state)
{
    struct playout *p = *state;
    uint32_t ended;

    assert_int_equal(playout_begin(p, 1), 0);
    playout_take(p, out, 160, &ended);
    assert_int_equal(playout_underruns(p), 0); /* has not begun */
    playout_add(p, ones, 170);
    playout_take(p, out, 160, &ended);
    assert_int_equal(playout_underruns(p), 0);
    playout_take(p, out, 160, &ended);
    playout_take(p, out, 160, &ended);
    assert_int_equal(playout_underruns(p), 2);
    playout_finish(p);
    playout_take(p, out, 160, &ended);
    assert_int_equal(ended, 1);
    assert_int_equal(playout_underruns(p), 2);
}

/* Samples count up through the ring many times in odd pieces: none is lost, doubled or out of order. */
static void test_long_run_keeps_every_sample(void **state)
{
    struct playout *p = *state;
    int16_t in[777], next = 0, want = 0;
    uint32_t ended;

    assert_int_equal(playout_begin(p, 1), 0);
    for (int round = 0; round < 500; round++) {
        const int16_t first = next;
        for (size_t i = 0; i < 777; i++)
            in[i] = (int16_t)((first + (int)i) % 30000);
        next = (int16_t)((first + (int)playout_add(p, in, 777)) % 30000);
        const size_t got = playout_take(p, out, 601, &ended);
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(out[i], want);
            want = (int16_t)((want + 1) % 30000);
        }
    }
}

/* Grown in the middle of the ring, small again after silence: no sample is lost or moved. */
static void test_it_grows_and_is_small_again(void **state)
{
    struct playout *p = *state;
    int16_t in[5000];
    uint32_t ended;

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 5000; i++)
            in[i] = (int16_t)(i + 1);
        assert_int_equal(playout_begin(p, (uint32_t)round + 1), 0);
        assert_int_equal(playout_add(p, in, 3000), 3000);
        assert_int_equal(playout_take(p, out, 2500, &ended), 2500);
        assert_int_equal(playout_add(p, in + 3000, 2000), 2000);    /* around the end of the small ring */
        assert_int_equal(playout_add(p, in, 5000), 5000);
        playout_finish(p);
        assert_int_equal(playout_take(p, out + 2500, 8000, &ended), 7500);
        for (size_t i = 0; i < 10000; i++)
            assert_int_equal(out[i], i % 5000 + 1);
    }
}

static void test_without_memory_it_takes_what_fits(void **state)
{
    struct playout *p = *state;
    size_t took;

    assert_int_equal(playout_begin(p, 1), 0);
    fail_alloc_at(1);
    took = playout_add(p, ones, 7000);
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    assert_true(took > 0 && took < 7000);
    assert_int_equal(playout_add(p, ones, 7000 - took), 7000 - took);
    assert_int_equal(playout_waiting_ms(p), 875);
}

static void test_refusals_and_memory(void **state)
{
    struct playout *p = NULL;

    (void)state;
    assert_int_equal(playout_new(&p, 0, 1000), -EINVAL);
    assert_int_equal(playout_new(&p, 8000, 0), -EINVAL);
    for (long n = 1; n <= 3; n++) {
        fail_alloc_at(n);
        assert_int_equal(playout_new(&p, 8000, 1000), -ENOMEM);
        assert_true(fail_alloc_hit());
    }
    fail_alloc_off();
    assert_null(p);
    playout_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_items_in_order_without_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_end_a_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_tells_exactly_what_was_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_of_nothing_and_of_the_unheard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speech_after_a_flush_follows_the_fade, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ceilings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_underruns_are_counted_once_it_plays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_run_keeps_every_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_grows_and_is_small_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory_it_takes_what_fits, setup, teardown),
        cmocka_unit_test(test_refusals_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
