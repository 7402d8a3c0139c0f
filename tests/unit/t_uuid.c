/* Text form and back; version and variant bits; nonsense is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"

static void test_round_trip(void **state)
{
    char t[UUID_TEXT + 1];
    struct uuid a, b;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uuid_make(&a);
        uuid_format(&a, t);
        assert_int_equal(strlen(t), UUID_TEXT);
        assert_int_equal(t[14], '4');
        assert_non_null(strchr("89ab", t[19]));
        assert_int_equal(uuid_parse(text_of(t), &b), 0);
        assert_true(uuid_equal(&a, &b));
        b.bytes[i % 16] ^= 1;
        assert_false(uuid_equal(&a, &b));
    }
}

static void test_nonsense_is_refused(void **state)
{
    struct uuid u;

    (void)state;
    assert_int_equal(uuid_parse(TEXT("40325ec2-5efd-4bd3-805f-53576e581d13"), &u), 0);
    assert_int_equal(u.bytes[0], 0x40);
    assert_int_equal(u.bytes[15], 0x13);
    assert_int_equal(uuid_parse(TEXT("40325ec2-5efd-4bd3-805f-53576e581d1"), &u), -EINVAL);
    assert_int_equal(uuid_parse(TEXT("40325ec2+5efd-4bd3-805f-53576e581d13"), &u), -EINVAL);
    assert_int_equal(uuid_parse(TEXT("4032Xec2-5efd-4bd3-805f-53576e581d13"), &u), -EINVAL);
    assert_int_equal(uuid_parse(TEXT_NONE, &u), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
