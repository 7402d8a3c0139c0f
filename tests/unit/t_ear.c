/* The ear: utterances with their lead and tail, what counts when, the 8 s ceiling, and any cut of the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "ai/ear.h"
#include "fail_alloc.h"

enum { MS = 8, N = 30000 * MS };

static int16_t line[N];

static void speech(int from_ms, int to_ms)
{
    for (int i = from_ms * MS; i < to_ms * MS; i++) {
        const double t = (double)(i - from_ms * MS) / 8000;
        line[i] = (int16_t)(4000 * (0.55 + 0.45 * cos(2 * M_PI * 4 * t)) * sin(2 * M_PI * 500 * t));
    }
}

static int setup(void **state)
{
    memset(line, 0, sizeof line);
    return ear_new((struct ear **)state, NULL);
}

static int teardown(void **state)
{
    ear_free(*state);
    return 0;
}

struct told {
    enum ear_event kind;
    int at_ms, time_ms, voiced_ms;
    size_t n;
    int16_t first;
};

/* Feeds line[from..to) in pieces; events in out. */
static size_t run(struct ear *e, int from_ms, int to_ms, size_t piece, int need_ms, struct told *out, size_t max)
{
    size_t count = 0;

    for (size_t at = (size_t)from_ms * MS; at < (size_t)to_ms * MS;) {
        const size_t left = (size_t)to_ms * MS - at;
        size_t used = 0;
        const enum ear_event kind =
            ear_feed(e, line + at, left < piece ? left : piece, (int64_t)at * 1000 / MS, need_ms, &used);
        assert_true(used > 0);
        at += used;
        if (kind == EAR_NONE)
            continue;
        assert_true(count < max);
        struct told *t = &out[count++];
        *t = (struct told){.kind = kind, .at_ms = (int)(at / MS)};
        const int16_t *pcm = ear_utterance(e, &t->n);
        if (kind == EAR_STOPPED && t->n > 0)
            t->first = pcm[(size_t)EAR_LEAD_MS * MS + 4];
        t->time_ms = (int)((kind == EAR_STARTED ? ear_onset_us(e) : ear_end_us(e)) / 1000);
        t->voiced_ms = kind == EAR_STOPPED ? ear_voiced_ms(e) : 0;
    }
    return count;
}

static void test_utterance_has_lead_and_tail(void **state)
{
    struct told t[4];

    speech(2000, 3000);
    assert_int_equal(run(*state, 0, 6000, 160, 0, t, 4), 2);
    assert_int_equal(t[0].kind, EAR_STARTED);
    assert_int_equal(t[0].time_ms, 2000);
    assert_in_range(t[0].at_ms, 2050, 2090);
    assert_int_equal(t[1].kind, EAR_STOPPED);
    assert_in_range(t[1].time_ms, 2970, 3010);
    assert_in_range(t[1].at_ms, 3570, 3630);
    assert_in_range(t[1].voiced_ms, 970, 1010);
    assert_int_equal(t[1].n, (size_t)(t[1].voiced_ms + EAR_LEAD_MS + EAR_TAIL_MS) * MS);
    assert_int_equal(t[1].first, line[2000 * MS + 4]);
    assert_true(ear_is_quiet(*state));
}

static void test_speech_at_once_has_a_shorter_lead(void **state)
{
    struct told t[4];

    speech(100, 1000);
    assert_int_equal(run(*state, 0, 3000, 160, 0, t, 4), 2);
    assert_int_equal(t[1].n, (size_t)(t[1].voiced_ms + 100 + EAR_TAIL_MS) * MS);
}

static void test_any_cut_gives_the_same(void **state)
{
    const size_t pieces[] = {1, 33, 80, 81, 160, 240, 4000, 100000};
    struct told want[8], t[8];

    speech(2000, 3000);
    speech(5000, 5600);
    assert_int_equal(run(*state, 0, 9000, 80, 0, want, 8), 4);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct ear *e = NULL;
        assert_int_equal(ear_new(&e, NULL), 0);
        assert_int_equal(run(e, 0, 9000, pieces[i], 0, t, 8), 4);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(t[k].kind, want[k].kind);
            assert_int_equal(t[k].time_ms, want[k].time_ms);
            assert_int_equal(t[k].n, want[k].n);
            assert_int_equal(t[k].first, want[k].first);
        }
        ear_free(e);
    }
}

static void test_need_delays_what_counts(void **state)
{
    struct told t[4];

    speech(2000, 2100); /* too short to cut an agent off */
    speech(4000, 5000);
    assert_int_equal(run(*state, 0, 8000, 160, 200, t, 4), 2);
    assert_int_equal(t[0].time_ms, 4000);
    assert_in_range(t[0].at_ms, 4200, 4240);
    assert_in_range(t[1].voiced_ms, 970, 1010);
}

static void test_speech_that_may_not_count_yet_counts_later(void **state)
{
    struct told t[4];

    speech(1000, 4000);
    assert_int_equal(run(*state, 0, 2500, 160, -1, t, 4), 0); /* the agent speaks and cannot be cut */
    assert_false(ear_is_quiet(*state));
    assert_int_equal(run(*state, 2500, 6000, 160, 0, t, 4), 2); /* it stopped */
    assert_int_equal(t[0].time_ms, 1000);
    assert_int_equal(t[1].n, (size_t)(t[1].voiced_ms + EAR_LEAD_MS + EAR_TAIL_MS) * MS);
}

static void test_eight_seconds_are_the_most(void **state)
{
    struct told t[8];

    speech(1000, 15000);
    speech(20000, 21000);
    assert_int_equal(run(*state, 0, 25000, 160, 0, t, 8), 4);
    assert_int_equal(t[1].kind, EAR_STOPPED);
    assert_in_range(t[1].at_ms, 8950, 9050);
    assert_in_range(t[1].n, 8200 * MS, 8310 * MS);
    assert_int_equal(t[1].first, line[1000 * MS + 4]);
    assert_int_equal(t[2].kind, EAR_STARTED); /* the rest of the long one is not heard again */
    assert_int_equal(t[2].time_ms, 20000);
}

static void test_other_silence_and_longer_speech(void **state)
{
    const struct ear_options opt = { .silence_ms = 250, .speech_max_ms = 20000 };
    struct told t[8];
    struct ear *e = NULL;

    (void)state;
    speech(1000, 1500);
    speech(1900, 16000);
    assert_int_equal(ear_new(&e, &opt), 0);
    assert_int_equal(run(e, 0, 20000, 160, 0, t, 8), 4);
    assert_in_range(t[1].at_ms, 1720, 1780); /* the pause of 400 ms is an end */
    assert_int_equal(t[1].n, (size_t)(t[1].at_ms - 1000 + EAR_LEAD_MS) * MS); /* no more tail than was heard */
    assert_in_range(t[3].voiced_ms, 14000, 14110);
    assert_int_equal(t[3].first, line[1900 * MS + 4]);
    ear_free(e);
}

static void test_options_out_of_range(void **state)
{
    static const struct ear_options bad[] = { { .silence_ms = 50 }, { .silence_ms = -1 }, { .speech_max_ms = 999 }, { .speech_max_ms = 60001 } };
    struct ear *e = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ear_new(&e, &bad[i]), -EINVAL);
    assert_null(e);
}

static void test_discard(void **state)
{
    struct told t[4];

    speech(1000, 3000);
    speech(6000, 7000);
    assert_int_equal(run(*state, 0, 2000, 160, 0, t, 4), 1);
    ear_discard(*state);
    assert_int_equal(run(*state, 2000, 5000, 160, 0, t, 4), 1);
    assert_int_equal(t[0].kind, EAR_STOPPED); /* told, and empty */
    assert_int_equal(t[0].n, 0);
    assert_int_equal(run(*state, 5000, 9000, 160, 0, t, 4), 2);
    assert_true(t[1].n > 0);
}

static void test_discard_of_what_was_not_told(void **state)
{
    struct told t[4];

    speech(1000, 3000);
    assert_int_equal(run(*state, 0, 2000, 160, -1, t, 4), 0);
    ear_discard(*state);
    assert_int_equal(run(*state, 2000, 5000, 160, 0, t, 4), 0);
    assert_true(ear_is_quiet(*state));
}

static void test_feeding_allocates_nothing(void **state)
{
    struct told t[8];

    speech(1000, 3000);
    fail_alloc_off();
    const long before = fail_alloc_count();
    run(*state, 0, 20000, 160, 0, t, 8);
    assert_int_equal(fail_alloc_count(), before);
    struct ear *e = NULL;
    fail_alloc_at(1);
    assert_int_equal(ear_new(&e, NULL), -ENOMEM);
    fail_alloc_off();
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_utterance_has_lead_and_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speech_at_once_has_a_shorter_lead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_cut_gives_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_need_delays_what_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speech_that_may_not_count_yet_counts_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eight_seconds_are_the_most, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_silence_and_longer_speech, setup, teardown),
        cmocka_unit_test(test_options_out_of_range),
        cmocka_unit_test_setup_teardown(test_discard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_discard_of_what_was_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feeding_allocates_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
