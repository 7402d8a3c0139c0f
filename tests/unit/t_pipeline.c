/* The pipeline: whole turns with a real model client before a scripted server, ears and a voice that the test moves. */
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

#define GREETING "Good morning."
#define USER(words) "{\"role\":\"user\",\"content\":\"" words "\"}"
#define AGENT(words) "{\"role\":\"assistant\",\"content\":\"" words "\"}"

static void expect_log(struct bench *b, const char *expected)
{
    assert_string_equal(bench_log(b), expected);
}

/* The request's messages are these and no more. */
static void expect_messages(struct bench *b, unsigned request, const char *expected)
{
    const char *messages = bench_messages(b, request);

    if (strncmp(messages, expected, strlen(expected)) != 0)
        fail_msg("request %u: %s\nexpected: %s", request, messages, expected);
}

/* ---- turns ---- */

static void test_a_plain_turn(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("At ni") BENCH_SAYS("ne. We are glad to see you then.") BENCH_DONE }, .hears = true };
    const int16_t frame[160] = { 0 };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    expect_log(&b, "say(Good morning.) ready text(1,Good morning.) audio(1,1040) end(1) ");
    provider_hear(b.agent, frame, 160, 0);
    assert_int_equal(b.ear->frames, 1);
    bench_clear(&b);
    bench_turn(&b, " when do you open ");
    bench_until(&b, "end(3)");
    expect_log(&b, "speech silence caller(when do you open) say(At nine.) text(2,At nine.) audio(2,640) end(2) "
                   "say(We are glad to see you then.) text(3,We are glad to see you then.) audio(3,2240) end(3) ");
    expect_messages(&b, 0, "[" AGENT("Good morning.") "," USER("when do you open") "]");
    bench_close(&b);
    assert_int_equal(b.errors, 0);
}

static void test_the_first_sentence_sounds_before_the_answer_is_whole(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("At nine. We") "\f" BENCH_SAYS(" close at five.") BENCH_DONE }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(1)");     /* the rest is not even sent */
    assert_null(strstr(bench_log(&b), "We"));
    bench_go(&b);
    bench_until(&b, "text(2,We close at five.)");
    expect_messages(&b, 0, "[" USER("[a caller is on the line]") "]");
    bench_close(&b);
}

static void test_it_speaks_not_far_ahead_of_the_callers_ear(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("This is the sentence that is number one here. This is the sentence that is number two here. This is the sentence that is number three here. "
                        "This is the sentence that is number four here. This is the sentence that is number five here.") } };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(3)");
    turn_for(b.loop, 30);
    assert_int_equal(b.said, 3);   /* the one that sounds, and two behind it */
    provider_heard(b.agent, 1);
    bench_until(&b, "end(4)");
    turn_for(b.loop, 30);
    assert_int_equal(b.said, 4);
    provider_heard(b.agent, 3);    /* 2, too */
    bench_until(&b, "end(5)");
    bench_close(&b);
}

static void test_many_sentences_pass_the_queue_in_order(void **state)
{
    static char answer[6000];
    struct bench b = { .answers = { answer }, .hears = true };
    size_t n = (size_t)sprintf(answer, "%s", BENCH_SSE);

    (void)state;
    n += (size_t)sprintf(answer + n, "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 1; i <= 60; i++)
        n += (size_t)sprintf(answer + n, "This is the sentence that has the number %d here. ", i);
    sprintf(answer + n, "\"}}]}\n\n%s", BENCH_DONE);
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(60)");
    assert_int_equal(b.said, 60);
    assert_non_null(strstr(bench_log(&b), "text(60,This is the sentence that has the number 60 here.)"));
    bench_close(&b);
}

static void test_the_model_begins_when_there_is_no_greeting(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Welcome.") }, .llm = { .instructions = "Be kind." }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(1)");
    expect_messages(&b, 0, "[{\"role\":\"system\",\"content\":\"Be kind.\"}," USER("[a caller is on the line]") "]");
    bench_close(&b);
}

static void test_words_of_another_agent_are_known(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("I know.") }, .hears = true };
    struct talk_words before = { .count = 0 };

    (void)state;
    talk_words_add(&before, false, 0, TEXT("my number is seven"));
    talk_words_add(&before, true, 3, TEXT("Thank you."));
    bench_open(&b, NULL);
    provider_remember(b.agent, &before);
    talk_words_free(&before);
    bench_start(&b);
    bench_until(&b, "end(1)");
    expect_messages(&b, 0, "[" USER("[another agent had this call so far; what was said follows, do not ask for it again] my number is seven") ","
                           AGENT("Thank you.") "," USER("[a caller is on the line]") "]");
    bench_close(&b);
}

/* ---- what the caller's voice does ---- */

static void test_cut_in_mid_sentence_the_model_knows_where(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Of course. We are open from nine to five today. And tomorrow, too."), BENCH_ANSWER("Yes.") } };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(3)");
    provider_heard(b.agent, 1);
    b.item = 2;
    b.cuts = true;
    bench_clear(&b);
    provider_interrupted(b.agent, 2, 180);                 /* of 370 ms */
    b.cuts = false;
    bench_turn(&b, "and on sunday");
    bench_until(&b, "end(4)");
    expect_log(&b, "speech silence caller(and on sunday) say(Yes.) text(4,Yes.) audio(4,320) end(4) ");
    expect_messages(&b, 1, "[" USER("[a caller is on the line]") "," AGENT("Of course. We are open from...") "," USER("and on sunday") "]");
    bench_close(&b);
}

static void test_a_cut_ends_what_is_being_made(void **state)
{
    static const int16_t sound[800];
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("Of course. We are open from nine to five today. And") "\f\v", BENCH_ANSWER("Yes.") } };

    (void)state;
    b.hand_from = 2;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "say(We are");
    b.voice.on->on_audio(sound, 800, b.voice.arg);
    provider_heard(b.agent, 1);
    bench_go(&b);                  /* the server waits for our end of the connection */
    b.cuts = true;                 /* 100 ms of a sentence that takes, by its words, some 2.5 s */
    bench_turn(&b, "stop");
    assert_false(b.is_saying);
    assert_int_equal(b.stops, 1);
    b.hand_from = 0;
    b.cuts = false;
    bench_until(&b, "text(3,Yes.)");
    expect_messages(&b, 1, "[" USER("[a caller is on the line]") "," AGENT("Of course.") "," USER("stop") "]");
    bench_close(&b);
}

static void test_a_caller_who_goes_on_is_not_talked_over(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want");
    bench_until_asked(&b, 1);
    bench_turn(&b, "a table");     /* takes the first request back */
    bench_until(&b, "text(2,I see.)");
    expect_messages(&b, 1, "[" AGENT("Good morning.") "," USER("I want a table") "]");
    bench_close(&b);
}

static void test_a_noise_takes_no_answer_away(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want a table");
    bench_until_asked(&b, 1);
    bench_turn(&b, "");
    bench_until(&b, "text(2,I see.)");
    expect_messages(&b, 1, "[" AGENT("Good morning.") "," USER("I want a table") "]");
    bench_close(&b);
}

static void test_a_noise_takes_no_greeting_away(void **state)
{
    struct bench b = { .hears = true, .by_hand = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_turn(&b, "");
    assert_int_equal(b.stops, 1);
    expect_log(&b, "say(Good morning.) ready speech silence say(Good morning.) ");
    bench_close(&b);
}

static void test_cut_between_two_sentences(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("Of course. We") "\v", BENCH_ANSWER("Yes.") }, .hears = true };

    (void)state;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "end(1)");     /* heard, and the next is not there yet */
    bench_turn(&b, "stop");
    bench_until(&b, "text(2,Yes.)");
    expect_messages(&b, 1, "[" USER("[a caller is on the line]") "," AGENT("Of course.") "," USER("stop") "]");
    bench_close(&b);
}

static void test_an_agent_that_nothing_cuts_off_ends_its_sentence(void **state)
{
    static const int16_t sound[800];
    struct bench b = { .answers = { BENCH_ANSWER("Of course. We are open from nine to five today. And more."), BENCH_ANSWER("Yes.") } };

    (void)state;
    b.hand_from = 2;
    bench_open(&b, NULL);
    bench_start(&b);
    bench_until(&b, "say(We are");
    b.voice.on->on_audio(sound, 800, b.voice.arg);
    b.hand_from = 0;
    bench_clear(&b);
    bench_turn(&b, "stop");
    bench_until(&b, "end(4)");     /* 3 was never said */
    expect_log(&b, "speech silence caller(stop) end(2) say(Yes.) text(4,Yes.) audio(4,320) end(4) ");
    expect_messages(&b, 1, "[" USER("[a caller is on the line]") "," AGENT("Of course.") "," USER("stop") "]");
    bench_close(&b);
}

static void test_what_is_not_understood_is_asked_for_once(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Pardon?") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_clear(&b);
    bench_turn(&b, "");
    bench_until(&b, "end(2)");
    expect_messages(&b, 0, "[" AGENT("Good morning.") "," USER("[the caller said something that could not be understood]") "]");
    bench_turn(&b, "");
    expect_log(&b, "speech silence say(Pardon?) text(2,Pardon?) audio(2,560) end(2) speech silence caller(nothing?) ");
    assert_int_equal(b.asked, 1);
    bench_close(&b);
}

static void test_half_a_sentence_is_taken_back(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want");
    bench_until_asked(&b, 1);
    b.ear->base.on->on_resumed(b.ear->base.arg);
    b.ear->base.on->on_turn(TEXT("I want a table"), TEXT_NONE, 1, b.ear->base.arg);
    bench_until(&b, "text(2,I see.)");
    expect_messages(&b, 1, "[" AGENT("Good morning.") "," USER("I want a table") "]");
    bench_close(&b);
}

/* Ears that upload understand one sentence while they hear the next. */
static void test_the_next_sentence_begins_before_the_words_of_the_first(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_clear(&b);
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    b.ear->base.on->on_speech_stopped(2, b.ear->base.arg);
    b.ear->base.on->on_speech_started(3, b.ear->base.arg);
    b.ear->base.on->on_turn(TEXT("I want"), TEXT_NONE, 1, b.ear->base.arg);
    turn_for(b.loop, 20);
    assert_int_equal(b.asked, 0);
    b.ear->base.on->on_speech_stopped(4, b.ear->base.arg);
    b.ear->base.on->on_turn(TEXT(""), TEXT_NONE, 1, b.ear->base.arg);
    bench_until(&b, "end(2)");
    expect_log(&b, "speech silence speech caller(I want) silence say(I see.) text(2,I see.) audio(2,480) end(2) ");
    bench_close(&b);
}

static void test_a_turn_that_never_ends_in_words(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Pardon?") }, .opt = { .turn_ms = 20 }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    b.ear->base.on->on_speech_stopped(2, b.ear->base.arg);
    bench_until(&b, "text(2,Pardon?)");
    bench_close(&b);
}

/* ---- digits ---- */

static void test_digits_are_told_together(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Thank you.") }, .opt = { .keys_ms = 100 }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    provider_digit(b.agent, '4');
    provider_digit(b.agent, '#');
    assert_int_equal(b.ear->discards, 2);
    b.ear->base.on->on_turn(TEXT(""), TEXT_NONE, 0, b.ear->base.arg); /* no turn of its own */
    assert_int_equal(b.asked, 0);
    bench_until(&b, "text(2,Thank you.)");
    expect_messages(&b, 0, "[" AGENT("Good morning.") "," USER("[the caller pressed 4#]") "]");
    assert_int_equal(b.asked, 1);
    bench_close(&b);
}

static void test_a_digit_in_a_turn_that_is_still_open(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Thank you.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    provider_digit(b.agent, '4');
    turn_for(b.loop, 30);          /* the digit is told, the turn goes on */
    assert_int_equal(b.asked, 0);
    b.ear->base.on->on_turn(TEXT(""), TEXT_NONE, 0, b.ear->base.arg);
    bench_until(&b, "text(2,Thank you.)");
    bench_close(&b);
}

static void test_a_digit_takes_an_answer_back(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("Thank you.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "hm");
    bench_until_asked(&b, 1);
    provider_digit(b.agent, '1');
    bench_until(&b, "text(2,Thank you.)");
    expect_messages(&b, 1, "[" AGENT("Good morning.") "," USER("hm [the caller pressed 1]") "]");
    bench_close(&b);
}

/* ---- tools ---- */

#define TWO_CALLS BENCH_CALLS(BENCH_CALL("0", "a", "hours", "{}") "," BENCH_CALL("1", "b", "price", "{\\\"of\\\":1}"))
#define CALLED(id, name, args, result) \
    "\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}}]},{\"role\":\"tool\",\"content\":\"" result "\",\"tool_call_id\":\"" id "\"}"

static void test_two_calls_of_one_answer(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("One moment. I look that up.") TWO_CALLS BENCH_DONE, BENCH_ANSWER("At nine.") }, .hears = true };

    (void)state;
    bench_open(&b, GREETING);
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
    expect_messages(&b, 1, "[" AGENT("Good morning.") "," USER("when") ",{\"role\":\"assistant\",\"content\":\"One moment. I look that up.\","
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
    assert_non_null(strstr(bench_messages(&b, 1), "\"tool_call_id\":\"b\"}," USER("please") "]"));
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
    bench_open(&b, GREETING);
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
    bench_open(&b, GREETING);
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
    bench_open(&b, GREETING);
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
    bench_open(&b, GREETING);
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

        bench_open(&b, GREETING);
        bench_start(&b);
        bench_until(&b, strstr(all[i].expected, "error") ? "error" : "end(1)");
        expect_log(&b, all[i].expected);
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
    expect_log(&b, "say(Good morning to everybody there.) ready say(How can I help you?) ");
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
        bench_open(&b, at == 1 ? GREETING : NULL);
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
    bench_open(&b, GREETING);
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
        cmocka_unit_test(test_a_plain_turn),
        cmocka_unit_test(test_the_first_sentence_sounds_before_the_answer_is_whole),
        cmocka_unit_test(test_it_speaks_not_far_ahead_of_the_callers_ear),
        cmocka_unit_test(test_many_sentences_pass_the_queue_in_order),
        cmocka_unit_test(test_the_model_begins_when_there_is_no_greeting),
        cmocka_unit_test(test_words_of_another_agent_are_known),
        cmocka_unit_test(test_cut_in_mid_sentence_the_model_knows_where),
        cmocka_unit_test(test_a_cut_ends_what_is_being_made),
        cmocka_unit_test(test_a_caller_who_goes_on_is_not_talked_over),
        cmocka_unit_test(test_a_noise_takes_no_answer_away),
        cmocka_unit_test(test_a_noise_takes_no_greeting_away),
        cmocka_unit_test(test_cut_between_two_sentences),
        cmocka_unit_test(test_an_agent_that_nothing_cuts_off_ends_its_sentence),
        cmocka_unit_test(test_what_is_not_understood_is_asked_for_once),
        cmocka_unit_test(test_half_a_sentence_is_taken_back),
        cmocka_unit_test(test_the_next_sentence_begins_before_the_words_of_the_first),
        cmocka_unit_test(test_a_turn_that_never_ends_in_words),
        cmocka_unit_test(test_digits_are_told_together),
        cmocka_unit_test(test_a_digit_in_a_turn_that_is_still_open),
        cmocka_unit_test(test_a_digit_takes_an_answer_back),
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
