/* toolbox.c and conversation_parting.c: who may call what, with which arguments, how each call is answered and told, and how a talk ends or
 * changes hands by a tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "talk_bench.h"
#include "turn.h"

enum { SECOND = 8000 };

struct desk {                      /* what the fake tools note */
    struct talk_bench *b;
    struct tool_entry look_up, slow, built_in[BUILTIN_COUNT];
    struct schema *shape;
    struct talk_after after;
    char args[200], agent[64];
    int64_t deadline_ms;
    tool_on_result *answer;
    void *answer_arg;
    unsigned runs, stops, switches, farewells;
    int switch_err;
    bool has_last_words;
    struct provider_ops ops;
};

static struct desk desk;

static const struct tool_entry *find(void *arg, struct text name)
{
    const enum builtin b = builtin_of(name);

    (void)arg;
    if (b != BUILTIN_NONE)
        return &desk.built_in[b];
    return text_eq(name, TEXT("look_up")) ? &desk.look_up : text_eq(name, TEXT("slow")) ? &desk.slow : NULL;
}

static int run(void *arg, struct tool_run **out, struct text name, struct text args, struct text context, int64_t deadline_ms,
               tool_on_result *on_result, void *result_arg)
{
    (void)arg;
    (void)name;
    (void)context;
    desk.runs++;
    desk.deadline_ms = deadline_ms;
    desk.answer = on_result;
    desk.answer_arg = result_arg;
    text_copy(desk.args, sizeof desk.args, args);
    *out = (struct tool_run *)&desk;
    return 0;
}

static void stop(void *arg, struct tool_run *r)
{
    (void)arg;
    assert_ptr_equal(r, &desk);
    desk.stops++;
}

static const struct builtin_rules *rules(void *arg)
{
    static const struct builtin_target targets[] = { { "sales", "default", "2001", "1" } };
    static const char *const variables[] = { "TOPIC" }, *const agents[] = { "support" };
    static const struct builtin_rules r = { .targets = targets, .target_count = 1, .variables = variables, .variable_count = 1, .agents = agents,
                                            .agent_count = 1 };

    (void)arg;
    return &r;
}

static int switch_agent(void *arg, struct text name)
{
    (void)arg;
    desk.switches++;
    text_copy(desk.agent, sizeof desk.agent, name);
    return desk.switch_err ? desk.switch_err : conversation_switch(desk.b->talk, talk_bench_provider(desk.b, 8000));
}

static bool farewell(struct provider *p, uint32_t id)
{
    (void)p;
    (void)id;
    desk.farewells++;
    return desk.has_last_words;
}

static struct talk_bench *begin(void)
{
    const struct conversation_options o = talk_bench_options();
    struct talk_bench *b = talk_bench_new();
    char why[SCHEMA_WHY_MAX];

    desk = (struct desk){ .b = b, .slow.deadline_ms = 20 };
    assert_int_equal(schema_new(&desk.shape, TEXT("{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"]}"), why), 0);
    desk.look_up.schema = desk.shape;
    for (int i = 0; i < BUILTIN_COUNT; i++)
        desk.built_in[i].builtin = (enum builtin)i;
    b->tools = (struct tools){ .find = find, .run = run, .stop = stop, .rules = rules, .switch_agent = switch_agent, .after = &desk.after, .arg = &desk };
    talk_bench_start(b, 8000, &o);
    desk.ops = *b->providers[0]->provider.ops;
    desk.ops.farewell = farewell;
    b->providers[0]->provider.ops = &desk.ops;
    return b;
}

static void finish(enum talk_end how, const char *reason)
{
    talk_bench_end(desk.b, how, reason);
    schema_free(desk.shape);
}

static void over(void)
{
    conversation_stop(desk.b->talk);
    finish(TALK_STOPPED, "stopped");
}

static void call(uint32_t id, const char *name, const char *args)
{
    const struct provider *p = &desk.b->providers[0]->provider;

    p->on->on_tool_call(id, text_of(name), text_of(args), p->arg);
}

/* The last fact `tool` holds these words. */
static void told(const char *words)
{
    const struct fact *last = NULL;

    for (size_t i = 0; i < desk.b->fact_count; i++)
        if (strcmp(desk.b->facts[i]->kind, "tool") == 0)
            last = desk.b->facts[i];
    assert_non_null(last);
    if (!strstr(last->detail, words))
        fail_msg("%s lacks %s", last->detail, words);
}

static size_t tool_facts(void)
{
    size_t n = 0;

    while (talk_bench_fact(desk.b, "tool", n))
        n++;
    return n;
}

/* ---- calls ---- */

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *name, *args, *why;
    } bad[] = {
        { "format_disk", "{}", "there is no such tool" },
        { "", "{}", "there is no such tool" },
        { "look_up", "{broken", "one JSON object" },
        { "look_up", "[\"id\"]", "one JSON object" },
        { "look_up", "{\"id\":\"a\"} {\"id\":\"b\"}", "one JSON object" },
        { "look_up", "{\"id\":\"a\\u0000b\"}", "one JSON object" },
        { "look_up", "", "id is missing" },
        { "look_up", "{\"id\":5}", "id has to be a text" },
        { "look_up", "{\"id\":\"a\",\"id\":\"b\"}", "id is given twice" },
        { "transfer", "{\"target\":\"0190\"}", "may not be transferred there" },
        { "set_variable", "{\"name\":\"SIDETONE_STATUS\",\"value\":\"x\"}", "no variable of that name" },
        { "switch_agent", "{\"agent\":\"nobody\"}", "no agent of that name" },
    };
    struct talk_bench *b = begin();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        call((uint32_t)i + 1, bad[i].name, bad[i].args);
        assert_int_equal(b->providers[0]->results, i + 1);  /* each is answered, once */
        assert_int_equal(b->providers[0]->result_id, i + 1);
        assert_true(b->providers[0]->result_err < 0);
        told("\"outcome\":\"refused\"");
        told(bad[i].why);
    }
    assert_int_equal(tool_facts(), sizeof bad / sizeof *bad);
    assert_int_equal(desk.runs, 0);
    assert_true(talk_after_is_empty(&desk.after));
    over();
}

static void test_what_was_checked_is_what_runs(void **state)
{
    struct talk_bench *b = begin();

    (void)state;
    call(1, "look_up", "  { \"id\" : \"A\\u0037\" , \"more\":[ 1 ]}");
    assert_int_equal(desk.runs, 1);
    assert_string_equal(desk.args, "{\"id\":\"A7\",\"more\":[1]}");
    assert_int_equal(desk.deadline_ms, 5000);
    assert_int_equal(b->providers[0]->results, 0);
    call(1, "look_up", "{\"id\":\"again\"}");      /* the same call */
    assert_int_equal(desk.runs, 1);
    desk.answer(0, TEXT("{\"state\":\"sent\"}"), desk.answer_arg);
    assert_int_equal(b->providers[0]->results, 1);
    assert_int_equal(b->providers[0]->result_err, 0);
    told("{\"name\":\"look_up\",\"arguments\":\"{\\\"id\\\":\\\"A7\\\",\\\"more\\\":[1]}\",\"outcome\":\"ok\",\"why\":null,\"result_bytes\":16,\"ms\":");
    call(1, "look_up", "{\"id\":\"B\"}");          /* the id is free again */
    desk.answer(-EINVAL, TEXT("it broke"), desk.answer_arg);
    told("\"outcome\":\"failed\",\"why\":\"it broke\",\"result_bytes\":0");
    assert_int_equal(tool_facts(), 2);
    over();
}

static bool has_result(void *arg)
{
    (void)arg;
    return desk.b->providers[0]->results > 0;
}

static void test_a_deadline_of_its_own(void **state)
{
    begin();
    (void)state;
    call(1, "slow", "");
    assert_int_equal(desk.deadline_ms, 20);
    assert_true(turn_until(desk.b->loop, has_result, NULL, 5000));
    assert_int_equal(desk.b->providers[0]->result_err, -ETIMEDOUT);
    assert_int_equal(desk.stops, 1);
    told("\"outcome\":\"timeout\",\"why\":\"the tool did not answer in time\"");
    over();
}

static void test_stopped_with_the_talk(void **state)
{
    struct talk_bench *b = begin();

    (void)state;
    for (uint32_t id = 1; id <= 8; id++)
        call(id, "take_message", "{\"text\":\"x\"}");
    assert_int_equal(desk.runs, 8);
    call(9, "look_up", "{\"id\":\"one too many\"}");
    assert_int_equal(b->providers[0]->result_err, -ENOBUFS);
    told("too many tools");
    conversation_stop(b->talk);
    assert_int_equal(desk.stops, 8);
    assert_int_equal(tool_facts(), 9);
    told("\"outcome\":\"stopped\"");
    finish(TALK_STOPPED, "stopped");
}

static void test_numbers_are_masked(void **state)
{
    begin();
    (void)state;
    desk.look_up.is_masked = true;
    call(1, "look_up", "{\"id\":\"555 123-4567\"}");
    assert_string_equal(desk.args, "{\"id\":\"555 123-4567\"}"); /* the tool gets them */
    desk.answer(0, TEXT("{}"), desk.answer_arg);
    told("\"{\\\"id\\\":\\\"*** ***-****\\\"}\"");
    call(2, "unknown", "{\"id\":\"5551234567\"}");
    told("**********");
    over();
}

static void test_variables(void **state)
{
    struct talk_bench *b = begin();

    (void)state;
    call(1, "set_variable", "{\"name\":\"TOPIC\",\"value\":\"cars, trucks\"}");
    assert_int_equal(b->providers[0]->result_err, 0);
    assert_int_equal(desk.after.variable_count, 1);
    assert_string_equal(desk.after.variables[0].value, "cars  trucks");
    told("\"outcome\":\"ok\"");
    over();
}

/* ---- ends ---- */

static void hear_all(void)
{
    for (int i = 0; i < 60; i++)
        talk_bench_tick(desk.b, NULL);
}

static void test_what_was_said_is_heard_before_the_end(void **state)
{
    struct talk_bench *b = begin();

    (void)state;
    talk_bench_says(b, 0, 1, SECOND, true);
    call(1, "transfer", "{\"target\":\"sales\"}");
    assert_int_equal(desk.farewells, 1);
    assert_string_equal(desk.after.context, "default");
    assert_string_equal(desk.after.extension, "2001");
    told("\"name\":\"transfer\"");
    told("\"outcome\":\"ok\"");
    assert_int_equal(b->providers[0]->results, 0);  /* who has parted gets no answer */
    for (int i = 0; i < 40; i++)
        talk_bench_tick(b, NULL);
    turn_for(b->loop, 5);
    assert_int_equal(b->ended, 0);                  /* 800 of 1000 ms were heard */
    call(2, "hang_up", "{}");
    assert_int_equal(b->providers[0]->result_err, -EALREADY);
    hear_all();
    finish(TALK_HAND_BACK, "sales");
}

static void test_hang_up_in_silence(void **state)
{
    begin();
    (void)state;
    call(1, "hang_up", "{\"reason\":\"done\"}");
    hear_all();
    finish(TALK_HANG_UP, "done");
}

static void test_last_words_come_first(void **state)
{
    struct talk_bench *b = begin();
    const struct provider *p = &b->providers[0]->provider;

    (void)state;
    desk.has_last_words = true;
    call(1, "hand_back", "{\"reason\":\"operator\"}");
    hear_all();
    turn_for(b->loop, 5);
    assert_int_equal(b->ended, 0);
    talk_bench_says(b, 0, 1, SECOND / 2, true);
    p->on->on_wish(PROVIDER_HANG_UP, TEXT("its own"), p->arg); /* only says that these were its last */
    hear_all();
    finish(TALK_HAND_BACK, "operator");
}

static void test_a_provider_that_dies_over_its_last_words(void **state)
{
    begin();
    (void)state;
    desk.has_last_words = true;
    call(1, "transfer", "{\"target\":\"sales\"}");
    talk_bench_fails(desk.b, 0, PROVIDER_NET);
    hear_all();
    finish(TALK_HAND_BACK, "sales");
}

static bool has_switched(void *arg)
{
    (void)arg;
    return desk.switches > 0;
}

static void test_another_agent_takes_over_when_all_is_said(void **state)
{
    struct talk_bench *b = begin();

    (void)state;
    talk_bench_says(b, 0, 1, SECOND / 2, true);
    call(1, "switch_agent", "{\"agent\":\"support\"}");
    for (int i = 0; i < 10; i++)
        talk_bench_tick(b, NULL);
    turn_for(b->loop, 5);
    assert_int_equal(desk.switches, 0);
    hear_all();
    assert_true(turn_until(b->loop, has_switched, NULL, 5000));
    assert_int_equal(desk.switches, 1);
    assert_string_equal(desk.agent, "support");
    assert_true(b->providers[1]->started);
    talk_bench_gone(b, 0);
    assert_non_null(strstr(talk_bench_fact(b, "agent.switch", 0)->detail, "\"agent\":\"support\",\"outcome\":\"ok\""));
    talk_bench_says(b, 1, 1, SECOND / 2, true);
    assert_true(talk_bench_tick(b, NULL) > 0);
    over();
}

static void test_another_agent_that_cannot_be_had(void **state)
{
    begin();
    (void)state;
    desk.switch_err = -ENOMEM;
    call(1, "switch_agent", "{\"agent\":\"support\"}");
    hear_all();
    finish(TALK_ERROR, "switch_failed");
}

static void test_after_the_end(void **state)
{
    const struct conversation_options o = talk_bench_options();
    struct talk_bench *b = talk_bench_new();
    const struct provider *p;

    (void)state;
    desk = (struct desk){ .b = b };
    b->tools.find = find;
    talk_bench_start(b, 8000, &o);
    p = &b->providers[0]->provider;
    p->on->on_tool_call(1, TEXT("nothing"), TEXT("{}"), p->arg);
    assert_int_equal(b->providers[0]->result_err, -ENOENT);
    conversation_stop(b->talk);
    p->on->on_tool_call(2, TEXT("nothing"), TEXT("{}"), p->arg); /* after the end */
    assert_int_equal(b->providers[0]->results, 1);
    talk_bench_end(b, TALK_STOPPED, "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_was_checked_is_what_runs),
        cmocka_unit_test(test_a_deadline_of_its_own),
        cmocka_unit_test(test_stopped_with_the_talk),
        cmocka_unit_test(test_numbers_are_masked),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_what_was_said_is_heard_before_the_end),
        cmocka_unit_test(test_hang_up_in_silence),
        cmocka_unit_test(test_last_words_come_first),
        cmocka_unit_test(test_a_provider_that_dies_over_its_last_words),
        cmocka_unit_test(test_another_agent_takes_over_when_all_is_said),
        cmocka_unit_test(test_another_agent_that_cannot_be_had),
        cmocka_unit_test(test_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
