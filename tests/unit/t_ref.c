/* The last drop runs the destructor, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ref.h"

struct thing {
    int *ended;
    struct thing *other;
};

static void thing_end(void *obj)
{
    struct thing *t = obj;

    ++*t->ended;
    ref_hold(t); /* a destructor may hold and drop what it passes on, without coming back to life */
    ref_drop(t);
    t->other = ref_drop(t->other);
}

static void test_last_drop_destroys_once(void **state)
{
    int ended = 0;
    struct thing *a = ref_new(sizeof *a, thing_end), *b = ref_new(sizeof *b, thing_end);

    (void)state;
    a->ended = b->ended = &ended;
    a->other = ref_hold(b);
    assert_ptr_equal(ref_hold(a), a);
    assert_null(ref_drop(a));
    assert_int_equal(ended, 0);
    assert_null(ref_drop(b));
    assert_int_equal(ended, 0);
    assert_null(ref_drop(a));
    assert_int_equal(ended, 2);
}

static void test_null_passes_and_memory_is_clean(void **state)
{
    unsigned char *p = ref_new(100, NULL);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    assert_null(ref_drop(p));
    assert_null(ref_drop(NULL));
    assert_null(ref_hold(NULL));
    assert_null(ref_new(SIZE_MAX, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_drop_destroys_once),
        cmocka_unit_test(test_null_passes_and_memory_is_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
