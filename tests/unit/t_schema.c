/* schema.c and tool_args.c: what a schema may say, what arguments it takes, and how those are read, written and masked. */
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

#include "call/schema.h"
#include "call/tool_args.h"
#include "fail_alloc.h"

#define ORDER                                                                                                                    \
    "{\"type\":\"object\",\"title\":\"An order\",\"additionalProperties\":false,\"required\":[\"id\",\"kind\"],\"properties\":{"          \
    "\"id\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":5,\"description\":\"number\"},"                                        \
    "\"kind\":{\"type\":\"string\",\"enum\":[\"new\",\"old\"]},"                                                                      \
    "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},\"price\":{\"type\":\"number\"},\"now\":{\"type\":\"boolean\"},"       \
    "\"none\":{\"type\":\"null\"},\"level\":{\"enum\":[1,true,null]},"                                                                \
    "\"lines\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"object\",\"required\":[\"sku\"],"                  \
    "\"properties\":{\"sku\":{\"type\":\"string\"}}}}}}"

static struct schema *made(const char *json)
{
    char why[SCHEMA_WHY_MAX];
    struct schema *s = NULL;

    if (schema_new(&s, text_of(json), why))
        fail_msg("%s: %s", json, why);
    return s;
}

static void refused(const char *json, const char *says)
{
    char why[SCHEMA_WHY_MAX] = "";
    struct schema *s = NULL;

    assert_int_equal(schema_new(&s, text_of(json), why), -EINVAL);
    assert_null(s);
    if (!strstr(why, says))
        fail_msg("%s: \"%s\", expected \"%s\"", json, why, says);
}

static void test_schemas_that_are_no_good(void **state)
{
    char deep[2000] = "{\"type\":\"object\",\"properties\":{\"a\":";

    (void)state;
    refused("", "not JSON");
    refused("{\"type\":\"object\"", "not JSON");
    refused("{\"type\":\"object\"} x", "not JSON");
    refused("[]", "\"type\":\"object\"");
    refused("{\"type\":\"string\"}", "\"type\":\"object\"");
    refused("{\"type\":[\"object\"]}", "\"type\":\"object\"");
    refused("{\"type\":\"object\",\"oneOf\":[]}", "keyword \"oneOf\", which is not obeyed");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^x\"}}}", "a has the keyword \"pattern\"");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}}}", "$ref");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"text\"}}}", "a has a \"type\" that is no good");
    refused("{\"type\":\"object\",\"properties\":{\"a\":7}}", "a is no schema");
    refused("{\"type\":\"object\",\"properties\":[]}", "no object");
    refused("{\"type\":\"object\",\"required\":[\"a\"]}", "requires \"a\"");
    refused("{\"type\":\"object\",\"required\":\"a\"}", "no list");
    refused("{\"type\":\"object\",\"required\":[7]}", "no name");
    refused("{\"type\":\"object\",\"additionalProperties\":{}}", "additionalProperties");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[]}}}", "enum");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"minLength\":-1}}}", "minLength");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"maxItems\":1.5}}}", "maxItems");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"minimum\":\"1\"}}}", "minimum");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":[]}}}", "is no schema");
    for (int i = 0; i < 40; i++)
        strcat(deep, "{\"items\":");
    strcat(deep, "7");
    for (int i = 0; i < 42; i++)
        strcat(deep, "}");
    refused(deep, "deep");
}

static void test_properties(void **state)
{
    struct schema *s = made(ORDER);

    (void)state;
    assert_true(schema_has(s, TEXT("lines")) && !schema_has(s, TEXT("line")) && !schema_has(s, TEXT("sku")));
    assert_true(schema_requires(s, TEXT("id")) && !schema_requires(s, TEXT("lines")));
    schema_free(s);
}

/* says: NULL when it is taken. */
static void judge(const struct schema *s, const char *json, const char *says)
{
    char why[SCHEMA_WHY_MAX] = "";
    cJSON *v = cJSON_Parse(json);
    bool is_taken;

    assert_non_null(v);
    is_taken = schema_accepts(s, v, why);
    if (is_taken != !says || (says && strcmp(why, says) != 0))
        fail_msg("%s: %s \"%s\", expected \"%s\"", json, is_taken ? "taken" : "refused", why, says ? says : "");
    assert_true(strlen(why) < SCHEMA_WHY_MAX);
    cJSON_Delete(v);
}

static void test_values(void **state)
{
    struct schema *s = made(ORDER);

    (void)state;
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\"}", NULL);
    judge(s, "{\"id\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\x9f\",\"kind\":\"old\",\"count\":10,\"price\":1e3,\"now\":false,\"none\":null,\"level\":true,"
             "\"lines\":[{\"sku\":\"x\",\"more\":[1]}]}", NULL);
    judge(s, "[]", "the object has to be an object");
    judge(s, "{}", "id is missing");
    judge(s, "{\"id\":\"a1\"}", "kind is missing");
    judge(s, "{\"id\":\"a\",\"kind\":\"new\"}", "id has to be at least 2 characters long");
    judge(s, "{\"id\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\x9fx\",\"kind\":\"new\"}", "id has to be at most 5 characters long");
    judge(s, "{\"id\":7,\"kind\":\"new\"}", "id has to be a text");
    judge(s, "{\"id\":\"a1\",\"kind\":\"New\"}", "kind has to be one of: new, old");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"count\":1.5}", "count has to be a whole number");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"count\":1e300}", "count has to be a whole number");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"count\":0}", "count has to be at least 1");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"count\":11}", "count has to be at most 10");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"count\":\"3\"}", "count has to be a whole number");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"price\":1e999}", "price has to be a number");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"now\":1}", "now has to be true or false");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"level\":2}", "level has to be one of: ");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"extra\":2}", "extra is not known here");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"id\":\"b2\"}", "id is given twice");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"lines\":[]}", "lines has to be at least 1 elements long");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"lines\":[{\"sku\":\"a\"},{\"sku\":\"b\"},{\"sku\":\"c\"}]}", "lines has to be at most 2 elements long");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"lines\":[{\"sku\":\"a\"},{\"sku\":2}]}", "lines[1].sku has to be a text");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"lines\":[{}]}", "lines[0].sku is missing");
    judge(s, "{\"id\":\"a1\",\"kind\":\"new\",\"lines\":{}}", "lines has to be a list");
    schema_free(s);
}

static void test_ceilings(void **state)
{
    struct schema *s = made("{\"type\":\"object\"}");
    char why[SCHEMA_WHY_MAX], name[600];
    cJSON *many = cJSON_CreateObject();

    (void)state;
    for (int i = 0; i <= SCHEMA_MEMBERS_MAX; i++) {
        snprintf(name, sizeof name, "a%d", i);
        cJSON_AddNullToObject(many, name);
    }
    assert_false(schema_accepts(s, many, why));
    assert_non_null(strstr(why, "more than 128 members"));
    cJSON_Delete(many);
    schema_free(s);
    /* a name as long as it likes: the sentence stays short */
    s = made("{\"type\":\"object\",\"additionalProperties\":false}");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    many = cJSON_CreateObject();
    cJSON_AddNullToObject(many, name);
    assert_false(schema_accepts(s, many, why));
    assert_true(strlen(why) < 100);
    cJSON_Delete(many);
    schema_free(s);
}

static void test_without_memory(void **state)
{
    char why[SCHEMA_WHY_MAX];
    struct schema *s;

    (void)state;
    fail_alloc_at(1);              /* cJSON's own are not counted */
    assert_int_equal(schema_new(&s, TEXT(ORDER), why), -ENOMEM);
    fail_alloc_off();
}

/* ---- arguments ---- */

static void reads(const char *raw, const char *written)
{
    const char *why = NULL;
    cJSON *args = NULL;
    const int err = tool_args_read(&args, text_of(raw), &why);
    char *again;

    if (!written) {
        assert_int_equal(err, -EINVAL);
        assert_non_null(why);
        return;
    }
    assert_int_equal(err, 0);
    again = tool_args_write(args);
    assert_string_equal(again, written);
    free(again);
    cJSON_Delete(args);
}

static void test_arguments(void **state)
{
    static char endless[TOOL_ARGS_MAX + 2];

    (void)state;
    reads("", "{}");
    reads(" \n", "{}");
    reads(" {\"a\" : [1, 2.5, \"x\"] }\n", "{\"a\":[1,2.5,\"x\"]}");
    reads("null", NULL);
    reads("[1]", NULL);
    reads("\"{}\"", NULL);
    reads("{broken", NULL);
    reads("{} {}", NULL);
    reads("{}x", NULL);
    reads("{\"a\":\"sales\\u0000evil\"}", NULL);
    reads("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}", "{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}");
    reads("{\"a\":\"\xaf\xaf\"}", NULL);   /* found by fuzzing: no characters, so no limit of them held */
    reads("{\"a\":\"\xc3\"}", NULL);
    memset(endless, ' ', sizeof endless - 1);
    endless[0] = '{';
    endless[TOOL_ARGS_MAX] = '}';
    reads(endless, NULL);
    endless[TOOL_ARGS_MAX - 1] = '}';
    endless[TOOL_ARGS_MAX] = '\0';
    reads(endless, "{}");
}

static void masks(const char *from, const char *to)
{
    char text[200];

    strcpy(text, from);
    tool_args_mask(text);
    assert_string_equal(text, to);
}

static void test_masks(void **state)
{
    (void)state;
    masks("", "");
    masks("{\"n\":\"5551234567\",\"k\":3}", "{\"n\":\"**********\",\"k\":3}");
    masks("+49 (30) 123-45 67 x", "+** (**) ***-** ** x");
    masks("call 1 2 3 4", "call * * * *");
    masks("123 and 456", "123 and 456");
    masks("{\"a\":12,\"b\":34,\"c\":56}", "{\"a\":12,\"b\":34,\"c\":56}");
    masks("1234", "****");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas_that_are_no_good),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_masks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
