/* leg_audiosocket.c over loopback: the test is Asterisk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/ref.h"
#include "fail_alloc.h"
#include "pbx/leg_audiosocket.h"
#include "tcp_pair.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct ticker *ticker;
    struct leg *leg;
    int ours, theirs;
    struct tcp_heard heard;        /* by Asterisk */

    int16_t fill;                  /* what the agent says */
    unsigned fills;
    size_t fill_n;
    int64_t fill_at_us;
    int16_t pcm[64];
    size_t pcm_n;
    unsigned audios;
    int64_t audio_at_us;
    char digits[16];
    size_t digit_n;
    bool close_on_audio;
    unsigned closed;
    int err;
    char why[200];
};

static void on_audio(const int16_t *pcm, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    b->audios++;
    b->audio_at_us = at_us;
    for (size_t i = 0; i < n && b->pcm_n < 64; i++)
        b->pcm[b->pcm_n++] = pcm[i];
    if (b->close_on_audio)
        leg_close(b->leg);
}

static void on_fill(int16_t *out, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    b->fills++;
    b->fill_n = n;
    b->fill_at_us = at_us;
    for (size_t i = 0; i < n; i++)
        out[i] = b->fill;
}

static void on_digit(char digit, void *arg)
{
    struct bench *b = arg;

    if (b->digit_n < sizeof b->digits - 1)
        b->digits[b->digit_n++] = digit;
}

static void on_closed(int err, const char *why, void *arg)
{
    struct bench *b = arg;

    b->closed++;
    b->err = err;
    snprintf(b->why, sizeof b->why, "%s", why ? why : "");
}

static const struct leg_handlers handlers = { .on_audio = on_audio, .on_fill = on_fill, .on_digit = on_digit, .on_closed = on_closed };

static void bench_open(struct bench *b, unsigned rate_hz, int buffer_bytes)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(ticker_new(&b->ticker, b->loop), 0);
    tcp_pair(&b->ours, &b->theirs, buffer_bytes);
    b->heard.fd = b->theirs;
    assert_int_equal(leg_audiosocket_new(&b->leg, b->loop, b->ticker, b->ours, rate_hz, &test_log), 0);
    assert_int_equal(leg_rate(b->leg), rate_hz);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static void bench_free(struct bench *b)
{
    b->leg = ref_drop(b->leg);
    if (b->theirs >= 0)
        close(b->theirs);
    turn_for(b->loop, 5);
    ticker_free(b->ticker);
    loop_free(b->loop);
}

static void close_and_free(struct bench *b)
{
    leg_close(b->leg);
    close(b->theirs);
    b->theirs = -1;
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    turn_for(b->loop, 5);
    assert_int_equal(b->closed, 1);
    bench_free(b);
}

static void expect_closed(struct bench *b, int err)
{
    assert_true(turn_until(b->loop, is_closed, b, 3000));
    turn_for(b->loop, 30);
    assert_int_equal(b->closed, 1);
    assert_int_equal(b->err, err);
}

static void t_the_clock_sends_whole_frames(void **state)
{
    struct bench b;
    struct leg_figures f;

    (void)state;
    bench_open(&b, 8000, 0);
    b.fill = 0x1234;
    leg_start(b.leg, &handlers, &b);
    b.heard.want = 5 * 323;
    assert_true(turn_until(b.loop, tcp_has_heard, &b.heard, 3000));
    assert_int_equal(b.fill_n, 160);
    for (size_t i = 0; i < 5; i++) {
        assert_memory_equal(b.heard.bytes + i * 323, "\x10\x01\x40\x34\x12\x34\x12", 7);
        assert_memory_equal(b.heard.bytes + i * 323 + 321, "\x34\x12", 2);
    }
    leg_figures(b.leg, &f);
    assert_true(f.frames_out >= 5);
    assert_int_equal(f.frames_out, b.fills);
    assert_int_equal(f.send_refused, 0);
    close_and_free(&b);
}

static void t_silence_is_sent_too(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 16000, 0);
    leg_start(b.leg, &handlers, &b);
    b.heard.want = 2 * 643;
    assert_true(turn_until(b.loop, tcp_has_heard, &b.heard, 3000));
    assert_memory_equal(b.heard.bytes + 643, "\x12\x02\x80\0\0\0\0", 7);
    close_and_free(&b);
}

/* Two samples, a digit, a kind nobody knows, an odd length, an unknown digit, one sample. */
static const uint8_t up[] = "\x10\x00\x04\x01\x00\xff\xff" "\x03\x00\x01" "7" "\x42\x00\x02" "??" "\x10\x00\x03\x05\x00\x09"
                            "\x03\x00\x01" "x" "\x10\x00\x02\x06\x00";

static bool has_four(void *arg)
{
    return ((struct bench *)arg)->pcm_n >= 4;
}

static void t_frames_cut_anywhere(void **state)
{
    const size_t n = sizeof up - 1;

    (void)state;
    for (size_t cut = 0; cut <= n; cut++) {
        const int16_t expected[] = { 1, -1, 5, 6 };
        struct leg_figures f;
        struct bench b;

        bench_open(&b, 8000, 0);
        leg_start(b.leg, &handlers, &b);
        if (cut > 0)
            tcp_write(b.theirs, up, cut);
        turn_for(b.loop, 2);
        if (cut < n)
            tcp_write(b.theirs, up + cut, n - cut);
        assert_true(turn_until(b.loop, has_four, &b, 3000));
        assert_memory_equal(b.pcm, expected, sizeof expected);
        assert_string_equal(b.digits, "7");
        assert_true(b.audio_at_us > 0);
        leg_figures(b.leg, &f);
        assert_int_equal(f.frames_in, 3);
        assert_int_equal(f.odd, 2);
        assert_int_equal(b.closed, 0);
        close_and_free(&b);
    }
}

static void t_nothing_is_read_before_start(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    tcp_write(b.theirs, up, sizeof up - 1);
    turn_for(b.loop, 10);
    assert_int_equal(b.audios, 0);
    leg_start(b.leg, &handlers, &b);
    assert_int_equal(b.audios, 0);
    assert_true(turn_until(b.loop, has_four, &b, 3000));
    close_and_free(&b);
}

/* The last thing Asterisk hears of us is 00 00 00, then the end. */
static void expect_goodbye(struct bench *b)
{
    assert_true(turn_until(b->loop, tcp_has_ended, &b->heard, 3000));
    assert_int_equal(b->heard.err, 0);
    assert_true(b->heard.n >= 3);
    assert_int_equal(b->heard.n % 323, 3);
    assert_memory_equal(b->heard.bytes + b->heard.n - 3, "\0\0\0", 3);
}

static void t_close_says_goodbye(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    b.fill = 1;
    leg_start(b.leg, &handlers, &b);
    b.heard.want = 323;
    assert_true(turn_until(b.loop, tcp_has_heard, &b.heard, 3000));
    leg_close(b.leg);
    leg_close(b.leg);
    assert_int_equal(b.closed, 0);
    tcp_write(b.theirs, up, sizeof up - 1);  /* what was on its way must not become a reset */
    expect_goodbye(&b);
    assert_int_equal(b.audios, 0);
    close(b.theirs);
    b.theirs = -1;
    expect_closed(&b, 0);
    assert_string_equal(b.why, "");
    bench_free(&b);
}

static void t_close_without_an_answer(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    leg_start(b.leg, &handlers, &b);
    leg_close(b.leg);
    expect_closed(&b, 0);          /* the peer never ends: given up after the linger */
    bench_free(&b);
}

static void t_close_without_start(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    leg_close(b.leg);
    b.leg = ref_drop(b.leg);
    expect_goodbye(&b);
    bench_free(&b);
}

static void t_drop_without_close(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    b.leg = ref_drop(b.leg);
    assert_true(turn_until(b.loop, tcp_has_ended, &b.heard, 3000));
    assert_int_equal(b.heard.n, 0);
    bench_free(&b);
}

static void t_close_from_a_handler(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    b.close_on_audio = true;
    leg_start(b.leg, &handlers, &b);
    tcp_write(b.theirs, up, sizeof up - 1);
    close(b.theirs);
    b.theirs = -1;
    expect_closed(&b, 0);
    assert_int_equal(b.audios, 1);
    assert_string_equal(b.digits, "");
    bench_free(&b);
}

static void t_caller_hangs_up(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    leg_start(b.leg, &handlers, &b);
    tcp_write(b.theirs, up, sizeof up - 1);
    shutdown(b.theirs, SHUT_WR);
    expect_closed(&b, 0);
    assert_int_equal(b.pcm_n, 4);
    const unsigned fills = b.fills;
    turn_for(b.loop, 60);
    assert_int_equal(b.fills, fills);  /* the clock has stopped */
    bench_free(&b);
}

struct nonsense {
    const char *bytes;
    size_t n;
    bool ends;
    int err;
    const char *why;
};

static void t_nonsense_ends_it_with_a_sentence(void **state)
{
    static const struct nonsense all[] = {
        { "\x12\x00\x02\x01\x00", 5, false, -EPROTO, "audio of 16000 Hz (kind 0x12) came on a leg of 8000 Hz" },
        { "\x10\xff\xff", 3, false, -EPROTO, NULL },
        { "\xff\x00\x01\x02", 4, false, -EPROTO, "the other side reported AudioSocket error 2" },
        { "\x10\x00\x04\x01", 4, true, -EPROTO, "the connection ended in the middle of a frame" },
        { "\x00\x00\x00", 3, false, 0, "" },
        { "", 0, true, 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct bench b;

        bench_open(&b, 8000, 0);
        leg_start(b.leg, &handlers, &b);
        if (all[i].n > 0)
            tcp_write(b.theirs, all[i].bytes, all[i].n);
        if (all[i].ends)
            shutdown(b.theirs, SHUT_WR);
        expect_closed(&b, all[i].err);
        if (all[i].why)
            assert_string_equal(b.why, all[i].why);
        else
            assert_true(strlen(b.why) > 10);
        bench_free(&b);
    }
}

static void t_peer_dies(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 8000, 0);
    leg_start(b.leg, &handlers, &b);
    turn_for(b.loop, 5);
    tcp_reset(b.theirs);
    b.theirs = -1;
    assert_true(turn_until(b.loop, is_closed, &b, 3000));
    assert_true(b.err == -ECONNRESET || b.err == -EPIPE);
    assert_memory_equal(b.why, "the connection was lost", 23);
    bench_free(&b);
}

static bool has_refused(void *arg)
{
    struct leg_figures f;

    leg_figures(((struct bench *)arg)->leg, &f);
    return f.send_refused >= 3;
}

static void t_a_peer_that_does_not_read(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, 48000, 4096);
    leg_start(b.leg, &handlers, &b);
    assert_true(turn_until(b.loop, has_refused, &b, 8000));
    assert_int_equal(b.closed, 0); /* late frames are dropped, the call goes on */
    leg_close(b.leg);
    expect_closed(&b, 0);
    bench_free(&b);
}

static void t_rates_that_no_kind_has(void **state)
{
    struct bench b;
    struct leg *leg = NULL;

    (void)state;
    bench_open(&b, 8000, 0);
    assert_int_equal(leg_audiosocket_new(&leg, b.loop, b.ticker, b.ours, 11025, &test_log), -EINVAL);
    assert_int_equal(leg_audiosocket_new(&leg, b.loop, b.ticker, b.ours, 192000, &test_log), -EINVAL);
    assert_null(leg);
    bench_free(&b);
}

static void t_memory_short(void **state)
{
    struct bench b;
    int ours, theirs, err = -1;

    (void)state;
    bench_open(&b, 8000, 0);
    tcp_pair(&ours, &theirs, 0);
    for (long n = 1; err; n++) {
        struct leg *leg = NULL;

        fail_alloc_at(n);
        err = leg_audiosocket_new(&leg, b.loop, b.ticker, ours, 8000, &test_log);
        if (err) {
            assert_int_equal(err, -ENOMEM);
            assert_null(leg);
            assert_true(fcntl(ours, F_GETFD) >= 0);  /* still the caller's */
        } else {
            ref_drop(leg);
        }
        assert_true(n < 100);
    }
    fail_alloc_off();
    turn_for(b.loop, 5);
    close(theirs);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_the_clock_sends_whole_frames),
        cmocka_unit_test(t_silence_is_sent_too),
        cmocka_unit_test(t_frames_cut_anywhere),
        cmocka_unit_test(t_nothing_is_read_before_start),
        cmocka_unit_test(t_close_says_goodbye),
        cmocka_unit_test(t_close_without_an_answer),
        cmocka_unit_test(t_close_without_start),
        cmocka_unit_test(t_drop_without_close),
        cmocka_unit_test(t_close_from_a_handler),
        cmocka_unit_test(t_caller_hangs_up),
        cmocka_unit_test(t_nonsense_ends_it_with_a_sentence),
        cmocka_unit_test(t_peer_dies),
        cmocka_unit_test(t_a_peer_that_does_not_read),
        cmocka_unit_test(t_rates_that_no_kind_has),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
