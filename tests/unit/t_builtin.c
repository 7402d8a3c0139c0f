/* builtin.c and talk_after.c: what a model is told of the built-in tools, what its calls come to, and what a dialplan may find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>

#include "call/builtin.h"
#include "call/schema.h"

static const struct builtin_target targets[] = { { "sales", "default", "2001", "1" }, { "the \"boss\"", "private", "boss", "start" } };
static const char *const patterns[] = { "20XX", "3ZN", "911" };
static const char *const variables[] = { "TOPIC" };
static const char *const agents[] = { "support" };
static const struct builtin_rules names_only = {
    .targets = targets, .target_count = 2, .variables = variables, .variable_count = 1, .agents = agents, .agent_count = 1,
};
static const struct builtin_rules numbers_too = {
    .targets = targets, .target_count = 1, .transfer_context = "inside", .patterns = patterns, .pattern_count = 3,
};
static const struct builtin_rules nothing = { 0 };

static struct schema *schema_of(enum builtin b, const struct builtin_rules *r)
{
    char why[SCHEMA_WHY_MAX], *json = builtin_parameters(b, r);
    struct schema *s = NULL;

    assert_non_null(json);
    if (r != &nothing && schema_new(&s, text_of(json), why))
        fail_msg("%s: %s: %s", builtin_name(b), json, why);
    free(json);
    return s;
}

static void test_each_has_a_name_and_a_schema(void **state)
{
    (void)state;
    for (int b = BUILTIN_NONE + 1; b < BUILTIN_COUNT; b++) {
        assert_int_equal(builtin_of(text_of(builtin_name((enum builtin)b))), b);
        assert_true(strlen(builtin_description((enum builtin)b)) > 10);
        schema_free(schema_of((enum builtin)b, &names_only));
    }
    schema_free(schema_of(BUILTIN_TRANSFER, &numbers_too));
    assert_int_equal(builtin_of(TEXT("hand_backs")), BUILTIN_NONE);
    assert_int_equal(builtin_of(TEXT("")), BUILTIN_NONE);
}

static int call(enum builtin b, const struct builtin_rules *r, const char *args, struct builtin_act *act)
{
    char why[BUILTIN_WHY_MAX] = "", refusal[SCHEMA_WHY_MAX];
    struct schema *s = schema_of(b, r);
    cJSON *tree = cJSON_Parse(args);
    int err;

    assert_non_null(tree);
    err = !s || schema_accepts(s, tree, refusal) ? builtin_read(act, b, r, tree, why) : -EINVAL;
    if (err == -EACCES)
        assert_true(why[0]);
    schema_free(s);
    cJSON_Delete(tree);
    return err;
}

static void test_transfer_by_name(void **state)
{
    struct builtin_act act;

    (void)state;
    assert_int_equal(call(BUILTIN_TRANSFER, &names_only, "{\"target\":\"sales\",\"context\":\"evil\",\"extension\":\"0190\"}", &act), 0);
    assert_string_equal(act.to.context, "default");
    assert_string_equal(act.to.extension, "2001");
    assert_string_equal(act.to.priority, "1");
    assert_string_equal(act.reason, "sales");
    assert_int_equal(call(BUILTIN_TRANSFER, &names_only, "{\"target\":\"the \\\"boss\\\"\"}", &act), 0);
    assert_string_equal(act.to.context, "private");
    assert_string_equal(act.reason, "the  boss ");
}

static void test_transfer_elsewhere(void **state)
{
    static const char *const bad[] = {
        "{}", "{\"target\":\"\"}", "{\"target\":\"2001\"}", "{\"target\":\"Sales\"}", "{\"target\":\"sales \"}", "{\"target\":\"sales,1\"}",
        "{\"target\":\"sales&PJSIP/evil\"}", "{\"target\":null}", "{\"target\":[\"sales\"]}", "{\"target\":\"PJSIP/0190123456\"}",
    };
    struct builtin_act act;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(call(BUILTIN_TRANSFER, &names_only, bad[i], &act), 0);
        assert_int_not_equal(call(BUILTIN_TRANSFER, &nothing, bad[i], &act), 0);
    }
}

static void test_transfer_by_number(void **state)
{
    static const struct {
        const char *target;
        bool is_good;
    } all[] = {
        { "2000", true },   { "2099", true }, { "319", true },  { "392", true },  { "911", true },     { "sales", true },
        { "2100", false },  { "200", false }, { "20000", false }, { "302", false }, { "311", false },  { "912", false },
        { "20X0", false },  { "2o00", false }, { "+2000", false }, { "2000@x", false }, { "20 0", false }, { "\xd9\xa2\xd9\xa0", false },
        { "the \\\"boss\\\"", false },
    };
    struct builtin_act act;
    char args[100];

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(args, sizeof args, "{\"target\":\"%s\"}", all[i].target);
        if ((call(BUILTIN_TRANSFER, &numbers_too, args, &act) == 0) != all[i].is_good)
            fail_msg("%s", all[i].target);
    }
    assert_int_equal(call(BUILTIN_TRANSFER, &numbers_too, "{\"target\":\"2042\"}", &act), 0);
    assert_string_equal(act.to.context, "inside");
    assert_string_equal(act.to.extension, "2042");
    assert_string_equal(act.to.priority, "1");
}

static void test_patterns_and_variables(void **state)
{
    (void)state;
    assert_true(builtin_is_pattern(TEXT("20XZN")));
    assert_false(builtin_is_pattern(TEXT("")));
    assert_false(builtin_is_pattern(TEXT("2X.")));
    assert_false(builtin_is_pattern(TEXT("2x")));
    assert_true(builtin_is_variable(TEXT("TOPIC")) && builtin_is_variable(TEXT("__inherited_2")));
    assert_false(builtin_is_variable(TEXT("")) || builtin_is_variable(TEXT("2X")) || builtin_is_variable(TEXT("SHELL(id)")) ||
                 builtin_is_variable(TEXT("CALLERID(num)")) || builtin_is_variable(TEXT("sidetone_status")) || builtin_is_variable(TEXT("A B")));
}

static void test_the_others(void **state)
{
    struct builtin_act act;

    (void)state;
    assert_int_equal(call(BUILTIN_SET_VARIABLE, &names_only, "{\"name\":\"TOPIC\",\"value\":\"cars\"}", &act), 0);
    assert_true(text_eq(act.name, TEXT("TOPIC")));
    assert_int_not_equal(call(BUILTIN_SET_VARIABLE, &names_only, "{\"name\":\"OTHER\",\"value\":\"cars\"}", &act), 0);
    assert_int_equal(call(BUILTIN_SET_VARIABLE, &nothing, "{\"name\":\"TOPIC\",\"value\":\"cars\"}", &act), -EACCES);
    assert_int_equal(call(BUILTIN_SWITCH_AGENT, &names_only, "{\"agent\":\"support\"}", &act), 0);
    assert_true(text_eq(act.name, TEXT("support")));
    assert_int_equal(call(BUILTIN_SWITCH_AGENT, &nothing, "{\"agent\":\"support\"}", &act), -EACCES);
    assert_int_equal(call(BUILTIN_HAND_BACK, &nothing, "{}", &act), 0);
    assert_string_equal(act.reason, "agent");
    assert_int_equal(call(BUILTIN_HAND_BACK, &nothing, "{\"reason\":\"a\\r\\nb, ${SHELL(id)} \xc3\xa9\"}", &act), 0);
    assert_string_equal(act.reason, "a  b    SHELL id     ");
    assert_int_equal(call(BUILTIN_HANG_UP, &nothing, "{\"reason\":7}", &act), 0);
    assert_string_equal(act.reason, "agent");
    assert_int_equal(call(BUILTIN_TAKE_MESSAGE, &nothing, "{\"text\":\"x\"}", &act), -EINVAL); /* tools.run's */
}

/* ---- what is left for the dialplan ---- */

static void cleans(const char *from, size_t size, const char *to)
{
    char out[300];

    talk_value_clean(out, size, text_of(from));
    assert_string_equal(out, to);
}

static void test_values_are_cleaned(void **state)
{
    (void)state;
    cleans("  plain words  ", 300, "plain words");
    cleans("a,b&c|d^e\"f`g$h{i}j[k]l(m)n<o>p;q\\r\ts\x7ft", 300, "a b c d e f g h i j k l m n o p q r s t");
    cleans("a@b/c:d-e_f.g#h*i'j+k?l!m=n%o~p", 300, "a@b/c:d-e_f.g#h*i'j+k?l!m=n%o~p");
    cleans("\xc3\xa9t\xc3\xa9", 300, "\xc3\xa9t\xc3\xa9");
    cleans("12345", 4, "123");
    cleans("12\xc3\xa9", 4, "12");  /* no half characters */
    cleans("1\xe2\x82\xac", 4, "1");
    cleans("\xf0\x9f\x98\x80x", 5, "\xf0\x9f\x98\x80");
    cleans("\x80\x80\x80\x80\x80", 4, "\x80\x80\x80");
}

static void test_variables_are_kept(void **state)
{
    struct talk_after a = { .context = "" };
    char name[20];

    (void)state;
    assert_true(talk_after_is_empty(&a));
    assert_int_equal(talk_after_set(&a, TEXT("A"), TEXT("one")), 0);
    assert_int_equal(talk_after_set(&a, TEXT("A"), TEXT("two,three")), 0);
    assert_int_equal(a.variable_count, 1);
    assert_string_equal(a.variables[0].value, "two three");
    assert_false(talk_after_is_empty(&a));
    for (int i = 1; i < TALK_VARIABLES_MAX; i++) {
        snprintf(name, sizeof name, "B%d", i);
        assert_int_equal(talk_after_set(&a, text_of(name), TEXT("x")), 0);
    }
    assert_int_equal(talk_after_set(&a, TEXT("C"), TEXT("x")), -ENOBUFS);
    assert_int_equal(talk_after_set(&a, TEXT("B3"), TEXT("y")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_a_name_and_a_schema),
        cmocka_unit_test(test_transfer_by_name),
        cmocka_unit_test(test_transfer_elsewhere),
        cmocka_unit_test(test_transfer_by_number),
        cmocka_unit_test(test_patterns_and_variables),
        cmocka_unit_test(test_the_others),
        cmocka_unit_test(test_values_are_cleaned),
        cmocka_unit_test(test_variables_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
