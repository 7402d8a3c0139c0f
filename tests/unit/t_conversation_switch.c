/* One provider after the other in the same talk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"
#include "talk_bench.h"
#include "turn.h"

static const struct provider *provider_of(const struct talk_bench *b, size_t i)
{
    return &b->providers[i]->provider;
}

static void t_another_takes_over(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();
    const int16_t said[TALK_FRAME] = { 1, 2, 3 };

    (void)state;
    talk_bench_start(b, 8000, &o);
    talk_bench_says(b, 0, 1, 8000, false);
    talk_bench_says(b, 0, 7, 8000, false);
    talk_bench_tick(b, NULL);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 24000)), 0);
    assert_true(b->providers[1]->started);
    assert_false(b->providers[0]->closed);   /* in a turn of its own: we may be inside of one of its handlers */
    assert_in_range(talk_bench_tick(b, NULL), 1, 64); /* the fade */
    assert_int_equal(talk_bench_tick(b, NULL), 0);
    assert_int_equal(b->providers[0]->interruptions, 0);
    talk_bench_caller(b, said, TALK_FRAME);
    assert_int_equal(b->providers[0]->hears, 0);
    assert_in_range(b->providers[1]->hear_samples, 300, 481); /* at its own rate */
    /* Its items count from 1 again, at its own rate. */
    talk_bench_says(b, 1, 1, 4800, true);    /* 200 ms */
    size_t spoken = 0;
    for (int i = 0; i < 12; i++)
        spoken += talk_bench_tick(b, NULL);
    assert_in_range(spoken, 1400, 1650);
    talk_bench_gone(b, 0);
    assert_int_equal(b->providers[1]->heard_item, 1);
    assert_int_equal(b->providers[0]->heard_count, 0);
    assert_int_equal(b->ended, 0);
    assert_non_null(talk_bench_fact(b, "talk.switch", 0));
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_the_next_one_is_told_what_was_said(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();

    (void)state;
    talk_bench_start(b, 8000, &o);
    const struct provider *const first = provider_of(b, 0);
    first->on->on_agent_text(1, TEXT("one two three four"), first->arg);
    talk_bench_says(b, 0, 1, 20 * TALK_FRAME, true);
    for (int i = 0; i < 10; i++)
        talk_bench_tick(b, NULL);
    first->on->on_speech_started(b->now_us, first->arg);
    assert_int_equal(b->providers[0]->interruptions, 1);
    first->on->on_caller_text(TEXT("sales please"), TEXT_NONE, 0, true, first->arg);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    assert_string_equal(b->providers[1]->before, "agent: one two / caller: sales please");
    const struct provider *const second = provider_of(b, 1);
    second->on->on_agent_text(1, TEXT("sales here"), second->arg);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 16000)), 0);
    assert_string_equal(b->providers[2]->before, "agent: one two / caller: sales please / agent: sales here");
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_the_old_one_is_not_heard(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();

    (void)state;
    talk_bench_start(b, 8000, &o);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    const struct provider *const old = provider_of(b, 0);
    const size_t facts = b->fact_count;
    old->on->on_ready(old->arg);
    talk_bench_says(b, 0, 9, 1600, true);
    old->on->on_agent_text(9, TEXT("late"), old->arg);
    old->on->on_caller_text(TEXT("late"), TEXT_NONE, 0, true, old->arg);
    old->on->on_tool_call(1, TEXT("late"), TEXT("{}"), old->arg);
    old->on->on_wish(PROVIDER_HANG_UP, TEXT("late"), old->arg);
    talk_bench_fails(b, 0, PROVIDER_NET);
    talk_bench_says(b, 1, 1, TALK_FRAME, false);
    old->on->on_speech_started(1, old->arg);
    assert_int_equal(talk_bench_tick(b, NULL), TALK_FRAME);
    assert_int_equal(talk_bench_tick(b, NULL), 0);
    assert_int_equal(b->tool_runs, 0);
    assert_int_equal(b->fact_count, facts);
    turn_for(b->loop, 5);
    assert_int_equal(b->ended, 0);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_tools_go_with_the_old_one(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();

    (void)state;
    talk_bench_start(b, 8000, &o);
    provider_of(b, 0)->on->on_tool_call(1, TEXT("slow"), TEXT("{}"), provider_of(b, 0)->arg);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    provider_of(b, 1)->on->on_tool_call(1, TEXT("slow"), TEXT("{}"), provider_of(b, 1)->arg); /* the same id is another's */
    assert_int_equal(b->tool_runs, 2);
    turn_for(b->loop, 5);
    assert_int_equal(b->tool_stops, 1);
    b->tool_answer(0, TEXT("{}"), b->tool_arg);
    assert_int_equal(b->providers[0]->results, 0);
    assert_int_equal(b->providers[1]->results, 1);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

/* A tool of the old one that ends in the switch itself, as switch_agent does. */
static void t_a_tool_switches(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();

    (void)state;
    talk_bench_start(b, 8000, &o);
    provider_of(b, 0)->on->on_tool_call(1, TEXT("switch_agent"), TEXT("{}"), provider_of(b, 0)->arg);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    b->tool_answer(0, TEXT("{}"), b->tool_arg);
    assert_int_equal(b->providers[0]->results, 0);
    turn_for(b->loop, 5);
    assert_int_equal(b->tool_stops, 0);
    talk_bench_gone(b, 0);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_the_end_comes_while_the_old_one_closes(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();

    (void)state;
    talk_bench_start(b, 8000, &o);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    assert_int_equal(conversation_switch(b->talk, talk_bench_provider(b, 8000)), 0);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped"); /* looks at all three */
}

static void t_not_while_ending(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();
    struct provider *next;

    (void)state;
    talk_bench_start(b, 8000, &o);
    next = talk_bench_provider(b, 8000);
    conversation_stop(b->talk);
    assert_int_equal(conversation_switch(b->talk, next), -ESHUTDOWN);
    provider_close(next);          /* not taken over */
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_rates_too_far_apart(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();
    struct provider *next;

    (void)state;
    talk_bench_start(b, 8000, &o);
    talk_bench_says(b, 0, 1, 1600, true);
    next = talk_bench_provider(b, 192000);
    assert_int_equal(conversation_switch(b->talk, next), -EINVAL);
    provider_close(next);
    assert_int_equal(talk_bench_tick(b, NULL), TALK_FRAME); /* the old one goes on */
    turn_for(b->loop, 5);
    assert_false(b->providers[0]->closed);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

static void t_memory_short_at_the_switch(void **state)
{
    struct talk_bench *b = talk_bench_new();
    const struct conversation_options o = talk_bench_options();
    struct provider *next;
    int err = -1;

    (void)state;
    talk_bench_start(b, 8000, &o);
    talk_bench_says(b, 0, 1, 1600, true);
    next = talk_bench_provider(b, 24000);
    for (long n = 1; err; n++) {
        fail_alloc_at(n);
        err = conversation_switch(b->talk, next);
        if (err) {
            assert_int_equal(err, -ENOMEM);
            assert_true(fail_alloc_hit());
            assert_false(b->providers[1]->started || b->providers[1]->closed);
        }
        assert_true(n < 100);
    }
    fail_alloc_off();
    talk_bench_gone(b, 0);
    conversation_stop(b->talk);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

/* ---- when one fails ---- */

struct choice {
    struct talk_bench *b;
    unsigned left, asked;
    unsigned rate_hz;
};

static int next_of(struct provider **out, void *arg)
{
    struct choice *ch = arg;

    ch->asked++;
    if (ch->left == 0)
        return -ENOENT;
    ch->left--;
    *out = talk_bench_provider(ch->b, ch->rate_hz);
    return 0;
}

static void t_the_next_one_is_tried(void **state)
{
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();
    struct choice ch = { .b = b, .left = 2, .rate_hz = 24000 };

    (void)state;
    o.next = next_of;
    o.next_arg = &ch;
    talk_bench_start(b, 8000, &o);
    talk_bench_fails(b, 0, PROVIDER_AUTH);
    assert_true(b->providers[1]->started);
    assert_string_equal(talk_bench_fact(b, "provider.failed", 0)->detail, "{\"error\":\"auth\",\"next\":\"yes\"}");
    turn_for(b->loop, 5);
    talk_bench_fails(b, 1, PROVIDER_NET);
    assert_true(b->providers[2]->started);
    talk_bench_says(b, 2, 1, 480 * 3, true);
    assert_in_range(talk_bench_tick(b, NULL), 100, TALK_FRAME);
    talk_bench_gone(b, 0);
    talk_bench_gone(b, 1);
    assert_int_equal(b->ended, 0);
    talk_bench_fails(b, 2, PROVIDER_QUOTA);  /* the last reason is told */
    assert_int_equal(ch.asked, 3);
    assert_string_equal(talk_bench_fact(b, "provider.failed", 2)->detail, "{\"error\":\"quota\",\"next\":\"none\"}");
    talk_bench_end(b, TALK_ERROR, "provider_quota");
}

static void t_the_next_one_cannot_be_had(void **state)
{
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();
    struct choice ch = { .b = b, .left = 1, .rate_hz = 192000 };

    (void)state;
    o.next = next_of;
    o.next_arg = &ch;
    talk_bench_start(b, 8000, &o);
    talk_bench_fails(b, 0, PROVIDER_SERVER);
    assert_true(b->providers[1]->closed);
    assert_false(b->providers[1]->started);
    talk_bench_end(b, TALK_ERROR, "provider_server");
}

/* What it said before it failed is heard, then its wish is granted. */
static void t_a_failure_behind_a_wish(void **state)
{
    struct talk_bench *b = talk_bench_new();
    struct conversation_options o = talk_bench_options();
    struct choice ch = { .b = b, .left = 1, .rate_hz = 8000 };

    (void)state;
    o.next = next_of;
    o.next_arg = &ch;
    talk_bench_start(b, 8000, &o);
    talk_bench_says(b, 0, 1, TALK_FRAME, true);
    provider_of(b, 0)->on->on_wish(PROVIDER_HAND_BACK, TEXT("operator"), provider_of(b, 0)->arg);
    talk_bench_fails(b, 0, PROVIDER_NET);
    assert_int_equal(ch.asked, 0);
    assert_int_equal(talk_bench_tick(b, NULL), TALK_FRAME);
    talk_bench_tick(b, NULL);
    talk_bench_end(b, TALK_HAND_BACK, "operator");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_another_takes_over),
        cmocka_unit_test(t_the_next_one_is_told_what_was_said),
        cmocka_unit_test(t_the_old_one_is_not_heard),
        cmocka_unit_test(t_tools_go_with_the_old_one),
        cmocka_unit_test(t_a_tool_switches),
        cmocka_unit_test(t_the_end_comes_while_the_old_one_closes),
        cmocka_unit_test(t_not_while_ending),
        cmocka_unit_test(t_rates_too_far_apart),
        cmocka_unit_test(t_memory_short_at_the_switch),
        cmocka_unit_test(t_the_next_one_is_tried),
        cmocka_unit_test(t_the_next_one_cannot_be_had),
        cmocka_unit_test(t_a_failure_behind_a_wish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
