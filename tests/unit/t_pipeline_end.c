/* The pipeline: its model's calls, parts that fail, and the end, whenever it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "net_help.h"
#include "pipeline_bench.h"
#include "turn.h"

/* ---- tools ---- */

#define TWO_CALLS BENCH_CALLS(BENCH_CALL("0", "a", "hours", "{}") "," BENCH_CALL("1", "b", "price", "{\\\"of\\\":1}"))
#define CALLED(id, name, args, result) \
    "\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}}]},{\"role\":\"tool\",\"content\":\"" result "\",\"tool_call_id\":\"" id "\"}"

static void test_two_calls_of_one_answer(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("One moment. I look that up.") TWO_CALLS BENCH_DONE, BENCH_ANSWER("At nine.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_clear(&b);
    bench_turn(&b, "when");
    bench_until(&b, "call(price");
    provider_tool_result(b.agent, b.calls[1], 0, TEXT("{\"p\":2}"));
    assert_int_equal(b.asked, 1);  /* all of them are answered first */
    provider_tool_result(b.agent, b.calls[0], -EACCES, TEXT("not \"you\""));
    provider_tool_result(b.agent, b.calls[0], 0, TEXT("again"));
    bench_until(&b, "end(4)");
    assert_non_null(strstr(bench_log(&b), "call(hours,{}) call(price,{\"of\":1}) "));
    bench_expect_messages(&b, 1, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("when") ",{\"role\":\"assistant\",\"content\":\"One moment. I look that up.\","
                           CALLED("b", "price", "{\\\"of\\\":1}", "{\\\"p\\\":2}") ",{\"role\":\"assistant\",\"content\":\"\","
                           CALLED("a", "hours", "{}", "{\\\"error\\\":\\\"not \\\\\\\"you\\\\\\\"\\\"}") "]");
    bench_close(&b);
}

static void test_calls_that_are_answered_from_inside(void **state)
{
    struct bench b = { .answers = { BENCH_SSE TWO_CALLS BENCH_DONE, BENCH_ANSWER("At nine.") }, .hears = true, .answers_inside = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "text(1,At nine.)");
    assert_int_equal(b.asked, 2);
    bench_close(&b);
}

static void test_the_caller_speaks_while_a_tool_runs(void **state)
{
    struct bench b = { .answers = { BENCH_SSE TWO_CALLS BENCH_DONE, BENCH_ANSWER("At nine.") }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "call(price");
    bench_turn(&b, "hurry");
    provider_tool_result(b.agent, b.calls[0], 0, TEXT("1"));
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    provider_tool_result(b.agent, b.calls[1], 0, TEXT("2"));
    turn_for(b.loop, 20);
    assert_int_equal(b.asked, 1);  /* he speaks */
    b.ear->base.on->on_turn(TEXT("please"), TEXT_NONE, 1, b.ear->base.arg);
    bench_until(&b, "text(1,At nine.)");
    assert_non_null(strstr(bench_messages(&b, 1), "\"tool_call_id\":\"b\"}," BENCH_USER("please") "]"));
    assert_int_equal(b.asked, 2);
    bench_close(&b);
}

static void test_tools_without_end(void **state)
{
    struct bench b = { .hears = true, .answers_inside = true };

    (void)state;
    for (size_t i = 0; i < BENCH_REQUESTS; i++)
        b.answers[i] = BENCH_SSE BENCH_CALLS(BENCH_CALL("0", "a", "hours", "{}")) BENCH_DONE;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "error(server)");
    assert_int_equal(b.call_count, 8);
    assert_int_equal(b.asked, 10); /* the ninth were refused with a sentence */
    assert_non_null(strstr(b.requests[9], "too many calls in one turn"));
    bench_close(&b);
}

static void test_a_tool_that_nobody_answers(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_CALLS(BENCH_CALL("0", "a", "hours", "{}")) BENCH_DONE, BENCH_ANSWER("Sorry.") },
                       .opt = { .tools_ms = 30 }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "text(1,Sorry.)");
    assert_non_null(strstr(b.requests[1], "the tool did not answer"));
    bench_close(&b);
}

static void test_last_words_are_spoken_before_the_wish(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("Thank you for the call. Good bye to you.") TWO_CALLS BENCH_DONE }, .hears = true, .parts = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "wish");
    assert_true(b.was_farewell);
    assert_int_equal(b.call_count, 1);     /* nothing behind it is carried out */
    assert_non_null(strstr(bench_log(&b), "end(2) wish "));
    bench_turn(&b, "wait");        /* too late */
    turn_for(b.loop, 20);
    assert_int_equal(b.asked, 1);
    assert_int_equal(b.wishes, 1);
    bench_close(&b);
}

static void test_last_words_that_are_cut_off(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("Thank you for the call. Good bye to you.") TWO_CALLS BENCH_DONE }, .parts = true, .by_hand = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "call(");
    assert_true(b.was_farewell);
    provider_interrupted(b.agent, 1, 0);
    assert_int_equal(b.wishes, 0); /* not from inside of a call */
    bench_until(&b, "wish");
    bench_close(&b);
}

static void test_no_last_words(void **state)
{
    struct bench b = { .answers = { BENCH_SSE TWO_CALLS BENCH_DONE }, .parts = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "call(");
    turn_for(b.loop, 20);
    assert_false(b.was_farewell);
    assert_true(b.wishes == 0 && b.call_count == 1 && b.asked == 1);
    bench_close(&b);
}

/* ---- faults ---- */

static void test_a_model_that_refuses(void **state)
{
    static const struct {
        const char *answer;
        enum provider_error kind;
    } all[] = {
        { BENCH_REFUSES("401", "{\"error\":{\"message\":\"who?\"}}"), PROVIDER_AUTH },
        { BENCH_REFUSES("429", "insufficient_quota"), PROVIDER_QUOTA },
        { BENCH_REFUSES("404", "{\"error\":{\"message\":\"no such model\"}}"), PROVIDER_CONFIG },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct bench b = { .answers = { all[i].answer }, .hears = true };

        bench_open(&b, NULL);
        bench_start(&b);
        bench_until(&b, "error(");
        assert_true(b.errors == 1 && b.kind == all[i].kind);
        bench_turn(&b, "hello?");  /* nothing comes of it */
        assert_null(strstr(bench_log(&b), "caller("));
        bench_close(&b);
    }
}

static void test_an_empty_answer_is_asked_for_again(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_DONE, BENCH_ANSWER("Yes."), BENCH_SSE BENCH_DONE, BENCH_SSE BENCH_DONE }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "hm");
    bench_until(&b, "error(server)");
    assert_int_equal(b.asked, 4);
    bench_close(&b);
}

static void test_nothing_to_add_after_a_tool_is_no_fault(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("I note that.") BENCH_CALLS(BENCH_CALL("0", "a", "note", "{}")) BENCH_DONE, BENCH_SSE BENCH_DONE,
                                    BENCH_ANSWER("Yes.") }, .hears = true, .answers_inside = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until_asked(&b, 2);
    turn_for(b.loop, 50);
    assert_int_equal(b.asked, 2);
    bench_turn(&b, "are you there");
    bench_until(&b, "text(2,Yes.)");
    assert_int_equal(b.errors, 0);
    bench_close(&b);
}

static void test_an_answer_that_breaks_off_is_spoken_so_far(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("At nine. And then") }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "text(2,And then)");
    assert_int_equal(b.errors, 0);
    bench_close(&b);
}

static void test_an_ear_that_fails_once(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Pardon?"), BENCH_ANSWER("Yes.") }, .hears = true };
    const int16_t frame[160] = { 0 };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    b.ear->base.on->on_fault(PROVIDER_NET, TEXT("gone"), b.ear->base.arg);
    provider_hear(b.agent, frame, 160, 0);
    bench_until(&b, "text(2,Pardon?)");    /* what he was saying is lost */
    assert_int_equal(b.ears, 2);
    assert_true(b.ear->is_started);
    b.ear->base.on->on_ready(b.ear->base.arg);
    bench_turn(&b, "hello");
    bench_until(&b, "text(3,Yes.)");
    b.ear->base.on->on_fault(PROVIDER_NET, TEXT("gone again"), b.ear->base.arg);
    assert_int_equal(b.errors, 0); /* from the pump */
    bench_until(&b, "error(net)");
    assert_string_equal(b.detail, "gone again");
    bench_close(&b);
}

static void test_an_ear_that_is_refused(void **state)
{
    struct bench b = { .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    b.ear->base.on->on_fault(PROVIDER_AUTH, TEXT("who?"), b.ear->base.arg);
    bench_until(&b, "error(auth)");
    assert_int_equal(b.ears, 1);
    bench_close(&b);
}

static void test_an_ear_that_is_never_ready(void **state)
{
    struct bench b = { .opt = { .setup_ms = 20 } };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    b.is_deaf = true;
    bench_start(&b);
    bench_until(&b, "error(net)");
    assert_int_equal(b.ears, 2);   /* once more, then the end */
    bench_close(&b);
}

static void test_an_ear_that_cannot_be_made(void **state)
{
    struct bench b = { .ear_err = -EINVAL };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "error(config)");
    bench_close(&b);
}

static void test_a_voice_that_fails(void **state)
{
    static const struct {
        unsigned faults;
        bool may_retry, is_late, is_spare;
        const char *expected;
    } all[] = {
        { 1, true, false, false, "say(Good morning.) ready say(Good morning.) text(1,Good morning.) audio(1,1040) end(1) " },
        { 2, true, false, false, "say(Good morning.) ready say(Good morning.) error(server) " },
        { 1, false, false, false, "say(Good morning.) ready error(server) " },
        { 1, false, false, true, "say(Good morning.) ready say(Good morning.) text(1,Good morning.) audio(1,1040) end(1) " },
        { 2, true, false, true, "say(Good morning.) ready say(Good morning.) say(Good morning.) text(1,Good morning.) audio(1,1040) end(1) " },
        /* what has sounded is not said twice */
        { 1, true, true, false, "say(Good morning.) ready text(1,Good morning.) audio(1,800) end(1) " },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct bench b = { .hears = true, .voice_faults = all[i].faults, .voice_may_retry = all[i].may_retry, .faults_late = all[i].is_late,
                           .is_spare = all[i].is_spare };

        bench_open(&b, BENCH_GREETING);
        bench_start(&b);
        bench_until(&b, strstr(all[i].expected, "error") ? "error" : "end(1)");
        bench_expect_log(&b, all[i].expected);
        bench_close(&b);
    }
}

static void test_a_sentence_without_sound_is_passed_over(void **state)
{
    struct bench b = { .hears = true, .by_hand = true };

    (void)state;
    bench_open(&b, "Good morning to everybody there. How can I help you?");
    bench_start(&b);
    b.voice.on->on_done((b.is_saying = false, b.voice.arg));
    bench_expect_log(&b, "say(Good morning to everybody there.) ready say(How can I help you?) ");
    assert_int_equal(b.errors, 0);
    bench_close(&b);
}

/* ---- the end, whenever it comes ---- */

static void test_closed_at_every_state(void **state)
{
    (void)state;
    for (int at = 0; at < 12; at++) {
        struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("Of course. And") "\f" TWO_CALLS BENCH_DONE }, .hears = at != 5 };

        b.closes_at_text = at == 6;
        b.closes_at_audio = at == 7;
        b.closes_at_call = at == 8;
        b.closes_at_words = at == 9;
        b.closes_at_speech = at == 10;
        b.by_hand = at == 2;
        bench_open(&b, at == 1 ? BENCH_GREETING : NULL);
        if (at > 0)
            bench_start(&b);
        if (at == 3)
            bench_until_asked(&b, 1);
        if (at == 4 || at == 5)
            bench_until(&b, "end(1)");
        if (at == 6 || at == 7)
            bench_until(&b, "closed");
        if (at == 8) {
            bench_go(&b);
            bench_until(&b, "closed");
        }
        if (at == 9 || at == 10)
            bench_turn(&b, "hello");
        if (at == 11) {
            b.ear->base.on->on_fault(PROVIDER_AUTH, TEXT("x"), b.ear->base.arg);
            bench_until(&b, "error");
        }
        bench_close(&b);
    }
}

static void test_out_of_memory_in_the_constructor(void **state)
{
    struct bench b = { .hears = true };
    struct provider *agent;
    long n = 1;

    (void)state;
    bench_open(&b, BENCH_GREETING);
    for (;; n++) {
        fail_alloc_at(n);
        const int err = pipeline_new(&agent, &b.opt, &help_log);
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        if (!err)
            provider_close(agent);
        else
            assert_int_equal(err, -ENOMEM);
        if (!hit)
            break;
    }
    assert_true(n > 6);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_calls_of_one_answer),
        cmocka_unit_test(test_calls_that_are_answered_from_inside),
        cmocka_unit_test(test_the_caller_speaks_while_a_tool_runs),
        cmocka_unit_test(test_tools_without_end),
        cmocka_unit_test(test_a_tool_that_nobody_answers),
        cmocka_unit_test(test_last_words_are_spoken_before_the_wish),
        cmocka_unit_test(test_last_words_that_are_cut_off),
        cmocka_unit_test(test_no_last_words),
        cmocka_unit_test(test_a_model_that_refuses),
        cmocka_unit_test(test_an_empty_answer_is_asked_for_again),
        cmocka_unit_test(test_nothing_to_add_after_a_tool_is_no_fault),
        cmocka_unit_test(test_an_answer_that_breaks_off_is_spoken_so_far),
        cmocka_unit_test(test_an_ear_that_fails_once),
        cmocka_unit_test(test_an_ear_that_is_refused),
        cmocka_unit_test(test_an_ear_that_is_never_ready),
        cmocka_unit_test(test_an_ear_that_cannot_be_made),
        cmocka_unit_test(test_a_voice_that_fails),
        cmocka_unit_test(test_a_sentence_without_sound_is_passed_over),
        cmocka_unit_test(test_closed_at_every_state),
        cmocka_unit_test(test_out_of_memory_in_the_constructor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
