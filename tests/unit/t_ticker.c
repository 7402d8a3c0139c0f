/* Ticks stand on one grid, spread over the phases, are never doubled, and say what they skipped. Counts, no tight times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fail_alloc.h"
#include "net/ticker.h"
#include "net_help.h"

enum { TICKS = 10 };

struct band;

struct beat {
    struct band *band;
    struct tick *tick;
    int64_t last_us;
    size_t runs;
    uint64_t missed;
};

struct band {
    struct loop *loop;
    struct ticker *ticker;
    struct beat beat[TICKS];
    size_t runs, stop_at;
};

static void band_open(struct band *b, size_t stop_at)
{
    memset(b, 0, sizeof *b);
    b->loop = help_loop();
    b->stop_at = stop_at;
    assert_int_equal(ticker_new(&b->ticker, b->loop), 0);
}

static void band_shut(struct band *b)
{
    for (size_t i = 0; i < TICKS; i++)
        ticker_remove(b->beat[i].tick);
    ticker_free(b->ticker);
    loop_free(b->loop);
}

static void note(struct beat *k, int64_t at_us, unsigned missed)
{
    assert_int_equal(at_us % (TICK_US / TICK_PHASES), 0);
    assert_true(at_us <= clock_mono_us()); /* never early */
    if (k->last_us)
        assert_int_equal(at_us - k->last_us, (int64_t)TICK_US * (missed + 1));
    k->last_us = at_us;
    k->missed += missed;
    k->runs++;
    if (++k->band->runs == k->band->stop_at)
        loop_stop(k->band->loop);
}

static void on_beat(int64_t at_us, unsigned missed, void *arg)
{
    note(arg, at_us, missed);
}

static void beat_add(struct band *b, size_t i, tick_on_time *on_time)
{
    b->beat[i].band = b;
    assert_int_equal(ticker_add(&b->beat[i].tick, b->ticker, on_time, &b->beat[i]), 0);
}

static void test_grid_and_phases(void **state)
{
    struct ticker_figures f;
    size_t phase[TICK_PHASES] = { 0 };
    uint64_t runs = 0, missed = 0;
    struct band b;

    (void)state;
    band_open(&b, 80);
    for (size_t i = 0; i < 8; i++)
        beat_add(&b, i, on_beat);
    help_run(b.loop);
    for (size_t i = 0; i < 8; i++) {
        assert_true(b.beat[i].runs >= 1);
        phase[b.beat[i].last_us / (TICK_US / TICK_PHASES) % TICK_PHASES]++;
        runs += b.beat[i].runs;
        missed += b.beat[i].missed;
    }
    for (size_t i = 0; i < TICK_PHASES; i++)
        assert_int_equal(phase[i], 2);
    ticker_figures(b.ticker, &f);
    assert_int_equal(f.ticks, runs);
    assert_int_equal(f.missed, missed);
    assert_true(f.late_max_us >= 0);
    band_shut(&b);
}

static void test_the_emptiest_phase_is_refilled(void **state)
{
    size_t phase[TICK_PHASES] = { 0 };
    struct band b;

    (void)state;
    band_open(&b, 40);
    for (size_t i = 0; i < 8; i++)
        beat_add(&b, i, on_beat);
    for (size_t i = 0; i < 8; i += 4) { /* the two of one phase go */
        ticker_remove(b.beat[i].tick);
        beat_add(&b, i, on_beat);
    }
    help_run(b.loop);
    for (size_t i = 0; i < 8; i++)
        phase[b.beat[i].last_us / (TICK_US / TICK_PHASES) % TICK_PHASES]++;
    for (size_t i = 0; i < TICK_PHASES; i++)
        assert_int_equal(phase[i], 2);
    band_shut(&b);
}

/* Two ticks of one phase: the first sleeps through many grid points. */
static void on_sleepy(int64_t at_us, unsigned missed, void *arg)
{
    struct beat *k = arg;

    note(k, at_us, missed);
    if (k->runs == 1) {
        const int64_t until_us = clock_mono_us() + 15 * TICK_US;

        while (clock_mono_us() < until_us)
            usleep(1000);
    }
}

static void test_a_long_sleep_is_not_replayed(void **state)
{
    struct ticker_figures f;
    struct band b;

    (void)state;
    band_open(&b, 8);
    beat_add(&b, 0, on_sleepy);
    for (size_t i = 1; i < 5; i++)
        beat_add(&b, i, on_beat);
    b.stop_at = 30;
    help_run(b.loop);
    ticker_figures(b.ticker, &f);
    assert_true(b.beat[0].missed >= 8); /* 15 points asleep, a few made up for */
    assert_true(f.missed >= b.beat[0].missed);
    assert_true(f.late_max_us > 0);
    band_shut(&b);
}

static void on_remove_own(int64_t at_us, unsigned missed, void *arg)
{
    struct beat *k = arg;

    note(k, at_us, missed);
    ticker_remove(k->tick);
    k->tick = NULL;
}

static void test_remove_own_and_loop_ends(void **state)
{
    struct band b;

    (void)state;
    band_open(&b, 0);
    for (size_t i = 0; i < TICKS; i++)
        beat_add(&b, i, on_remove_own);
    loop_run(b.loop); /* no tick left: nothing could happen any more */
    assert_int_equal(b.runs, TICKS);
    loop_run(b.loop);
    assert_int_equal(b.runs, TICKS);
    band_shut(&b);
}

static void on_remove_all(int64_t at_us, unsigned missed, void *arg)
{
    struct beat *k = arg;

    note(k, at_us, missed);
    for (size_t i = 0; i < TICKS; i++) {
        ticker_remove(k->band->beat[i].tick);
        k->band->beat[i].tick = NULL;
    }
}

static void test_remove_all_from_one(void **state)
{
    struct band b;

    (void)state;
    band_open(&b, 0);
    for (size_t i = 0; i < TICKS; i++)
        beat_add(&b, i, on_remove_all);
    loop_run(b.loop);
    assert_int_equal(b.runs, 1);
    band_shut(&b);
}

static void on_add_more(int64_t at_us, unsigned missed, void *arg)
{
    struct beat *k = arg;

    note(k, at_us, missed);
    for (size_t i = 1; i < TICKS; i++)
        if (!k->band->beat[i].tick)
            beat_add(k->band, i, on_beat);
}

static void test_add_inside_a_tick(void **state)
{
    struct band b;

    (void)state;
    band_open(&b, 60);
    beat_add(&b, 0, on_add_more);
    help_run(b.loop);
    for (size_t i = 0; i < TICKS; i++)
        assert_true(b.beat[i].runs >= 1);
    band_shut(&b);
}

static void on_free_all(int64_t at_us, unsigned missed, void *arg)
{
    struct beat *k = arg;

    note(k, at_us, missed);
    ticker_free(k->band->ticker);
    k->band->ticker = NULL;
}

static void test_free_inside_a_tick(void **state)
{
    struct band b;

    (void)state;
    band_open(&b, 0);
    for (size_t i = 0; i < TICKS; i++)
        beat_add(&b, i, on_free_all);
    loop_run(b.loop);
    assert_int_equal(b.runs, 1);
    band_shut(&b); /* ticks outlive their ticker and are removed now */
}

static void test_restart_after_a_pause(void **state)
{
    struct band b;

    (void)state;
    band_open(&b, 3);
    beat_add(&b, 0, on_beat);
    help_run(b.loop);
    ticker_remove(b.beat[0].tick);
    usleep(5 * TICK_US);
    b.beat[0] = (struct beat){ 0 };
    b.runs = 0;
    beat_add(&b, 0, on_remove_own);
    loop_run(b.loop);
    assert_int_equal(b.runs, 1);
    assert_int_equal(b.beat[0].missed, 0); /* a pause without ticks missed nothing */
    band_shut(&b);
}

static void test_out_of_memory(void **state)
{
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        struct loop *l = help_loop();
        struct ticker *t = NULL;
        struct tick *k = NULL;

        fail_alloc_at(n);
        if (ticker_new(&t, l) == 0 && ticker_add(&k, t, on_beat, NULL) == 0)
            assert_non_null(k);
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        ticker_remove(k);
        ticker_free(t);
        loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_and_phases),
        cmocka_unit_test(test_the_emptiest_phase_is_refilled),
        cmocka_unit_test(test_a_long_sleep_is_not_replayed),
        cmocka_unit_test(test_remove_own_and_loop_ends),
        cmocka_unit_test(test_remove_all_from_one),
        cmocka_unit_test(test_add_inside_a_tick),
        cmocka_unit_test(test_free_inside_a_tick),
        cmocka_unit_test(test_restart_after_a_pause),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
