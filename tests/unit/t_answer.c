/* Marks: filled from JSON, missing ones told, hostile JSON an ordinary result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "ai/answer.h"

static void check(const char *words, const char *json, int err, const char *want)
{
    struct buf b;

    buf_init(&b, 200);
    assert_int_equal(answer_fill(&b, text_of(words), text_of(json)), err);
    if (!err)
        assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void test_fill(void **state)
{
    (void)state;
    check("We are open.", "{}", 0, "We are open.");
    check("From {opens} to {closes}.", "{\"opens\":\"nine\",\"closes\":17}", 0, "From nine to 17.");
    check("{a}{a} {b}", "{\"a\":2.5,\"b\":true}", 0, "2.52.5 yes");
    check("{n}", "{\"n\":-3}", 0, "-3");
    check("a } b", "{}", 0, "a } b");
}

static void test_refusals(void **state)
{
    (void)state;
    check("{x}", "{}", -ENOENT, NULL);
    check("{x}", "{\"X\":1}", -ENOENT, NULL);
    check("{x}", "{\"x\":null}", -ENOENT, NULL);
    check("{x}", "{\"x\":{}}", -ENOENT, NULL);
    check("{x}", "{\"x\":[1]}", -ENOENT, NULL);
    check("{x}", "\"x\"", -EBADMSG, NULL);
    check("{x}", "", -EBADMSG, NULL);
    check("{x}", "{\"x\":", -EBADMSG, NULL);
    check("{x}", NULL, -EBADMSG, NULL);
    check("x", "[]", -EBADMSG, NULL);
}

static void test_every_cut_of_the_json(void **state)
{
    const char json[] = "{\"opens\":\"nine\",\"closes\":17}";

    (void)state;
    for (size_t n = 0; n < sizeof json - 1; n++) {
        struct buf b;
        buf_init(&b, 200);
        char *cut = malloc(n + 1); /* exact size: a read past the end is seen by the checker */
        memcpy(cut, json, n);
        assert_int_equal(answer_fill(&b, TEXT("{opens}"), text_make(cut, n)), -EBADMSG);
        free(cut);
        buf_free(&b);
    }
}

static void test_ceiling(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(answer_fill(&b, TEXT("{a}"), TEXT("{\"a\":\"12345678901\"}")), -ENOBUFS);
    buf_clear(&b);
    assert_int_equal(answer_put(&b, TEXT("x {t}"), TEXT("t"), TEXT("123456789")), -ENOBUFS);
    buf_free(&b);
    char *huge = malloc(70000);
    memset(huge, ' ', 70000);
    buf_init(&b, 10);
    assert_int_equal(answer_fill(&b, TEXT("a"), text_make(huge, 70000)), -EBADMSG);
    free(huge);
    buf_free(&b);
}

static void test_put(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(answer_put(&b, TEXT("Did you say {title}?"), TEXT("title"), TEXT("a {b} c")), 0);
    assert_string_equal(buf_cstr(&b), "Did you say a {b} c?"); /* what was put in is not looked at again */
    buf_free(&b);
}

static void test_digits(void **state)
{
    const struct agent_intent in[] = {
        {.title = TEXT("our hours"), .digit = '1'},
        {.title = TEXT("nothing")},
        {.title = TEXT("our address"), .digit = '*'},
        {.title = TEXT("a colleague"), .digit = '0'},
    };
    struct agent_file a = {.intents = in, .intent_count = 4};
    struct buf b;

    (void)state;
    buf_init(&b, 200);
    assert_int_equal(answer_digits(&b, &a), 0);
    assert_string_equal(buf_cstr(&b), "1 for our hours, star for our address or 0 for a colleague");
    buf_clear(&b);
    a.intent_count = 1;
    assert_int_equal(answer_digits(&b, &a), 0);
    assert_string_equal(buf_cstr(&b), "1 for our hours");
    buf_clear(&b);
    a.intent_count = 0;
    assert_int_equal(answer_digits(&b, &a), 0);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),    cmocka_unit_test(test_refusals), cmocka_unit_test(test_every_cut_of_the_json),
        cmocka_unit_test(test_ceiling), cmocka_unit_test(test_put),      cmocka_unit_test(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
