/* Growing up to the ceiling, sticking errors, escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "fail_alloc.h"

static void test_ceiling_is_exact_and_sticks(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_add(&b, "abcde", 5), 0);
    assert_int_equal(buf_add_char(&b, 'f'), -ENOBUFS);
    assert_int_equal(buf_add(&b, "", 0), -ENOBUFS);
    assert_true(text_eq(buf_text(&b), TEXT("abcde")));
    buf_clear(&b);
    assert_int_equal(buf_addf(&b, "%d", 12345), 0);
    assert_int_equal(buf_addf(&b, "%d", 1), -ENOBUFS);
    assert_true(text_eq(buf_text(&b), TEXT("12345")));
    buf_free(&b);
}

static void test_drop_and_cstr(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_addf(&b, "%s", "hello world");
    buf_drop(&b, 6);
    assert_string_equal(buf_cstr(&b), "world");
    assert_int_equal(b.n, 5);
    buf_drop(&b, 99);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void test_json_escapes_and_mends_utf8(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 200);
    buf_add_json(&b, text_make("a\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80", 11));
    assert_string_equal(buf_cstr(&b), "a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    buf_free(&b);
}

static void test_url_escapes(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_add_url(&b, text_make("c1;2 /\0", 7));
    assert_string_equal(buf_cstr(&b), "c1%3B2%20%2F%00");
    buf_free(&b);
}

static void test_memory_shortage_sticks(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct buf b;
        int err = 0;

        buf_init(&b, 1000);
        fail_alloc_at(n);
        for (int i = 0; i < 300; i++)
            err = buf_add(&b, "abc", 3);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            assert_int_equal(b.n, 900);
            buf_free(&b);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        buf_free(&b);
    }
    fail_alloc_off();
}

static void t_integers(void **state)
{
    static const struct {
        int64_t number;
        const char *text;
    } rows[] = { { 0, "0" }, { 7, "7" }, { -7, "-7" }, { 1000, "1000" }, { INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" } };
    struct buf b;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_init(&b, 20);
        assert_int_equal(buf_add_int(&b, rows[i].number), 0);
        assert_string_equal(buf_cstr(&b), rows[i].text);
        buf_free(&b);
    }
    buf_init(&b, 2);
    assert_int_equal(buf_add_int(&b, 123), -ENOBUFS);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_integers),
        cmocka_unit_test(test_ceiling_is_exact_and_sticks), cmocka_unit_test(test_drop_and_cstr),
        cmocka_unit_test(test_json_escapes_and_mends_utf8), cmocka_unit_test(test_url_escapes),
        cmocka_unit_test(test_memory_shortage_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
