/* patience.c on a clock that is turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "call/patience.h"

static const struct patience_limits limits = { .sorry_ms = 2000, .filler_ms = 1500, .no_input_ms = 5000, .no_input_times = 2 };
static const struct patience_view silence = { 0 }, agent = { .agent_talks = true }, caller = { .caller_talks = true },
                                  tool = { .has_tool = true }, dry = { .is_dry = true };

/* Steps every 100 ms until something is wished; returns it, and the time in *now_ms. */
static enum patience_wish wait_for(struct patience *p, const struct patience_view *v, int64_t *now_ms, int64_t until_ms)
{
    for (; *now_ms <= until_ms; *now_ms += 100) {
        const enum patience_wish w = patience_step(p, v, *now_ms);

        if (w)
            return w;
    }
    return PATIENCE_NOTHING;
}

static void t_an_answer_is_late(void **state)
{
    struct patience p;
    int64_t now = 1000;

    (void)state;
    patience_init(&p, &limits);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(now, 3000);
    /* The phrase is heard, and once more when it takes much longer; not for ever. */
    assert_int_equal(wait_for(&p, &agent, &now, 4000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(now, 11000);
    assert_int_equal(wait_for(&p, &agent, &now, 11900), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &silence, &now, 15000), PATIENCE_NOTHING);
    /* The answer; then the next one is late again. */
    patience_settle(&p);
    assert_int_equal(wait_for(&p, &agent, &now, 18000), PATIENCE_NOTHING);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_in_range(now, 20000, 20200);
}

static void t_an_answer_in_time(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &silence, &now, 1900), PATIENCE_NOTHING);
    patience_settle(&p);
    assert_int_equal(wait_for(&p, &agent, &now, 9000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &silence, &now, 13900), PATIENCE_NOTHING);
}

static void t_the_caller_goes_on(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &caller, &now, 9000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_in_range(now, 11000, 11200);
}

static void t_it_stops_in_mid_word(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    assert_int_equal(wait_for(&p, &dry, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(now, 2000);
    assert_int_equal(wait_for(&p, &agent, &now, 3000), PATIENCE_NOTHING); /* the phrase */
    assert_int_equal(wait_for(&p, &dry, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(now, 10000);
    assert_int_equal(wait_for(&p, &agent, &now, 11000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &dry, &now, 60000), PATIENCE_NOTHING);
}

/* Some turns get no answer: the caller is not kept waiting for one, but asked in the end. */
/* A voice that comes just as it is said: whenever one looks, nothing waits, and yet nothing is late. */
static void t_a_voice_in_real_time(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    for (; now < 20000; now += 100) {
        patience_settle(&p);       /* sound came */
        assert_int_equal(patience_step(&p, &dry, now), PATIENCE_NOTHING);
    }
    assert_int_equal(wait_for(&p, &dry, &now, 60000), PATIENCE_SORRY);
    assert_in_range(now, 21900, 22100);
}

static void t_an_answer_that_never_comes(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_SORRY);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
    assert_in_range(now, 20000, 20300);
}

static void t_a_tool_is_slow(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &tool, &now, 60000), PATIENCE_FILLER);
    assert_int_equal(now, 1500);
    assert_int_equal(wait_for(&p, &tool, &now, 60000), PATIENCE_NOTHING); /* once a tool; no sorry, no question meanwhile */
    assert_int_equal(wait_for(&p, &silence, &now, 61000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &tool, &now, 70000), PATIENCE_FILLER);
}

static void t_the_caller_is_absent(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
    assert_int_equal(now, 5000);
    now += 100;
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
    assert_in_range(now, 10000, 10200);
    now += 100;
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_END);
}

static void t_the_caller_is_there_after_all(void **state)
{
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &limits);
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
    assert_int_equal(wait_for(&p, &caller, &now, 7000), PATIENCE_NOTHING);
    for (int i = 0; i < 2; i++) {  /* counted from the beginning */
        assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
        now += 100;
    }
    patience_input(&p);            /* a digit */
    assert_int_equal(wait_for(&p, &silence, &now, 60000), PATIENCE_NO_INPUT);
}

static void t_all_off(void **state)
{
    const struct patience_limits none = { 0 };
    struct patience p;
    int64_t now = 0;

    (void)state;
    patience_init(&p, &none);
    patience_owe(&p, now);
    assert_int_equal(wait_for(&p, &silence, &now, 100000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &tool, &now, 200000), PATIENCE_NOTHING);
    assert_int_equal(wait_for(&p, &dry, &now, 300000), PATIENCE_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_an_answer_is_late),
        cmocka_unit_test(t_an_answer_in_time),
        cmocka_unit_test(t_the_caller_goes_on),
        cmocka_unit_test(t_it_stops_in_mid_word),
        cmocka_unit_test(t_a_voice_in_real_time),
        cmocka_unit_test(t_an_answer_that_never_comes),
        cmocka_unit_test(t_a_tool_is_slow),
        cmocka_unit_test(t_the_caller_is_absent),
        cmocka_unit_test(t_the_caller_is_there_after_all),
        cmocka_unit_test(t_all_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
