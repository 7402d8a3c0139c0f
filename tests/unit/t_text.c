/* Runs of bytes: cutting, reading, comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_cut_keeps_empty_parts(void **state)
{
    struct text rest = TEXT("a,,b"), head;

    (void)state;
    assert_true(text_cut(&rest, ',', &head));
    assert_true(text_eq(head, TEXT("a")));
    assert_true(text_cut(&rest, ',', &head));
    assert_int_equal(head.n, 0);
    assert_true(text_cut(&rest, ',', &head));
    assert_true(text_eq(head, TEXT("b")));
    assert_false(text_cut(&rest, ',', &head));
}

static void test_numbers(void **state)
{
    int64_t v = 7;

    (void)state;
    assert_int_equal(text_to_i64(TEXT("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(text_to_i64(TEXT("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(text_to_i64(TEXT("9223372036854775808"), &v), -ERANGE);
    assert_true(v == INT64_MAX);
    assert_int_equal(text_to_i64(TEXT(""), &v), -EINVAL);
    assert_int_equal(text_to_i64(TEXT("-"), &v), -EINVAL);
    assert_int_equal(text_to_i64(TEXT("1x"), &v), -EINVAL);
}

static void test_durations_and_sizes(void **state)
{
    int64_t v;

    (void)state;
    assert_int_equal(text_to_ms(TEXT("800ms"), &v), 0);
    assert_int_equal(v, 800);
    assert_int_equal(text_to_ms(TEXT("5 m"), &v), 0);
    assert_int_equal(v, 300000);
    assert_int_equal(text_to_ms(TEXT("-5s"), &v), -EINVAL);
    assert_int_equal(text_to_ms(TEXT("9223372036854775807h"), &v), -ERANGE);
    assert_int_equal(text_to_bytes(TEXT("64k"), &v), 0);
    assert_int_equal(v, 65536);
    assert_int_equal(text_to_bytes(TEXT("64q"), &v), -EINVAL);
}

static void test_bool(void **state)
{
    bool b = false;

    (void)state;
    assert_int_equal(text_to_bool(TEXT("YES"), &b), 0);
    assert_true(b);
    assert_int_equal(text_to_bool(TEXT("off"), &b), 0);
    assert_false(b);
    assert_int_equal(text_to_bool(TEXT("maybe"), &b), -EINVAL);
}

static void test_trim_and_search(void **state)
{
    (void)state;
    assert_true(text_eq(text_trim(TEXT(" \t a b \r\n")), TEXT("a b")));
    assert_int_equal(text_trim(TEXT(" \n")).n, 0);
    assert_int_equal(text_find(TEXT("abca"), 'a'), 0);
    assert_int_equal(text_rfind(TEXT("abca"), 'a'), 3);
    assert_int_equal(text_find(TEXT_NONE, 'a'), -1);
    assert_int_equal(text_find_text(TEXT("hello"), TEXT("llo")), 2);
    assert_true(text_starts_nocase(TEXT("Failure x"), TEXT("failure")));
    assert_false(text_starts(TEXT("fa"), TEXT("failure")));
    assert_true(text_ends(TEXT("a.wav"), TEXT(".wav")));
    assert_false(text_is_one_line(TEXT("a\nb")));
    assert_true(text_is_one_line(TEXT("gr\xc3\xbc\xc3\x9f")));
}

static void test_distance_names_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(text_distance(TEXT("deadlin"), TEXT("deadline")), 1);
    assert_int_equal(text_distance(TEXT("kitten"), TEXT("sitting")), 3);
    assert_int_equal(text_distance(TEXT(""), TEXT("abc")), 3);
}

static void test_copy_cuts_and_terminates(void **state)
{
    char out[4];

    (void)state;
    assert_int_equal(text_copy(out, sizeof out, TEXT("abcdef")), 3);
    assert_string_equal(out, "abc");
    assert_int_equal(text_copy(out, sizeof out, TEXT_NONE), 0);
    assert_string_equal(out, "");
}

static void test_order(void **state)
{
    (void)state;
    assert_true(text_order(TEXT("ab"), TEXT("b")) < 0);
    assert_true(text_order(TEXT("a"), TEXT("ab")) < 0);
    assert_true(text_order(TEXT("ab"), TEXT("a")) > 0);
    assert_true(text_order(TEXT_NONE, TEXT("a")) < 0);
    assert_true(text_order(TEXT("\xff"), TEXT("a")) > 0); /* bytes, no signed characters */
    assert_int_equal(text_order(TEXT("ab"), TEXT("ab")), 0);
    assert_int_equal(text_order(TEXT_NONE, TEXT("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cut_keeps_empty_parts), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations_and_sizes),   cmocka_unit_test(test_bool),
        cmocka_unit_test(test_trim_and_search),       cmocka_unit_test(test_distance_names_the_nearest),
        cmocka_unit_test(test_copy_cuts_and_terminates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
