/* The estimate of a node's clock, against a clock that is known: steady, drifting, behind a bad network, stepping. */
#include "tap/node_clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START INT64_C(1795378410000000)

enum { PING_US = 15000000 };

/* A node whose clock is offset_us ahead at START and gains drift; ways there and back take some time. */
struct world {
    struct node_clock clock;
    int64_t now_us, offset_us;
    double drift;
    int64_t there_us, there_more_us, back_us, back_more_us;     /* least, and what chance may add */
    uint64_t chance;
};

static int64_t up_to(struct world *w, int64_t max)
{
    w->chance = w->chance * 6364136223846793005u + 1442695040888963407u;
    return max ? (int64_t)((w->chance >> 33) % (uint64_t)(max + 1)) : 0;
}

static int64_t truth(const struct world *w, int64_t t)
{
    return w->offset_us + (int64_t)(w->drift * (double)(t - START));
}

static void ping(struct world *w)
{
    const int64_t sent = w->now_us, there = w->there_us + up_to(w, w->there_more_us), back = w->back_us + up_to(w, w->back_more_us);

    node_clock_add(&w->clock, sent, sent + there + back, sent + there + truth(w, sent + there));
    w->now_us += PING_US;
}

static int64_t error_now(const struct world *w)
{
    return llabs(node_clock_offset(&w->clock, w->now_us) - truth(w, w->now_us));
}

static struct world world_of(int64_t offset_us, double ppm)
{
    return (struct world){ .now_us = START, .offset_us = offset_us, .drift = ppm * 1e-6, .chance = 42 };
}

static void nobody_asked(void **state)
{
    const struct node_clock c = { 0 };

    (void)state;
    assert_false(node_clock_is_known(&c));
    assert_int_equal(node_clock_offset(&c, START), 0);
}

/* Loopback: 100 us each way, now and then 2 ms more. */
static void loopback_is_known_within_a_millisecond(void **state)
{
    static const double drifts[] = { 0, 50, -50 };

    (void)state;
    for (size_t d = 0; d < 3; d++) {
        struct world w = world_of(500000, drifts[d]);

        w.there_us = w.back_us = 100;
        for (int i = 0; i < 400; i++) {
            w.there_more_us = w.chance % 7 == 0 ? 2000 : 50;
            w.back_more_us = w.chance % 5 == 0 ? 2000 : 50;
            ping(&w);
            assert_true(error_now(&w) < (i < 5 ? 3000 : 1000));
            if (i > 20) {
                assert_true(error_now(&w) < 200);
                assert_true(fabs(w.clock.drift * 1e6 - drifts[d]) < 3);
            }
        }
        assert_int_equal(w.clock.steps, 0);
        assert_true(w.clock.error_us >= 100 && w.clock.error_us <= 150);
    }
}

/* 40 ms of queues there, 5 ms back, and 3 ms of road: the mean of the samples would be 17 ms off. */
static void noisy_uneven_roads_stay_within_20_ms(void **state)
{
    static const double drifts[] = { 0, 50, -50 };

    (void)state;
    for (size_t d = 0; d < 3; d++) {
        struct world w = world_of(-500000, drifts[d]);
        int64_t worst = 0;

        w.there_us = w.back_us = 3000;
        w.there_more_us = 40000;
        w.back_more_us = 5000;
        for (int i = 0; i < 1000; i++) {
            ping(&w);
            if (i > 3 && error_now(&w) > worst)
                worst = error_now(&w);
        }
        assert_true(worst < 20000);
        assert_int_equal(w.clock.steps, 0);
    }
}

static void one_good_sample_outweighs_many_bad_ones(void **state)
{
    struct world w = world_of(1000000, 0);

    (void)state;
    w.there_us = 60000;
    for (int i = 0; i < 8; i++)
        ping(&w);
    assert_true(error_now(&w) > 25000);
    w.there_us = 200;
    ping(&w);
    w.there_us = 60000;
    ping(&w);
    assert_true(error_now(&w) < 2000);
    assert_int_equal(w.clock.error_us, 100);
}

static void step_starts_anew(void **state)
{
    static const int64_t steps[] = { 3600000000, -3600000000, 250000, -10000 };

    (void)state;
    for (size_t s = 0; s < 4; s++) {
        struct world w = world_of(500000, 20);

        w.there_us = w.back_us = 200;
        for (int i = 0; i < 30; i++)
            ping(&w);
        assert_int_equal(w.clock.steps, 0);
        w.offset_us += steps[s];
        ping(&w);
        assert_int_equal(w.clock.steps, 1);
        assert_int_equal(w.clock.count, 1);
        assert_true(error_now(&w) < 1000);
        for (int i = 0; i < 30; i++)
            ping(&w);
        assert_true(error_now(&w) < 100);
        assert_int_equal(w.clock.steps, 1);
    }
}

/* NTP pulls a clock at 500 ppm: 7.5 ms from Ping to Ping. */
static void pulled_clock_is_followed(void **state)
{
    struct world w = world_of(0, 0);

    (void)state;
    w.there_us = w.back_us = 200;
    for (int i = 0; i < 20; i++)
        ping(&w);
    for (int i = 0; i < 60; i++) {
        w.offset_us += 7500;
        assert_true(error_now(&w) < 10000);
        ping(&w);
        assert_true(error_now(&w) < 10000);
    }
}

static void our_own_clock_set_back_starts_anew(void **state)
{
    struct world w = world_of(0, 0);

    (void)state;
    w.there_us = w.back_us = 200;
    for (int i = 0; i < 10; i++)
        ping(&w);
    w.now_us -= 3600000000;
    w.offset_us += 3600000000;
    ping(&w);
    assert_int_equal(w.clock.count, 1);
    assert_true(error_now(&w) < 1000);
}

static void drift_is_not_carried_on_for_ever(void **state)
{
    struct world w = world_of(0, 50);
    int64_t at;

    (void)state;
    w.there_us = w.back_us = 100;
    for (int i = 0; i < 40; i++)
        ping(&w);
    at = w.clock.at_us;
    assert_int_equal(node_clock_offset(&w.clock, at + 36000000000), node_clock_offset(&w.clock, at + 600000000));
    assert_true(node_clock_offset(&w.clock, at + 600000000) > node_clock_offset(&w.clock, at) + 25000);
    assert_int_equal(node_clock_offset(&w.clock, at - 36000000000), node_clock_offset(&w.clock, at - 600000000));
}

static void nonsense_is_left_out(void **state)
{
    struct node_clock c = { 0 };

    (void)state;
    node_clock_add(&c, START, START - 1, START);
    node_clock_add(&c, -1, START, START);
    node_clock_add(&c, START, START + 1, -1);
    node_clock_add(&c, START, START + 1, INT64_MAX / 2);
    assert_false(node_clock_is_known(&c));
    assert_int_equal(c.seen, 0);
    node_clock_add(&c, START, START, 0);
    assert_int_equal(node_clock_offset(&c, START), -START);
    node_clock_add(&c, 0, INT64_MAX, START);
    assert_true(node_clock_is_known(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_asked), cmocka_unit_test(loopback_is_known_within_a_millisecond),
        cmocka_unit_test(noisy_uneven_roads_stay_within_20_ms), cmocka_unit_test(one_good_sample_outweighs_many_bad_ones),
        cmocka_unit_test(step_starts_anew), cmocka_unit_test(pulled_clock_is_followed),
        cmocka_unit_test(our_own_clock_set_back_starts_anew), cmocka_unit_test(drift_is_not_carried_on_for_ever),
        cmocka_unit_test(nonsense_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
