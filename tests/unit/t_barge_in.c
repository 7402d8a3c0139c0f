/* barge_in.c and echo_gate.c with the embedded voices as agent and caller: echoes, noises, interruptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ai/speech.h"
#include "call/barge_in.h"

enum { HZ = 8000, FRAME = 160 };

struct clip {
    int16_t *pcm;
    size_t n;
};

static struct clip agent, caller;

static int speak(void **state)
{
    (void)state;
    assert_int_equal(speech_make("slt", "We are open from nine in the morning to five in the afternoon on every working day. How can I help you?",
                                 &agent.pcm, &agent.n), 0);
    assert_int_equal(speech_make("rms", "I would like to speak to somebody in sales about my last order.", &caller.pcm, &caller.n), 0);
    return 0;
}

static int hush(void **state)
{
    (void)state;
    free(agent.pcm);
    free(caller.pcm);
    return 0;
}

struct scene {
    double echo;                   /* gain of the agent's words in what is heard */
    size_t delay;                  /* samples */
    double loud;                   /* gain of the caller's */
    size_t caller_at, caller_n;    /* samples */
    int noise;
    size_t tone_at, tone_n;        /* a click or a knock: samples */
};

struct outcome {
    unsigned holds, resumes, cuts;
    int64_t hold_us, cut_us, onset_us; /* of the first */
    int64_t caller_us;             /* when the caller's first loud sample came */
};

static int16_t sample_of(const struct scene *s, size_t at)
{
    static unsigned seed = 1;
    double x = 0;

    seed = seed * 1103515245u + 12345u;
    if (at >= s->delay && at - s->delay < agent.n)
        x += agent.pcm[at - s->delay] * s->echo;
    if (at >= s->caller_at && at - s->caller_at < s->caller_n && at - s->caller_at < caller.n)
        x += caller.pcm[at - s->caller_at] * s->loud;
    if (s->noise)
        x += (int)((seed >> 16) % (unsigned)(2 * s->noise)) - s->noise;
    if (at >= s->tone_at && at - s->tone_at < s->tone_n)
        x += (at / 4) % 2 ? 8000 : -8000;
    return (int16_t)(x > 32767 ? 32767 : x < -32768 ? -32768 : x);
}

static struct outcome play(const struct scene *s)
{
    struct outcome o = { .hold_us = -1, .cut_us = -1 };
    struct barge_in *b = malloc(sizeof *b);

    barge_in_init(b, HZ, 200);
    for (size_t at = 0; at + FRAME <= agent.n; at += FRAME) {
        const int64_t now_us = (int64_t)(at + FRAME) * 1000000 / HZ;
        int16_t heard[FRAME];

        for (size_t i = 0; i < FRAME; i++)
            heard[i] = sample_of(s, at + i);
        barge_in_played(b, agent.pcm + at, FRAME);
        switch (barge_in_heard(b, heard, FRAME, now_us, true)) {
        case BARGE_NOTHING:
            break;
        case BARGE_HOLD:
            o.hold_us = o.holds++ ? o.hold_us : now_us;
            break;
        case BARGE_CUT:
            o.onset_us = b->onset_us;
            o.cut_us = o.cuts++ ? o.cut_us : now_us;
            break;
        case BARGE_RESUME:
            o.resumes++;
            break;
        }
    }
    for (size_t i = 0; i < caller.n && !o.caller_us; i++)
        if (abs(caller.pcm[i]) > 1500)
            o.caller_us = (int64_t)(s->caller_at + i) * 1000000 / HZ;
    free(b);
    return o;
}

static void t_silence_is_nothing(void **state)
{
    const struct outcome o = play(&(struct scene){ .noise = 60 });

    (void)state;
    assert_int_equal(o.holds + o.cuts, 0);
}

static void t_its_own_echo_is_nothing(void **state)
{
    static const struct { double gain; size_t delay; int noise; } lines[] = {
        { 0.5, 960, 0 }, { 0.5, 40, 50 }, { 0.25, 2400, 50 }, { 0.1, 297, 30 }, { 0.8, 1600, 0 }, { 0.25, 3100, 50 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct outcome o = play(&(struct scene){ .echo = lines[i].gain, .delay = lines[i].delay, .noise = lines[i].noise });

        assert_int_equal(o.cuts, 0);
        assert_true(o.holds <= 1); /* at the most a stutter, and it goes on */
        assert_int_equal(o.resumes, o.holds);
    }
}

static void t_the_caller_cuts(void **state)
{
    const struct outcome o = play(&(struct scene){ .loud = 1, .caller_at = 8000, .caller_n = 16000, .noise = 50 });

    (void)state;
    assert_true(o.holds >= 1 && o.cuts >= 1);
    assert_in_range(o.hold_us - o.caller_us, 0, 50000);
    assert_in_range(o.cut_us - o.caller_us, 100000, 500000);
    assert_true(o.onset_us <= o.caller_us + 20000 && o.onset_us > 900000);
}

static void t_the_caller_cuts_through_an_echo(void **state)
{
    const struct outcome o = play(&(struct scene){ .echo = 0.25, .delay = 960, .loud = 1, .caller_at = 8000, .caller_n = 24000, .noise = 50 });

    (void)state;
    assert_true(o.cuts >= 1);
    assert_in_range(o.cut_us - o.caller_us, 100000, 1200000);
}

static void t_a_knock_only_pauses(void **state)
{
    const struct outcome o = play(&(struct scene){ .tone_at = 8000, .tone_n = 560, .noise = 50 }); /* 70 ms */

    (void)state;
    assert_int_equal(o.holds, 1);
    assert_int_equal(o.resumes, 1);
    assert_int_equal(o.cuts, 0);
}

static void t_a_click_is_nothing(void **state)
{
    const struct outcome o = play(&(struct scene){ .tone_at = 8000, .tone_n = 8, .noise = 50 }); /* 1 ms */

    (void)state;
    assert_int_equal(o.cuts, 0);
    assert_int_equal(o.holds, o.resumes);
}

static void t_the_share_tells_them_apart(void **state)
{
    struct echo_gate g;

    (void)state;
    echo_gate_init(&g, HZ);
    assert_int_equal(echo_gate_share(&g), 0);          /* nothing at all */
    echo_gate_played(&g, agent.pcm + 4000, 4000);
    echo_gate_heard(&g, agent.pcm + 4000, 3600);
    assert_in_range(echo_gate_share(&g), 95, 100);
    echo_gate_heard(&g, caller.pcm + 4000, 1600);
    assert_in_range(echo_gate_share(&g), 0, 79);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_silence_is_nothing),
        cmocka_unit_test(t_its_own_echo_is_nothing),
        cmocka_unit_test(t_the_caller_cuts),
        cmocka_unit_test(t_the_caller_cuts_through_an_echo),
        cmocka_unit_test(t_a_knock_only_pauses),
        cmocka_unit_test(t_a_click_is_nothing),
        cmocka_unit_test(t_the_share_tells_them_apart),
    };

    return cmocka_run_group_tests(tests, speak, hush);
}
