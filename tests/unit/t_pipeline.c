/* The pipeline: whole turns with a real model client before a scripted server, ears and a voice that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_help.h"
#include "pipeline_bench.h"
#include "turn.h"

/* ---- turns ---- */

static void test_a_plain_turn(void **state)
{
    struct bench b = { .answers = { BENCH_SSE BENCH_SAYS("At ni") BENCH_SAYS("ne. We are glad to see you then.") BENCH_DONE }, .hears = true };
    const int16_t frame[160] = { 0 };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_expect_log(&b, "say(Good morning.) ready text(1,Good morning.) audio(1,1040) end(1) ");
    provider_hear(b.agent, frame, 160, 0);
    assert_int_equal(b.ear->frames, 1);
    bench_clear(&b);
    bench_turn(&b, " when do you open ");
    bench_until(&b, "end(3)");
    bench_expect_log(&b, "speech silence caller(when do you open) say(At nine.) text(2,At nine.) audio(2,640) end(2) "
                   "say(We are glad to see you then.) text(3,We are glad to see you then.) audio(3,2240) end(3) ");
    bench_expect_messages(&b, 0, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("when do you open") "]");
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
    bench_expect_messages(&b, 0, "[" BENCH_USER("[a caller is on the line]") "]");
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
    bench_expect_messages(&b, 0, "[{\"role\":\"system\",\"content\":\"Be kind.\"}," BENCH_USER("[a caller is on the line]") "]");
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
    bench_expect_messages(&b, 0, "[" BENCH_USER("[another agent had this call so far; what was said follows, do not ask for it again] my number is seven") ","
                           BENCH_AGENT("Thank you.") "," BENCH_USER("[a caller is on the line]") "]");
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
    bench_expect_log(&b, "speech silence caller(and on sunday) say(Yes.) text(4,Yes.) audio(4,320) end(4) ");
    bench_expect_messages(&b, 1, "[" BENCH_USER("[a caller is on the line]") "," BENCH_AGENT("Of course. We are open from...") "," BENCH_USER("and on sunday") "]");
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
    bench_expect_messages(&b, 1, "[" BENCH_USER("[a caller is on the line]") "," BENCH_AGENT("Of course.") "," BENCH_USER("stop") "]");
    bench_close(&b);
}

static void test_a_caller_who_goes_on_is_not_talked_over(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want");
    bench_until_asked(&b, 1);
    bench_turn(&b, "a table");     /* takes the first request back */
    bench_until(&b, "text(2,I see.)");
    bench_expect_messages(&b, 1, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("I want a table") "]");
    bench_close(&b);
}

static void test_a_noise_takes_no_answer_away(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want a table");
    bench_until_asked(&b, 1);
    bench_turn(&b, "");
    bench_until(&b, "text(2,I see.)");
    bench_expect_messages(&b, 1, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("I want a table") "]");
    bench_close(&b);
}

static void test_a_noise_takes_no_greeting_away(void **state)
{
    struct bench b = { .hears = true, .by_hand = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_turn(&b, "");
    assert_int_equal(b.stops, 1);
    bench_expect_log(&b, "say(Good morning.) ready speech silence say(Good morning.) ");
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
    bench_expect_messages(&b, 1, "[" BENCH_USER("[a caller is on the line]") "," BENCH_AGENT("Of course.") "," BENCH_USER("stop") "]");
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
    bench_expect_log(&b, "speech silence caller(stop) end(2) say(Yes.) text(4,Yes.) audio(4,320) end(4) ");
    bench_expect_messages(&b, 1, "[" BENCH_USER("[a caller is on the line]") "," BENCH_AGENT("Of course.") "," BENCH_USER("stop") "]");
    bench_close(&b);
}

static void test_what_is_not_understood_is_asked_for_once(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Pardon?") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_clear(&b);
    bench_turn(&b, "");
    bench_until(&b, "end(2)");
    bench_expect_messages(&b, 0, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("[the caller said something that could not be understood]") "]");
    bench_turn(&b, "");
    bench_expect_log(&b, "speech silence say(Pardon?) text(2,Pardon?) audio(2,560) end(2) speech silence caller(nothing?) ");
    assert_int_equal(b.asked, 1);
    bench_close(&b);
}

static void test_half_a_sentence_is_taken_back(void **state)
{
    struct bench b = { .answers = { BENCH_SSE "\v", BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "I want");
    bench_until_asked(&b, 1);
    b.ear->base.on->on_resumed(b.ear->base.arg);
    b.ear->base.on->on_turn(TEXT("I want a table"), TEXT_NONE, 1, b.ear->base.arg);
    bench_until(&b, "text(2,I see.)");
    bench_expect_messages(&b, 1, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("I want a table") "]");
    bench_close(&b);
}

/* Ears that upload understand one sentence while they hear the next. */
static void test_the_next_sentence_begins_before_the_words_of_the_first(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("I see.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
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
    bench_expect_log(&b, "speech silence speech caller(I want) silence say(I see.) text(2,I see.) audio(2,480) end(2) ");
    bench_close(&b);
}

static void test_a_turn_that_never_ends_in_words(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Pardon?") }, .opt = { .turn_ms = 20 }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
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
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    b.ear->base.on->on_speech_started(1, b.ear->base.arg);
    provider_digit(b.agent, '4');
    provider_digit(b.agent, '#');
    assert_int_equal(b.ear->discards, 2);
    b.ear->base.on->on_turn(TEXT(""), TEXT_NONE, 0, b.ear->base.arg); /* no turn of its own */
    assert_int_equal(b.asked, 0);
    bench_until(&b, "text(2,Thank you.)");
    bench_expect_messages(&b, 0, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("[the caller pressed 4#]") "]");
    assert_int_equal(b.asked, 1);
    bench_close(&b);
}

static void test_a_digit_in_a_turn_that_is_still_open(void **state)
{
    struct bench b = { .answers = { BENCH_ANSWER("Thank you.") }, .hears = true };

    (void)state;
    bench_open(&b, BENCH_GREETING);
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
    bench_open(&b, BENCH_GREETING);
    bench_start(&b);
    bench_until(&b, "end(1)");
    bench_turn(&b, "hm");
    bench_until_asked(&b, 1);
    provider_digit(b.agent, '1');
    bench_until(&b, "text(2,Thank you.)");
    bench_expect_messages(&b, 1, "[" BENCH_AGENT("Good morning.") "," BENCH_USER("hm [the caller pressed 1]") "]");
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
