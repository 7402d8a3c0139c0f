/* What the caller hears when nobody else speaks. The phrases are of one value each, so that a frame tells which one it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "talk_bench.h"
#include "turn.h"

enum { PHRASE_N = 2 * TALK_FRAME, SORRY = 2001, GIVE_UP = 2002, FILLER = 2003, NO_INPUT = 2004 };

static int16_t sorry[PHRASE_N], give_up[PHRASE_N], filler[PHRASE_N], no_input[PHRASE_N];

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < PHRASE_N; i++) {
        sorry[i] = SORRY;
        give_up[i] = GIVE_UP;
        filler[i] = FILLER;
        no_input[i] = NO_INPUT;
    }
    return 0;
}

static const struct talk_manner all = {
    .barge_in_provider = true, .barge_in_dtmf = true,
    .sorry = { sorry, PHRASE_N, "sorry" }, .sorry_ms = 200,
    .give_up = { give_up, PHRASE_N, "give up" },
    .filler = { filler, PHRASE_N, "filler" }, .filler_ms = 200,
};

static int next_of(struct provider **out, void *arg)
{
    struct talk_bench *b = arg;

    if (b->provider_count >= 2)
        return -ENOENT;
    *out = talk_bench_provider(b, 8000);
    return 0;
}

static struct talk_bench *begin(const struct talk_manner *m)
{
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();

    o.manner = m;
    o.next = next_of;
    o.next_arg = b;
    talk_bench_start(b, 8000, &o);
    return b;
}

/* What the last sample of the next frame is. */
static int hear(struct talk_bench *b)
{
    int16_t out[TALK_FRAME];

    talk_bench_tick(b, out);
    return out[TALK_FRAME - 1];
}

struct phrase_wait {
    struct talk_bench *b;
    const char *why;
};

static bool is_said(void *arg)
{
    const struct phrase_wait *w = arg;
    const struct fact *f = talk_bench_fact(w->b, "agent.phrase", 0);

    return f && strstr(f->detail, w->why);
}

static void wait_said(struct talk_bench *b, const char *why)
{
    struct phrase_wait w = { b, why };

    assert_true(turn_until(b->loop, is_said, &w, 3000));
}

static void t_sorry_while_the_next_one_is_fetched(void **state)
{
    struct talk_bench *b = begin(&all);

    (void)state;
    talk_bench_says(b, 0, 1, 8000, false);
    assert_int_equal(hear(b), 1001);
    talk_bench_fails(b, 0, PROVIDER_NET);
    assert_int_equal(hear(b), SORRY);      /* at once */
    talk_bench_says(b, 1, 1, TALK_FRAME, true); /* its answer waits for the phrase's end */
    assert_int_equal(hear(b), SORRY);
    assert_int_equal(hear(b), 1001);
    assert_int_equal(hear(b), 0);
    assert_string_equal(talk_bench_fact(b, "agent.phrase", 0)->detail, "{\"why\":\"failed\",\"text\":\"sorry\"}");
    assert_null(talk_bench_fact(b, "agent.phrase", 1));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_give_up_when_nobody_is_left(void **state)
{
    struct talk_bench *b = begin(&all);
    const int16_t said[TALK_FRAME] = { 1 };

    (void)state;
    talk_bench_fails(b, 0, PROVIDER_NET);
    talk_bench_says(b, 1, 1, 8000, false);  /* never finished */
    assert_int_equal(hear(b), SORRY);
    talk_bench_fails(b, 1, PROVIDER_AUTH);
    assert_int_equal(hear(b), GIVE_UP);    /* in place of the sorry, behind its fade */
    talk_bench_gone(b, 1);
    talk_bench_caller(b, said, TALK_FRAME);
    assert_int_equal(b->providers[1]->hears, 0); /* it has failed: nothing is asked of it */
    hear(b);
    hear(b);
    hear(b);
    talk_bench_end(b, TALK_ERROR, "provider_auth");
}

static void t_give_up_is_heard_to_its_end(void **state)
{
    struct talk_manner m = all;
    struct talk_bench *b;

    (void)state;
    m.sorry.pcm = NULL;
    b = begin(&m);
    talk_bench_fails(b, 0, PROVIDER_NET);
    talk_bench_says(b, 1, 1, 8000, false);
    assert_int_equal(hear(b), 1001);
    talk_bench_fails(b, 1, PROVIDER_RATE);
    assert_int_equal(hear(b), GIVE_UP);
    turn_for(b->loop, 5);
    assert_int_equal(b->ended, 0);
    hear(b);
    hear(b);
    talk_bench_end(b, TALK_ERROR, "provider_rate");
}

/* Whatever it was: with a next agent the caller hears the sorry and goes on, without one the give_up, and the reason says which. */
static void t_every_kind_of_failure(void **state)
{
    (void)state;
    for (enum provider_error e = PROVIDER_AUTH; e <= PROVIDER_EXPIRED; e++) {
        struct talk_bench *b = begin(&all);
        char reason[40];

        talk_bench_says(b, 0, 1, 80000, false);  /* ten seconds that nobody will hear */
        hear(b);
        talk_bench_fails(b, 0, e);
        assert_int_equal(hear(b), SORRY);
        hear(b);
        assert_int_equal(hear(b), 0);
        talk_bench_says(b, 1, 1, TALK_FRAME, true);
        assert_int_equal(hear(b), 1001);
        talk_bench_fails(b, 1, e);               /* next_of knows two */
        assert_int_equal(hear(b), GIVE_UP);
        hear(b);
        hear(b);
        snprintf(reason, sizeof reason, "provider_%s", provider_error_name(e));
        talk_bench_end(b, TALK_ERROR, reason);
    }
}

static void t_sorry_when_an_answer_is_late(void **state)
{
    struct talk_bench *b = begin(&all);

    (void)state;
    wait_said(b, "late");
    assert_int_equal(hear(b), SORRY);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_no_sorry_for_a_noise(void **state)
{
    struct talk_bench *b = begin(&all);
    struct provider *p = &b->providers[0]->provider;

    (void)state;
    p->on->on_speech_started(1, p->arg);
    p->on->on_speech_stopped(2, p->arg);
    p->on->on_caller_text(TEXT_NONE, TEXT_NONE, 0, false, p->arg); /* no answer comes to it */
    turn_for(b->loop, 600);
    assert_null(talk_bench_fact(b, "agent.phrase", 0));
    assert_null(talk_bench_fact(b, "caller.said", 0));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_filler_when_a_tool_is_slow(void **state)
{
    struct talk_bench *b = begin(&all);
    struct provider *p = &b->providers[0]->provider;

    (void)state;
    p->on->on_tool_call(1, TEXT("slow"), TEXT("{}"), p->arg);
    wait_said(b, "tool");
    assert_int_equal(hear(b), FILLER);
    b->tool_answer(0, TEXT("{}"), b->tool_arg);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_the_caller_is_asked_and_let_go(void **state)
{
    struct talk_manner m = { .no_input = { no_input, PHRASE_N, "are you there" }, .no_input_ms = 150, .no_input_times = 1 };
    struct talk_bench *b = begin(&m);

    (void)state;
    talk_bench_says(b, 0, 1, TALK_FRAME, true); /* nothing is owed any more */
    hear(b);
    wait_said(b, "no_input");
    assert_int_equal(hear(b), NO_INPUT);
    hear(b);
    for (int i = 0; i < 80; i++) { /* 800 ms: the wish is there */
        turn_for(b->loop, 10);
        assert_int_equal(b->ended, 0);
    }
    hear(b);                       /* and so is the silence that it waits for */
    talk_bench_end(b, TALK_HAND_BACK, "no_input");
}

static void t_a_phrase_can_be_cut(void **state)
{
    struct talk_bench *b = begin(&all);

    (void)state;
    talk_bench_fails(b, 0, PROVIDER_NET);
    assert_int_equal(hear(b), SORRY);
    b->leg->leg.on->on_digit('1', b->leg->leg.arg);
    assert_int_equal(hear(b), 0);
    assert_int_equal(b->providers[1]->interruptions, 0); /* it was no word of its */
    assert_int_equal(b->providers[1]->digits, 1);
    turn_for(b->loop, 5);
    assert_non_null(strstr(talk_bench_fact(b, "barge_in", 0)->detail, "\"item\":0"));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_sorry_while_the_next_one_is_fetched),
        cmocka_unit_test(t_give_up_when_nobody_is_left),
        cmocka_unit_test(t_give_up_is_heard_to_its_end),
        cmocka_unit_test(t_every_kind_of_failure),
        cmocka_unit_test(t_sorry_when_an_answer_is_late),
        cmocka_unit_test(t_no_sorry_for_a_noise),
        cmocka_unit_test(t_filler_when_a_tool_is_slow),
        cmocka_unit_test(t_the_caller_is_asked_and_let_go),
        cmocka_unit_test(t_a_phrase_can_be_cut),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
