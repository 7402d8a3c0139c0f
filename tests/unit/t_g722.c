/* g722.c: there and back, against the samples themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "audio/g722.h"
#include "fail_alloc.h"

enum { FRAME = 320, FRAMES = 50, DELAY_MAX = 60 };

static void a_tone_comes_back_as_loud_and_as_pure(void **state)
{
    int16_t said[FRAME * FRAMES], heard[FRAME * FRAMES];
    uint8_t bytes[FRAME / 2];
    struct g722 *g;
    double best = 1e30, power = 0;

    (void)state;
    for (size_t i = 0; i < FRAME * FRAMES; i++)
        said[i] = (int16_t)lrint(8000 * sin((double)i * 2 * 3.14159265358979 * 1000 / 16000));
    assert_int_equal(g722_new(&g), 0);
    for (size_t f = 0; f < FRAMES; f++) {
        assert_int_equal(g722_write(g, bytes, said + f * FRAME, FRAME), FRAME / 2);
        assert_int_equal(g722_read(g, heard + f * FRAME, bytes, FRAME / 2), FRAME);
    }
    g722_free(g);
    for (size_t delay = 0; delay < DELAY_MAX; delay++) {
        double noise = 0;

        power = 0;
        for (size_t i = 1600; i < 8000; i++) {
            const double d = heard[i + delay] - said[i];

            noise += d * d;
            power += (double)said[i] * said[i];
        }
        best = noise < best ? noise : best;
    }
    assert_true(best * 100 < power); /* 20 dB: samples of another order, or half as loud, are far from it */
}

static void without_memory_there_is_none(void **state)
{
    struct g722 *g;

    (void)state;
    fail_alloc_at(1);
    assert_int_equal(g722_new(&g), -ENOMEM);
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    g722_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_tone_comes_back_as_loud_and_as_pure), cmocka_unit_test(without_memory_there_is_none) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
