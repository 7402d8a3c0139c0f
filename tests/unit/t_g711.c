/* g711.c against spandsp's mu-law, sample by sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <spandsp.h>

#include "audio/g711.h"

static void test_every_code_decodes_as_spandsp_has_it(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const unsigned char code = (unsigned char)c;
        int16_t mine;

        ulaw_read(&mine, &code, 1);
        assert_int_equal(mine, ulaw_to_linear(code));
    }
}

static void test_every_sample_is_coded_as_spandsp_has_it(void **state)
{
    unsigned apart = 0;

    (void)state;
    for (int s = INT16_MIN; s <= INT16_MAX; s++) {
        const int16_t sample = (int16_t)s;
        unsigned char mine;
        int16_t back, theirs;

        ulaw_write(&mine, &sample, 1);
        ulaw_read(&back, &mine, 1);
        theirs = ulaw_to_linear(linear_to_ulaw(s));
        /* spandsp rounds some boundaries of a step the other way: never more than one step, never worse than it. */
        if (abs(back - s) > abs(theirs - s) + 4)
            fail_msg("%d: %d, spandsp %d", s, back, theirs);
        apart += back != theirs;
    }
    assert_true(apart < 1024);
}

static void test_codes_survive(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const unsigned char code = (unsigned char)c;
        unsigned char again;
        int16_t s;

        ulaw_read(&s, &code, 1);
        ulaw_write(&again, &s, 1);
        if (c != 0x7f) /* the negative zero */
            assert_int_equal(again, code);
    }
}

static void test_alaw_is_spandsps(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const unsigned char code = (unsigned char)c;
        unsigned char again;
        int16_t s;

        alaw_read(&s, &code, 1);
        assert_int_equal(s, alaw_to_linear(code));
        alaw_write(&again, &s, 1);
        assert_int_equal(again, code);
    }
    for (int s = -32768; s < 32768; s++) {
        const int16_t in = (int16_t)s;
        unsigned char code;

        alaw_write(&code, &in, 1);
        assert_int_equal(code, linear_to_alaw(s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_decodes_as_spandsp_has_it),
        cmocka_unit_test(test_every_sample_is_coded_as_spandsp_has_it),
        cmocka_unit_test(test_codes_survive), cmocka_unit_test(test_alaw_is_spandsps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
