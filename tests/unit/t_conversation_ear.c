/* Our own ear in a talk: pausing, cutting, going on, and what the provider hears of it. The caller's sound is a tone, the agent's words one value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "talk_bench.h"
#include "turn.h"

enum { LOUD = 9000 };

static const struct talk_manner own = { .barge_in_voice = true }, both = { .barge_in_voice = true, .barge_in_provider = true };

static struct talk_bench *begin(const struct talk_manner *m)
{
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();

    o.manner = m;
    talk_bench_start(b, 8000, &o);
    return b;
}

/* 20 ms both ways; returns the first and the last sample that the caller hears. */
static int pass(struct talk_bench *b, bool is_loud, int16_t *last)
{
    int16_t in[TALK_FRAME], out[TALK_FRAME];

    for (size_t i = 0; i < TALK_FRAME; i++)
        in[i] = (int16_t)(is_loud ? i / 4 % 2 ? LOUD : -LOUD : (int)(i % 2) * 20 - 10);
    talk_bench_tick(b, out);
    talk_bench_caller(b, in, TALK_FRAME);
    if (last)
        *last = out[TALK_FRAME - 1];
    return out[0];
}

static void t_speech_cuts_it_off(void **state)
{
    struct talk_bench *b = begin(&own);
    const char *cut;
    int16_t last;

    (void)state;
    talk_bench_says(b, 0, 1, 16000, true);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pass(b, false, NULL), 1001);
    pass(b, true, NULL);           /* its first frame is heard here */
    pass(b, true, &last);          /* ... and the agent fades in the next */
    assert_int_equal(last, 0);
    assert_int_equal(b->providers[0]->interruptions, 0); /* nobody is told before it is sure */
    for (int i = 0; i < 8; i++)
        assert_int_equal(pass(b, true, NULL), 0);
    assert_int_equal(b->providers[0]->interruptions, 1);
    assert_int_equal(b->providers[0]->interrupted_item, 1);
    assert_in_range(b->providers[0]->played_ms, 220, 240);
    turn_for(b->loop, 5);
    assert_non_null(strstr(talk_bench_fact(b, "barge_in", 0)->detail, "\"by\":\"voice\",\"cut_us\":"));
    cut = strstr(talk_bench_fact(b, "barge_in", 0)->detail, "\"cut_us\":");
    assert_in_range(strtol(cut + 9, NULL, 10), 20000, 60000); /* from the sound's beginning to the agent's last sample, on the audio clock */
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_a_noise_lets_it_go_on(void **state)
{
    struct talk_bench *b = begin(&own);
    unsigned quiet = 0, spoken = 0;

    (void)state;
    talk_bench_says(b, 0, 1, 8000, true);  /* one second */
    for (int i = 0; i < 10; i++)
        pass(b, false, NULL);
    for (int i = 0; i < 3; i++)    /* 60 ms */
        pass(b, true, NULL);
    for (int i = 0; i < 60; i++) {
        const int heard = pass(b, false, NULL);

        quiet += heard == 0 && spoken < 35;
        spoken += heard != 0;
    }
    assert_in_range(quiet, 5, 15);         /* a pause, and then all of the rest */
    assert_in_range(spoken, 38, 42);
    turn_for(b->loop, 5);
    assert_int_equal(b->providers[0]->interruptions, 0);
    assert_int_equal(b->providers[0]->heard_item, 1);
    assert_non_null(talk_bench_fact(b, "barge_in.false", 0));
    assert_null(talk_bench_fact(b, "barge_in", 0));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_the_first_syllable_is_not_lost(void **state)
{
    struct talk_bench *b = begin(&own);
    struct talk_provider *p = b->providers[0];

    (void)state;
    talk_bench_says(b, 0, 1, 16000, true);
    for (int i = 0; i < 10; i++)
        pass(b, false, NULL);
    assert_int_equal(p->hear_samples, 10 * TALK_FRAME);
    assert_int_equal(p->hear_peak, 0);     /* while it talks, it hears silence: not its own echo */
    for (int i = 0; i < 9; i++)
        pass(b, true, NULL);
    assert_int_equal(p->hear_peak, 0);
    pass(b, true, NULL);                   /* 200 ms: sure */
    assert_int_equal(p->interruptions, 1);
    assert_int_equal(p->hear_peak, LOUD);
    assert_int_equal(p->loud_samples, 10 * TALK_FRAME); /* all of it, once */
    pass(b, true, NULL);
    assert_int_equal(p->loud_samples, 11 * TALK_FRAME);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

/* The caller begins just as the agent's last word ends. */
static void t_nor_behind_the_last_word(void **state)
{
    struct talk_bench *b = begin(&own);
    struct talk_provider *p = b->providers[0];

    (void)state;
    talk_bench_says(b, 0, 1, TALK_FRAME * 10, true);
    for (int i = 0; i < 12; i++)
        pass(b, false, NULL);
    for (int i = 0; i < 40; i++)
        pass(b, true, NULL);
    for (int i = 0; i < 5; i++)
        pass(b, false, NULL);
    assert_int_equal(p->loud_samples, 40 * TALK_FRAME);
    assert_int_equal(p->interruptions, 0);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_a_provider_that_hears_for_itself_hears_all(void **state)
{
    struct talk_bench *b = begin(&both);

    (void)state;
    talk_bench_says(b, 0, 1, 16000, true);
    for (int i = 0; i < 5; i++)
        pass(b, true, NULL);
    assert_int_equal(b->providers[0]->loud_samples, 5 * TALK_FRAME);
    b->providers[0]->provider.on->on_speech_started(b->now_us - 80000, b->providers[0]->provider.arg); /* sooner than our ear is sure */
    assert_int_equal(b->providers[0]->interruptions, 1);
    for (int i = 0; i < 20; i++)
        pass(b, true, NULL);
    assert_int_equal(b->providers[0]->interruptions, 1);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_off(void **state)
{
    static const struct talk_manner none;
    struct talk_bench *b = begin(&none);

    (void)state;
    talk_bench_says(b, 0, 1, 16000, true);
    for (int i = 0; i < 40; i++)
        assert_int_equal(pass(b, true, NULL), 1001);
    assert_int_equal(b->providers[0]->loud_samples, 40 * TALK_FRAME);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_speech_cuts_it_off),
        cmocka_unit_test(t_a_noise_lets_it_go_on),
        cmocka_unit_test(t_the_first_syllable_is_not_lost),
        cmocka_unit_test(t_nor_behind_the_last_word),
        cmocka_unit_test(t_a_provider_that_hears_for_itself_hears_all),
        cmocka_unit_test(t_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
