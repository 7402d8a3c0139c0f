/* Voice activity on synthetic noise and bursts: where speech begins and ends, and that the cut of the stream does not matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "audio/vad.h"

enum { MS = 8, SECONDS = 12, N = SECONDS * 1000 * MS };

static int16_t line[N];
static uint32_t seed;

static int noise(int rms)
{
    int sum = 0; /* sum of twelve uniform values: nearly normal, deviation 1 */
    for (int i = 0; i < 12; i++) {
        seed = seed * 1664525 + 1013904223;
        sum += (int)(seed >> 16) % 1000 - 500;
    }
    return sum * rms / 1000;
}

static void line_noise(int from_ms, int to_ms, int rms)
{
    for (int i = from_ms * MS; i < to_ms * MS; i++)
        line[i] = (int16_t)noise(rms);
}

/* Vowel-like: a tone whose strength swings 4 times a second. */
static void line_speech(int from_ms, int to_ms, int amplitude)
{
    for (int i = from_ms * MS; i < to_ms * MS; i++) {
        const double t = (double)(i - from_ms * MS) / 8000;
        const double swing = 0.55 + 0.45 * cos(2 * M_PI * 4 * t);
        line[i] = (int16_t)(line[i] + amplitude * swing * sin(2 * M_PI * 500 * t));
    }
}

struct heard {
    int starts, stops, start_ms, stop_ms, told_start_ms, told_stop_ms;
};

static struct heard run(size_t piece, int to_ms)
{
    struct vad_options opt;
    struct heard h = {0};
    struct vad v;

    vad_options_default(&opt);
    vad_init(&v, &opt);
    for (size_t at = 0; at < (size_t)to_ms * MS; at += piece) {
        const size_t left = (size_t)to_ms * MS - at;
        switch (vad_feed(&v, line + at, left < piece ? left : piece)) {
        case VAD_START:
            h.starts++;
            h.start_ms = (int)(v.started_at / MS);
            h.told_start_ms = (int)(v.samples / MS);
            assert_true(v.speaking);
            assert_in_range(vad_speech_ms(&v), 60, 150);
            break;
        case VAD_STOP:
            h.stops++;
            h.stop_ms = (int)(v.ended_at / MS);
            h.told_stop_ms = (int)(v.samples / MS);
            assert_false(v.speaking);
            assert_int_equal(vad_speech_ms(&v), 0);
            break;
        case VAD_NONE:
            break;
        }
    }
    return h;
}

static int setup(void **state)
{
    (void)state;
    seed = 1;
    line_noise(0, SECONDS * 1000, 60);
    return 0;
}

static void test_noise_is_no_speech(void **state)
{
    (void)state;
    const int levels[] = {0, 10, 60, 150};
    for (size_t i = 0; i < 4; i++) {
        line_noise(0, SECONDS * 1000, levels[i]);
        assert_int_equal(run(160, SECONDS * 1000).starts, 0);
    }
}

static void test_burst_is_found_where_it_is(void **state)
{
    (void)state;
    line_speech(2000, 3200, 4000);
    const struct heard h = run(160, 6000);
    assert_int_equal(h.starts, 1);
    assert_int_equal(h.stops, 1);
    assert_in_range(h.start_ms, 1990, 2020);
    assert_in_range(h.told_start_ms, 2060, 2100);
    assert_in_range(h.stop_ms, 3170, 3220);
    assert_in_range(h.told_stop_ms, 3780, 3840);
}

static void test_pause_shorter_than_the_hangover_is_one_utterance(void **state)
{
    (void)state;
    line_speech(2000, 2800, 4000);
    line_speech(3200, 4000, 4000);
    line_speech(5000, 5500, 4000);
    const struct heard h = run(160, 8000);
    assert_int_equal(h.starts, 2);
    assert_int_equal(h.stops, 2);
    assert_in_range(h.start_ms, 4990, 5020);
}

static void test_clicks_do_not_count(void **state)
{
    (void)state;
    for (int ms = 2000; ms < 4000; ms += 300)
        line_speech(ms, ms + 20, 12000);
    assert_int_equal(run(160, 6000).starts, 0);
}

static void test_speech_from_the_first_sample(void **state)
{
    (void)state;
    line_speech(0, 1500, 4000);
    const struct heard h = run(160, 4000);
    assert_int_equal(h.starts, 1);
    assert_int_equal(h.stops, 1);
    assert_in_range(h.start_ms, 0, 10);
    assert_in_range(h.stop_ms, 1440, 1520);
}

static void test_speech_over_loud_noise(void **state)
{
    (void)state;
    line_noise(0, SECONDS * 1000, 150);
    line_speech(4000, 5000, 5000);
    const struct heard h = run(160, 8000);
    assert_int_equal(h.starts, 1);
    assert_int_equal(h.stops, 1);
    assert_in_range(h.start_ms, 3990, 4030);
}

static void test_new_steady_noise_becomes_the_floor(void **state)
{
    (void)state;
    line_noise(3000, SECONDS * 1000, 1500); /* a fan is switched on and stays */
    const struct heard h = run(160, 9000);
    assert_int_equal(h.starts, 1);
    assert_int_equal(h.stops, 1);
    assert_in_range(h.told_stop_ms, 3600, 7000);
    line_speech(9000, 10000, 14000);
    assert_int_equal(run(160, SECONDS * 1000).starts, 2);
}

static void test_long_speech_is_not_taken_for_noise(void **state)
{
    (void)state;
    line_speech(2000, 10000, 4000);
    const struct heard h = run(160, SECONDS * 1000);
    assert_int_equal(h.starts, 1);
    assert_int_equal(h.stops, 1);
    assert_in_range(h.stop_ms, 9900, 10020);
}

static void test_cut_does_not_matter(void **state)
{
    const size_t pieces[] = {1, 7, 79, 80, 81, 160, 240, 333, 480};

    (void)state;
    line_speech(1000, 1800, 4000);
    line_speech(3000, 3500, 1500);
    const struct heard want = run(80, 6000);
    assert_int_equal(want.starts, 2);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const struct heard h = run(pieces[i], 6000);
        assert_int_equal(h.starts, want.starts);
        assert_int_equal(h.stops, want.stops);
        assert_int_equal(h.start_ms, want.start_ms);
        assert_int_equal(h.stop_ms, want.stop_ms);
        assert_in_range(h.told_stop_ms - want.told_stop_ms, 0, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_noise_is_no_speech, setup),
        cmocka_unit_test_setup(test_burst_is_found_where_it_is, setup),
        cmocka_unit_test_setup(test_pause_shorter_than_the_hangover_is_one_utterance, setup),
        cmocka_unit_test_setup(test_clicks_do_not_count, setup),
        cmocka_unit_test_setup(test_speech_from_the_first_sample, setup),
        cmocka_unit_test_setup(test_speech_over_loud_noise, setup),
        cmocka_unit_test_setup(test_new_steady_noise_becomes_the_floor, setup),
        cmocka_unit_test_setup(test_long_speech_is_not_taken_for_noise, setup),
        cmocka_unit_test_setup(test_cut_does_not_matter, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
