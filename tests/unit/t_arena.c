/* Small takes, one ceiling, one reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "fail_alloc.h"

static void test_takes_are_aligned_zeroed_and_apart(void **state)
{
    struct arena *a;
    unsigned char *p[200];

    (void)state;
    assert_int_equal(arena_new(&a, 64 * 1024), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            p[i] = arena_take(a, 100);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            for (int k = 0; k < 100; k++)
                assert_int_equal(p[i][k], 0);
            memset(p[i], i, 100);
        }
        for (int i = 0; i < 200; i++)
            for (int k = 0; k < 100; k++)
                assert_int_equal(p[i][k], i);
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
    arena_free(a);
}

static void test_ceiling(void **state)
{
    struct arena *a;
    size_t got = 0;

    (void)state;
    assert_int_equal(arena_new(&a, 10000), 0);
    while (arena_take(a, 160))
        got += 160;
    assert_in_range(got, 8000, 10000);
    assert_null(arena_take(a, 20000));
    arena_reset(a);
    assert_non_null(arena_take(a, 5000));
    arena_free(a);
}

static void test_text_is_terminated(void **state)
{
    struct arena *a;

    (void)state;
    assert_int_equal(arena_new(&a, 1000), 0);
    assert_string_equal(arena_text(a, TEXT("abc")), "abc");
    assert_string_equal(arena_text(a, TEXT_NONE), "");
    arena_free(a);
}

static void test_memory_shortage(void **state)
{
    struct arena *a = NULL;

    (void)state;
    fail_alloc_at(1);
    assert_int_equal(arena_new(&a, 1000), -ENOMEM);
    fail_alloc_at(2);
    assert_int_equal(arena_new(&a, 1000), -ENOMEM);
    fail_alloc_off();
    assert_int_equal(arena_new(&a, 100000), 0);
    fail_alloc_at(1);
    assert_null(arena_take(a, 5000));
    fail_alloc_off();
    assert_non_null(arena_take(a, 5000));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_are_aligned_zeroed_and_apart),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_text_is_terminated),
        cmocka_unit_test(test_memory_shortage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
