/* What a talk counts, as it is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "call/talk_meters.h"
#include "fail_alloc.h"
#include "talk_bench.h"
#include "turn.h"

struct meters {
    struct metrics *all;
    struct talk_meters talk;
    struct buf text;
};

static bool has(struct meters *m, const char *line)
{
    buf_clear(&m->text);
    assert_int_equal(metrics_print(m->all, &m->text), 0);
    return strstr(buf_cstr(&m->text), line) != NULL;
}

static int next_of(struct provider **out, void *arg)
{
    static const struct talk_manner other = { .provider = "local" };
    struct talk_bench *b = arg;

    if (b->provider_count >= 2)
        return -ENOENT;
    *out = talk_bench_provider(b, 8000);
    conversation_set_manner(b->talk, &other);
    return 0;
}

static void t_a_talk_is_counted(void **state)
{
    static const struct talk_manner manner = { .provider = "openai", .barge_in_provider = true, .barge_in_dtmf = true };
    struct meters m = { .all = NULL };
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();
    struct provider *p;

    (void)state;
    buf_init(&m.text, 1 << 20);
    assert_int_equal(metrics_new(&m.all), 0);
    assert_int_equal(talk_meters_add(&m.talk, m.all), 0);
    o.manner = &manner;
    o.meters = &m.talk;
    o.next = next_of;
    o.next_arg = b;
    talk_bench_start(b, 8000, &o);
    p = &b->providers[0]->provider;
    assert_true(has(&m, "sidetone_talks{provider=\"openai\"} 1\n"));
    talk_bench_says(b, 0, 1, 3 * TALK_FRAME, false);
    for (int i = 0; i < 5; i++)
        talk_bench_tick(b, NULL);  /* two of them find it empty */
    turn_for(b->loop, 5);
    p->on->on_caller_text(TEXT("hello"), TEXT_NONE, 0, true, p->arg);
    b->leg->leg.on->on_digit('1', b->leg->leg.arg);
    talk_bench_fails(b, 0, PROVIDER_RATE);
    assert_true(has(&m, "sidetone_talks{provider=\"openai\"} 0\n"));
    assert_true(has(&m, "sidetone_talks{provider=\"local\"} 1\n"));
    assert_true(has(&m, "sidetone_provider_failures_total{provider=\"openai\",kind=\"rate\"} 1\n"));
    assert_true(has(&m, "sidetone_turns_total 1\n"));
    assert_true(has(&m, "sidetone_barge_ins_total{by=\"digit\"} 1\n"));
    conversation_stop(b->talk);
    assert_true(has(&m, "sidetone_talks{provider=\"local\"} 0\n"));
    assert_true(has(&m, "sidetone_media_underruns_total 2\n"));
    talk_bench_end(b, TALK_STOPPED, "stopped");
    metrics_free(m.all);
    buf_free(&m.text);
}

/* One second of voice, then 300 ms until the answer, by the audio clock. */
static void t_the_answer_is_timed(void **state)
{
    static const struct talk_manner manner = { .provider = "openai" };
    struct meters m = { .all = NULL };
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();
    int16_t in[TALK_FRAME];

    (void)state;
    buf_init(&m.text, 1 << 20);
    assert_int_equal(metrics_new(&m.all), 0);
    assert_int_equal(talk_meters_add(&m.talk, m.all), 0);
    o.manner = &manner;
    o.meters = &m.talk;
    b->now_us = 1000000;
    talk_bench_start(b, 8000, &o);
    for (int i = 0; i < 80; i++) {
        for (size_t k = 0; k < TALK_FRAME; k++)
            in[k] = (int16_t)(i >= 15 && i < 65 ? k / 4 % 2 ? 9000 : -9000 : 0);
        talk_bench_tick(b, NULL);
        talk_bench_caller(b, in, TALK_FRAME);
    }
    talk_bench_says(b, 0, 1, TALK_FRAME, true);
    talk_bench_tick(b, NULL);
    turn_for(b->loop, 5);
    assert_true(has(&m, "sidetone_turn_seconds_count{provider=\"openai\"} 1\n"));
    assert_true(has(&m, "sidetone_turn_seconds_sum{provider=\"openai\"} 0.3"));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
    metrics_free(m.all);
    buf_free(&m.text);
}

static void t_memory_short(void **state)
{
    struct talk_meters t;
    int err = -1;

    (void)state;
    for (long n = 1; err; n++) {
        struct metrics *all;

        assert_int_equal(metrics_new(&all), 0);
        fail_alloc_at(n);
        err = talk_meters_add(&t, all);
        assert_true(!err || err == -ENOMEM);
        fail_alloc_off();
        metrics_free(all);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_a_talk_is_counted),
        cmocka_unit_test(t_the_answer_is_timed),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
