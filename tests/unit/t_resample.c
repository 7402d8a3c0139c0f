/* Rates: level, length and frequency survive; the cut of the stream does not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "audio/pcm.h"
#include "audio/resample.h"
#include "fail_alloc.h"

enum { N = 8000 };

static void tone(int16_t *s, size_t n, double hz, double rate)
{
    for (size_t i = 0; i < n; i++)
        s[i] = (int16_t)lrint(10000 * sin(2 * M_PI * hz * (double)i / rate));
}

static int crossings(const int16_t *s, size_t n)
{
    int count = 0;
    for (size_t i = 1; i < n; i++)
        count += s[i - 1] < 0 && s[i] >= 0;
    return count;
}

static void check_clip(unsigned from, unsigned to)
{
    int16_t *in = malloc(from * sizeof *in), *out = NULL;
    size_t n = 0;

    tone(in, from, 1000, from);
    assert_int_equal(resample_clip(in, from, from, to, &out, &n), 0);
    assert_int_equal(n, to); /* one second stays one second */
    assert_in_range(crossings(out, n), 997, 1003);
    assert_in_range(pcm_rms(out + n / 4, n / 2), 6900, 7200);       /* 10000 / sqrt 2 */
    assert_in_range(pcm_rms(out, n / 50), 6300, 7400);              /* no delay at the front, */
    assert_in_range(pcm_rms(out + n - n / 50, n / 50), 6300, 7400); /* no missing tail */
    free(out);
    free(in);
}

static void test_clips(void **state)
{
    (void)state;
    check_clip(8000, 16000);
    check_clip(16000, 8000);
    check_clip(24000, 8000);
    check_clip(8000, 8000);
    check_clip(22050, 8000);
}

static void test_above_the_band_is_gone(void **state)
{
    int16_t in[16000], *out = NULL;
    size_t n = 0;

    (void)state;
    tone(in, 16000, 6000, 16000);
    assert_int_equal(resample_clip(in, 16000, 16000, 8000, &out, &n), 0);
    assert_in_range(pcm_rms(out + 1000, n - 2000), 0, 100);
    free(out);
}

static void test_split_does_not_matter(void **state)
{
    static int16_t in[N], whole[N * 2 + 1], parts[N * 2 + 1];
    const size_t steps[] = {1, 7, 80, 160, 161, 3000};
    struct resampler *r = NULL;

    (void)state;
    tone(in, N, 440, 8000);
    assert_int_equal(resampler_new(&r, 8000, 16000), 0);
    const size_t made = resampler_run(r, in, N, whole, N * 2 + 1);
    assert_int_equal(made, N * 2);
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        size_t got = 0;
        resampler_reset(r);
        for (size_t at = 0; at < N; at += steps[k]) {
            const size_t n = N - at < steps[k] ? N - at : steps[k];
            got += resampler_run(r, in + at, n, parts + got, n * 2 + 1);
        }
        assert_int_equal(got, made);
        for (size_t i = 0; i < made; i++)
            assert_in_range(parts[i] - whole[i] + 2, 0, 4); /* float sums in another order */
    }
    resampler_free(r);
}

static void test_room_is_kept_to(void **state)
{
    int16_t in[160], out[101];
    struct resampler *r = NULL;

    (void)state;
    tone(in, 160, 440, 8000);
    out[100] = 4242;
    assert_int_equal(resampler_new(&r, 8000, 16000), 0);
    assert_int_equal(resampler_run(r, in, 160, out, 100), 100);
    assert_int_equal(out[100], 4242);
    assert_int_equal(resampler_run(r, in, 0, out, 100), 0);
    resampler_free(r);
    resampler_free(NULL);
}

static void test_refusals_and_memory(void **state)
{
    struct resampler *r = NULL;
    int16_t in[10] = {0}, *out = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(resampler_new(&r, 0, 8000), -EINVAL);
    assert_int_equal(resampler_new(&r, 8000, 1000000), -EINVAL);
    assert_int_equal(resample_clip(in, SIZE_MAX / 2, 8000, 16000, &out, &n), -EFBIG);
    assert_int_equal(resample_clip(in, 0, 8000, 16000, &out, &n), 0);
    assert_int_equal(n, 0);
    free(out);
    out = NULL;
    for (long k = 1;; k++) {
        fail_alloc_at(k);
        const int err = resample_clip(in, 10, 8000, 16000, &out, &n);
        const bool hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit) {
            assert_int_equal(err, 0);
            free(out);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_above_the_band_is_gone),
        cmocka_unit_test(test_split_does_not_matter),
        cmocka_unit_test(test_room_is_kept_to),
        cmocka_unit_test(test_refusals_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
