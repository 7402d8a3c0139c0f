/* Quantiles against a sorted array: the slot's width is the only error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hist.h"

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void test_quantiles_match_a_sorted_array(void **state)
{
    enum { COUNT = 5000 };
    static int64_t v[COUNT];
    static struct hist h;
    uint64_t seed = 42;
    const double q[] = { 0.01, 0.5, 0.9, 0.99, 0.999, 1.0 };

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        v[i] = (int64_t)((seed >> 33) % (1u << (1 + (unsigned)i % 30)));
        hist_add(&h, v[i]);
    }
    qsort(v, COUNT, sizeof *v, by_value);
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        size_t rank = (size_t)(q[i] * COUNT + 0.999999);
        const int64_t truth = v[rank - 1], told = hist_quantile(&h, q[i]);

        assert_true(told >= truth);
        assert_true((double)told <= (double)truth * 1.016 + 1);
    }
    assert_int_equal(h.count, COUNT);
    assert_int_equal(h.max, v[COUNT - 1]);
    assert_int_equal(h.min, v[0]);
}

static void test_edges(void **state)
{
    static struct hist h, other;

    (void)state;
    assert_int_equal(hist_quantile(&h, 0.5), 0);
    hist_add(&h, -5);
    assert_int_equal(hist_quantile(&h, 1), 0);
    hist_add(&h, INT64_MAX);
    assert_true(hist_quantile(&h, 1) > 0);
    for (int64_t i = 0; i < 128; i++) {
        hist_reset(&other);
        hist_add(&other, i);
        hist_add(&other, 1 << 20);
        assert_true(hist_quantile(&other, 0.5) >= i && hist_quantile(&other, 0.5) <= i + 1);
    }
    hist_merge(&h, &other);
    assert_int_equal(h.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_match_a_sorted_array),
        cmocka_unit_test(test_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
