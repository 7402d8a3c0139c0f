/* leg_websocket.c over loopback: the test is Asterisk's WebSocket channel. */
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
#include "pbx/leg_websocket.h"
#include "tcp_pair.h"
#include "turn.h"

#define START_ULAW "MEDIA_START connection_id:m channel:WebSocket/m/0x1 channel_id:1.2 format:ulaw optimal_frame_size:160 ptime:20"
#define START_JSON \
    "{\"event\":\"MEDIA_START\",\"channel_id\":\"1.2\",\"format\":\"slin16\",\"optimal_frame_size\":640,\"ptime\":20,\"channel_variables\":{}}"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct ticker *ticker;
    struct leg *leg;
    int ours, theirs;
    bool is_server;                /* we are; Asterisk masks then */
    struct tcp_heard heard;        /* by Asterisk */
    size_t read;                   /* of it, by next_frame */

    int16_t fill;                  /* what the agent says */
    unsigned fills, fills_wanted;
    int64_t fill_at_us, fill_least_us;
    int16_t pcm[8];
    size_t pcm_n;
    char digits[8];
    size_t digit_n;
    bool close_on_audio;
    unsigned closed;
    int err;
    char why[200];
};

static void on_audio(const int16_t *pcm, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    assert_true(at_us > 0);
    for (size_t i = 0; i < n; i++, b->pcm_n++)
        if (b->pcm_n < 8)
            b->pcm[b->pcm_n] = pcm[i];
    if (b->close_on_audio)
        leg_close(b->leg);
}

static void on_fill(int16_t *out, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    if (b->fills > 0 && (b->fill_least_us == 0 || at_us - b->fill_at_us < b->fill_least_us))
        b->fill_least_us = at_us - b->fill_at_us;
    b->fill_at_us = at_us;
    b->fills++;
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

static void bench_open(struct bench *b, enum leg_websocket_format format, bool is_server, int64_t start_ms)
{
    const struct leg_websocket_options opt = { .format = format, .is_server = is_server, .start_ms = start_ms };

    memset(b, 0, sizeof *b);
    b->is_server = is_server;
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(ticker_new(&b->ticker, b->loop), 0);
    tcp_pair(&b->ours, &b->theirs, 0);
    b->heard.fd = b->theirs;
    assert_int_equal(leg_websocket_new(&b->leg, b->loop, b->ticker, b->ours, &opt, &test_log), 0);
}

static size_t frame_make(uint8_t *out, bool is_masked, int opcode, const void *payload, size_t n)
{
    size_t at = 0;

    assert_true(n < 65536);
    out[at++] = (uint8_t)(0x80 | opcode);
    if (n < 126) {
        out[at++] = (uint8_t)(n | (is_masked ? 0x80 : 0));
    } else {
        out[at++] = (uint8_t)(126 | (is_masked ? 0x80 : 0));
        out[at++] = (uint8_t)(n >> 8);
        out[at++] = (uint8_t)n;
    }
    if (is_masked) {
        memset(out + at, 0, 4);    /* a mask of zeros is a mask */
        at += 4;
    }
    if (n > 0)
        memcpy(out + at, payload, n);
    return at + n;
}

static void tell(struct bench *b, int opcode, const void *payload, size_t n)
{
    static uint8_t bytes[70000];

    tcp_write(b->theirs, bytes, frame_make(bytes, b->is_server, opcode, payload, n));
}

static void say(struct bench *b, const char *text)
{
    tell(b, 1, text, strlen(text));
}

struct frame {
    int opcode;
    uint8_t payload[4096];
    size_t n;
};

/* The next whole frame that Asterisk heard; false when there is none yet. */
static bool next_frame(struct bench *b, struct frame *f)
{
    const uint8_t *p = b->heard.bytes + b->read;
    size_t left, head = 2, n;
    uint8_t mask[4] = { 0 };

    tcp_hear(&b->heard);
    left = b->heard.n - b->read;
    if (left < 2)
        return false;
    n = p[1] & 0x7f;
    assert_int_equal(p[1] >> 7, !b->is_server);
    if (n == 126) {
        head = 4;
        if (left < 4)
            return false;
        n = (size_t)p[2] << 8 | p[3];
    }
    if (p[1] & 0x80) {
        if (left < head + 4)
            return false;
        memcpy(mask, p + head, 4);
        head += 4;
    }
    assert_true(n <= sizeof f->payload);
    if (left < head + n)
        return false;
    f->opcode = p[0] & 0x0f;
    f->n = n;
    for (size_t i = 0; i < n; i++)
        f->payload[i] = p[head + i] ^ mask[i % 4];
    b->read += head + n;
    return true;
}

static bool has_heard_text(struct bench *b, const char *text)
{
    struct frame f;

    while (next_frame(b, &f))
        if (f.opcode == 1 && f.n == strlen(text) && memcmp(f.payload, text, f.n) == 0)
            return true;
    return false;
}

static bool hears_flush(void *arg)
{
    return has_heard_text(arg, "FLUSH_MEDIA");
}

static bool hears_buffering(void *arg)
{
    return has_heard_text(arg, "START_MEDIA_BUFFERING");
}

static bool hears_mark(void *arg)
{
    return has_heard_text(arg, "MARK_MEDIA 25");
}

static bool has_fills(void *arg)
{
    const struct bench *b = arg;

    return b->fills >= b->fills_wanted;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static bool has_digit(void *arg)
{
    return ((struct bench *)arg)->digit_n > 0;
}

static bool wait_fills(struct bench *b, unsigned more)
{
    b->fills_wanted = b->fills + more;
    return turn_until(b->loop, has_fills, b, 5000);
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
    leg_close(b->leg);
    close(b->theirs);
    b->theirs = -1;
    assert_true(turn_until(b->loop, is_closed, b, 4000));
    turn_for(b->loop, 5);
    assert_int_equal(b->closed, 1);
    assert_int_equal(b->err, 0);
    bench_free(b);
}

static void expect_closed(struct bench *b, int err, const char *why)
{
    assert_true(turn_until(b->loop, is_closed, b, 4000));
    turn_for(b->loop, 30);
    assert_int_equal(b->closed, 1);
    assert_int_equal(b->err, err);
    if (why && !strstr(b->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, b->why);
    bench_free(b);
}

static void silence_is_sent_with_the_clock_alone(void **state)
{
    struct bench b;
    struct frame f;
    unsigned frames = 0;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    assert_int_equal(leg_rate(b.leg), 8000);
    leg_start(b.leg, &handlers, &b);
    turn_for(b.loop, 50);
    assert_int_equal(b.fills, 0);  /* nothing before MEDIA_START */
    say(&b, START_ULAW);
    assert_true(wait_fills(&b, 6));
    while (next_frame(&b, &f)) {
        assert_int_equal(f.opcode, 2);
        assert_int_equal(f.n, 160);
        assert_int_equal(f.payload[0], 0xff);
        frames++;
    }
    assert_int_equal(frames, b.fills);
    assert_true(b.fill_least_us >= 20000);
    assert_int_equal(leg_flush(b.leg) <= 20, 1);
    close_and_free(&b);
}

static void speech_has_a_lead_which_a_flush_takes_back(void **state)
{
    struct bench b;
    struct frame f;
    unsigned unheard_ms;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_SLIN16, true, 0);
    b.fill = 0x0102;
    leg_start(b.leg, &handlers, &b);
    say(&b, START_JSON);
    assert_true(wait_fills(&b, 4));
    assert_true(turn_until(b.loop, has_fills, &b, 10));
    assert_true(next_frame(&b, &f));
    assert_int_equal(f.n, 640);
    assert_memory_equal(f.payload, "\x02\x01\x02\x01", 4); /* little-endian */
    unheard_ms = leg_flush(b.leg);
    assert_true(unheard_ms >= 20 && unheard_ms <= 80);
    assert_int_equal(leg_flush(b.leg), 0);
    assert_true(b.fill_least_us >= 20000); /* each is asked for with the time at which it will be played */
    turn_for(b.loop, 5);
    while (next_frame(&b, &f) && f.opcode != 1)
        ;
    assert_int_equal(f.n, strlen("{\"command\":\"FLUSH_MEDIA\"}"));
    assert_memory_equal(f.payload, "{\"command\":\"FLUSH_MEDIA\"}", f.n);
    close_and_free(&b);
}

/* Asterisk does not play: what we send beyond the mark has an end, and goes on when the mark comes back. */
static void a_stalled_queue_is_not_filled(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    b.fill = 1000;
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    assert_true(turn_until(b.loop, hears_mark, &b, 5000));
    turn_for(b.loop, 700);
    assert_true(b.fills < 25 + 20);
    say(&b, "MEDIA_MARK_PROCESSED 7");  /* of before: no meaning */
    say(&b, "MEDIA_MARK_PROCESSED 25");
    assert_true(wait_fills(&b, 10));
    close_and_free(&b);
}

static void xoff_holds_and_xon_lets_go(void **state)
{
    struct bench b;
    unsigned fills;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    assert_true(wait_fills(&b, 2));
    say(&b, "MEDIA_XOFF");
    say(&b, "DTMF_END digit:5 channel_id:1.2");
    assert_true(turn_until(b.loop, has_digit, &b, 3000));
    fills = b.fills;
    turn_for(b.loop, 100);
    assert_int_equal(b.fills, fills);
    say(&b, "MEDIA_XON");
    assert_true(wait_fills(&b, 3));
    close_and_free(&b);
}

/* Its frame is 40 ms: it has to join ours, and again after each flush. */
static void other_frame_sizes_are_joined(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    b.fill = 1000;
    leg_start(b.leg, &handlers, &b);
    say(&b, "MEDIA_START format:ulaw optimal_frame_size:320 ptime:40");
    assert_true(turn_until(b.loop, hears_buffering, &b, 3000));
    assert_true(wait_fills(&b, 3));
    assert_true(leg_flush(b.leg) > 0);
    assert_true(turn_until(b.loop, hears_flush, &b, 3000));
    assert_true(turn_until(b.loop, hears_buffering, &b, 3000));
    close_and_free(&b);
}

static bool has_four_samples(void *arg)
{
    return ((struct bench *)arg)->pcm_n >= 4;
}

static void what_asterisk_says_may_be_cut_anywhere(void **state)
{
    uint8_t all[400];
    size_t n;

    (void)state;
    n = frame_make(all, true, 1, START_JSON, strlen(START_JSON));
    n += frame_make(all + n, true, 2, "\x02\x01\xff\xff\x00\x80\x03", 7);
    n += frame_make(all + n, true, 2, "\x07\x00", 2);
    n += frame_make(all + n, true, 1, "{\"event\":\"DTMF_END\",\"digit\":\"#\"}", 32);
    for (size_t at = 1; at < n; at++) {
        struct leg_figures figures;
        struct bench b;

        bench_open(&b, LEG_WEBSOCKET_SLIN16, true, 0);
        leg_start(b.leg, &handlers, &b);
        tcp_write(b.theirs, all, at);
        turn_for(b.loop, 1);
        tcp_write(b.theirs, all + at, n - at);
        assert_true(turn_until(b.loop, has_digit, &b, 3000));
        assert_true(turn_until(b.loop, has_four_samples, &b, 3000));
        assert_int_equal(b.pcm_n, 4);
        assert_int_equal(b.pcm[0], 0x0102);
        assert_int_equal(b.pcm[1], -1);
        assert_int_equal(b.pcm[2], -32768);
        assert_int_equal(b.pcm[3], 7);
        assert_string_equal(b.digits, "#");
        leg_figures(b.leg, &figures);
        assert_int_equal(figures.odd, 1);
        assert_int_equal(figures.frames_in, 2);
        close_and_free(&b);
    }
}

static void nonsense_is_counted_or_ends_it_with_a_sentence(void **state)
{
    struct leg_figures figures;
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    tell(&b, 2, "early", 5);
    say(&b, "DTMF_END digit:early");
    say(&b, START_ULAW);
    tell(&b, 2, NULL, 0);
    say(&b, "{nonsense");
    say(&b, "ERROR channel_id:1.2 error_text:as the test wishes");
    say(&b, "DTMF_END digit:1");
    assert_true(turn_until(b.loop, has_digit, &b, 3000));
    leg_figures(b.leg, &figures);
    assert_int_equal(figures.odd, 5);
    say(&b, START_ULAW);
    expect_closed(&b, -EPROTO, "MEDIA_START came twice");

    bench_open(&b, LEG_WEBSOCKET_ALAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    expect_closed(&b, -EPROTO, "speaks ulaw, alaw was asked for");

    bench_open(&b, LEG_WEBSOCKET_ULAW, true, 0);
    b.is_server = false;           /* a client that does not mask */
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    expect_closed(&b, -EPROTO, "broke the WebSocket protocol");
}

static void each_end_is_told(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    assert_true(wait_fills(&b, 1));
    tell(&b, 8, "\x03\xe8", 2);
    expect_closed(&b, 0, NULL);    /* the caller hung up */

    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    assert_true(wait_fills(&b, 1));
    tell(&b, 8, "\x03\xf3", 2);
    expect_closed(&b, -ECONNRESET, "1011");

    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    leg_start(b.leg, &handlers, &b);
    tcp_reset(b.theirs);
    b.theirs = -1;
    expect_closed(&b, -ECONNRESET, NULL);

    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 30);
    leg_start(b.leg, &handlers, &b);
    expect_closed(&b, -ETIMEDOUT, "did not begin");

    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    b.close_on_audio = true;
    leg_start(b.leg, &handlers, &b);
    say(&b, START_ULAW);
    tell(&b, 2, "abc", 3);
    tell(&b, 2, "abc", 3);
    expect_closed(&b, 0, NULL);
}

static void before_the_start_it_may_be_closed_or_dropped(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    say(&b, START_ULAW);
    leg_close(b.leg);
    bench_free(&b);
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    say(&b, START_ULAW);
    turn_for(b.loop, 5);
    bench_free(&b);
}

static void without_memory_the_descriptor_stays_the_callers(void **state)
{
    const struct leg_websocket_options opt = { .format = LEG_WEBSOCKET_ULAW };
    struct leg *leg;
    struct bench b;

    (void)state;
    bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
    b.leg = ref_drop(b.leg);
    close(b.theirs);
    turn_for(b.loop, 5);
    for (long n = 1;; n++) {
        int err;

        tcp_pair(&b.ours, &b.theirs, 0);
        fail_alloc_at(n);
        err = leg_websocket_new(&leg, b.loop, b.ticker, b.ours, &opt, &test_log);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(close(b.ours), 0);
        close(b.theirs);
    }
    fail_alloc_off();
    b.leg = leg;
    bench_free(&b);
}

/* Each allocation at the start fails once: it begins, or its end is told. */
static void without_memory_the_start_ends_in_order(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct bench b;
        bool has_failed;

        bench_open(&b, LEG_WEBSOCKET_ULAW, false, 0);
        fail_alloc_at(n);
        leg_start(b.leg, &handlers, &b);
        has_failed = fail_alloc_hit();
        fail_alloc_off();
        if (!has_failed) {
            close_and_free(&b);
            break;
        }
        expect_closed(&b, -ENOMEM, "memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_sent_with_the_clock_alone), cmocka_unit_test(speech_has_a_lead_which_a_flush_takes_back),
        cmocka_unit_test(a_stalled_queue_is_not_filled), cmocka_unit_test(xoff_holds_and_xon_lets_go),
        cmocka_unit_test(other_frame_sizes_are_joined), cmocka_unit_test(what_asterisk_says_may_be_cut_anywhere),
        cmocka_unit_test(nonsense_is_counted_or_ends_it_with_a_sentence), cmocka_unit_test(each_end_is_told),
        cmocka_unit_test(before_the_start_it_may_be_closed_or_dropped), cmocka_unit_test(without_memory_the_descriptor_stays_the_callers),
        cmocka_unit_test(without_memory_the_start_ends_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
