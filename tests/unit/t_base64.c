/* base64.c: the examples of RFC 4648, every length, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "fail_alloc.h"

static void test_examples(void **state)
{
    static const char *const pairs[][2] = { { "", "" },         { "f", "Zg==" },         { "fo", "Zm8=" },        { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        unsigned char back[16];
        struct buf b;
        size_t n = 99;

        buf_init(&b, 64);
        assert_int_equal(base64_write(&b, pairs[i][0], strlen(pairs[i][0])), 0);
        assert_int_equal(b.n, strlen(pairs[i][1]));
        assert_string_equal(buf_cstr(&b), pairs[i][1]);
        assert_int_equal(base64_read(buf_text(&b), back, &n), 0);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(back, pairs[i][0], n);
        buf_free(&b);
    }
}

static void test_all_bytes_at_all_lengths(void **state)
{
    unsigned char bytes[256], back[258];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 167);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf b;
        size_t got;

        buf_init(&b, 1024);
        assert_int_equal(base64_write(&b, bytes, n), 0);
        assert_int_equal(b.n, base64_size(n));
        assert_int_equal(base64_read(buf_text(&b), back, &got), 0);
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
        buf_free(&b);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = { "A", "AB", "ABC", "A===", "====", "AB=C", "=ABC", "AB==ABCD", "AB*D", "AB D", "AB\nD", "\xff\xff\xff\xff", "!!!!" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char out[16];
        size_t n;

        if (base64_read(text_of(bad[i]), out, &n) == 0)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_ceiling_and_memory(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 7);
    assert_int_not_equal(base64_write(&b, "foobar", 6), 0);
    assert_int_equal(b.n, 0);
    buf_free(&b);
    buf_init(&b, 64);
    fail_alloc_at(1);
    assert_int_not_equal(base64_write(&b, "foobar", 6), 0);
    fail_alloc_off();
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_all_bytes_at_all_lengths),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ceiling_and_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
