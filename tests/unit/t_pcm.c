/* Levels, mixing that saturates, fades. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audio/pcm.h"

static void test_levels(void **state)
{
    const int16_t square[] = {1000, -1000, 1000, -1000};
    const int16_t low[] = {INT16_MIN, INT16_MIN};

    (void)state;
    assert_int_equal(pcm_rms(square, 4), 1000);
    assert_int_equal(pcm_rms(square, 0), 0);
    assert_int_equal(pcm_rms(low, 2), 32767);
    assert_int_equal(pcm_peak(low, 2), 32767);
    assert_int_equal(pcm_peak(square, 0), 0);
    assert_true(pcm_dbfs(0) == -120.0);
    assert_true(pcm_dbfs(32767) > -0.001 && pcm_dbfs(32767) < 0.0);
    assert_true(pcm_dbfs(3277) > -20.01 && pcm_dbfs(3277) < -19.99);
}

static void test_mix_saturates(void **state)
{
    int16_t into[] = {30000, -30000, 5};
    const int16_t from[] = {10000, -10000, -7};

    (void)state;
    pcm_mix(into, from, 3);
    assert_int_equal(into[0], INT16_MAX);
    assert_int_equal(into[1], INT16_MIN);
    assert_int_equal(into[2], -2);
}

static void test_fade(void **state)
{
    int16_t s[256];

    (void)state;
    for (int i = 0; i < 256; i++)
        s[i] = 10000;
    pcm_fade(s, 256, 256, 0);
    assert_int_equal(s[0], 10000);
    assert_int_equal(s[128], 5000);
    for (int i = 1; i < 256; i++)
        assert_true(s[i] < s[i - 1] && s[i] > 0);
    pcm_fade(s, 0, 256, 0); /* nothing to do, nothing divided by */
    s[0] = INT16_MIN;
    pcm_fade(s, 1, 512, 512);
    assert_int_equal(s[0], INT16_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_mix_saturates),
        cmocka_unit_test(test_fade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
