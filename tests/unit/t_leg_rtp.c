/* leg_rtp.c over loopback: the test is Asterisk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/address_internal.h"
#include "pbx/leg_rtp.h"
#include "turn.h"
#include "wire/rtp.h"

enum { WAIT_MS = 5000, PACKETS_MAX = 64 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct ticker *ticker;
    struct leg *leg;
    int fd, peer, stranger;        /* the leg's; Asterisk's; somebody else's */
    struct address here, there;
    unsigned fills, closed;
    int16_t fill, pcm[1024];
    size_t pcm_n;
    char digits[8];
    size_t digit_n;
    bool close_on_audio;
    int err;
    uint8_t got[PACKETS_MAX][400];
    size_t got_n[PACKETS_MAX], got_count;
};

static void on_audio(const int16_t *pcm, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    assert_true(at_us > 0);
    for (size_t i = 0; i < n && b->pcm_n < 1024; i++)
        b->pcm[b->pcm_n++] = pcm[i];
    if (b->close_on_audio)
        leg_close(b->leg);
}

static void on_fill(int16_t *out, size_t n, int64_t at_us, void *arg)
{
    struct bench *b = arg;

    (void)at_us;
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

    (void)why;
    b->closed++;
    b->err = err;
}

static const struct leg_handlers handlers = { .on_audio = on_audio, .on_fill = on_fill, .on_digit = on_digit, .on_closed = on_closed };

static void bench_open(struct bench *b, enum leg_rtp_format format, int64_t dead_ms)
{
    const struct address any = { .host = "127.0.0.1" };
    struct leg_rtp_options opt = { .format = format, .dead_ms = dead_ms };
    struct address other;

    memset(b, 0, sizeof *b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(ticker_new(&b->ticker, b->loop), 0);
    assert_int_equal(udp_bind(&b->fd, &any, &b->here), 0);
    assert_int_equal(udp_bind(&b->peer, &any, &b->there), 0);
    assert_int_equal(udp_bind(&b->stranger, &any, &other), 0);
    opt.peer = b->there;
    assert_int_equal(leg_rtp_new(&b->leg, b->loop, b->ticker, b->fd, &opt, &test_log), 0);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static void bench_close(struct bench *b)
{
    leg_close(b->leg);
    leg_close(b->leg);
    assert_true(turn_until(b->loop, is_closed, b, WAIT_MS));
    assert_int_equal(b->closed, 1);
    ref_drop(b->leg);
    ticker_free(b->ticker);
    close(b->peer);
    close(b->stranger);
    loop_free(b->loop);
}

static void send_from(struct bench *b, int fd, struct rtp_packet p, const void *payload, size_t n)
{
    uint8_t bytes[400];
    struct sockaddr_storage to;
    socklen_t size;

    rtp_put_head(bytes, &p);
    memcpy(bytes + RTP_HEAD, payload, n);
    assert_int_equal(address_to_kernel(&b->here, &to, &size), 0);
    assert_int_equal(sendto(fd, bytes, RTP_HEAD + n, 0, (struct sockaddr *)&to, size), RTP_HEAD + n);
}

static bool has_five(void *arg)
{
    struct bench *b = arg;
    ssize_t n;

    while (b->got_count < PACKETS_MAX && (n = recv(b->peer, b->got[b->got_count], sizeof b->got[0], 0)) > 0)
        b->got_n[b->got_count++] = (size_t)n;
    return b->got_count >= 5;
}

static void speaks_in_numbered_packets(void **state)
{
    struct bench b;
    struct rtp_packet first, p;
    const char *why;

    (void)state;
    bench_open(&b, LEG_RTP_ULAW, 0);
    assert_int_equal(leg_rate(b.leg), 8000);
    leg_start(b.leg, &handlers, &b);
    assert_true(turn_until(b.loop, has_five, &b, WAIT_MS));
    assert_int_equal(rtp_parse(&first, b.got[0], b.got_n[0], &why), 0);
    assert_true(first.has_marker);
    assert_int_equal(first.type, RTP_ULAW);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(rtp_parse(&p, b.got[i], b.got_n[i], &why), 0);
        assert_int_equal(p.n, 160);
        assert_int_equal(p.payload[0], 0xff); /* silence */
        assert_int_equal(p.seq, (uint16_t)(first.seq + i));
        assert_int_equal(p.ssrc, first.ssrc);
        assert_int_equal((p.timestamp - first.timestamp) % 160, 0);
    }
    bench_close(&b);
    assert_int_equal(b.err, 0);
}

static bool has_pcm(void *arg)
{
    return ((struct bench *)arg)->pcm_n >= 6;
}

/* 16 kHz, half a byte a sample, and a timestamp that counts at 8 kHz all the same. */
static void g722_counts_its_time_at_eight_kilohertz(void **state)
{
    const uint8_t sound[160] = { 0xfa };
    struct rtp_packet first, p = { .type = RTP_G722, .seq = 1, .ssrc = 7 };
    struct leg_figures f;
    struct bench b;
    const char *why;

    (void)state;
    bench_open(&b, LEG_RTP_G722, 0);
    assert_int_equal(leg_rate(b.leg), 16000);
    leg_start(b.leg, &handlers, &b);
    send_from(&b, b.peer, p, sound, sizeof sound);
    assert_true(turn_until(b.loop, has_five, &b, WAIT_MS));
    assert_int_equal(rtp_parse(&first, b.got[0], b.got_n[0], &why), 0);
    assert_int_equal(first.type, RTP_G722);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(rtp_parse(&p, b.got[i], b.got_n[i], &why), 0);
        assert_int_equal(p.n, 160);
        assert_int_equal((p.timestamp - first.timestamp) % 160, 0);
        assert_true(i == 0 || p.timestamp - first.timestamp >= i * 160);
    }
    assert_true(turn_until(b.loop, has_pcm, &b, WAIT_MS));
    leg_figures(b.leg, &f);
    assert_int_equal(f.frames_in, 1);
    assert_int_equal(f.odd, 0);
    bench_close(&b);
}

static void linear_samples_are_big_endian_and_put_in_order(void **state)
{
    struct bench b;
    struct leg_figures f;
    struct rtp_packet p = { .type = RTP_SLIN16, .seq = 65534, .ssrc = 7 };

    (void)state;
    bench_open(&b, LEG_RTP_SLIN16, 0);
    assert_int_equal(leg_rate(b.leg), 16000);
    leg_start(b.leg, &handlers, &b);
    send_from(&b, b.peer, p, "\x01\x02\xff\xfe", 4);
    p.seq = 0;
    send_from(&b, b.peer, p, "\x00\x05\x00\x06", 4);
    p.seq = 65535;
    send_from(&b, b.stranger, p, "\x11\x11\x11\x11", 4);
    send_from(&b, b.peer, p, "\x00\x03\x00\x04", 4);
    assert_true(turn_until(b.loop, has_pcm, &b, WAIT_MS));
    assert_int_equal(b.pcm_n, 6);
    assert_memory_equal(b.pcm, ((const int16_t[]){ 0x102, -2, 3, 4, 5, 6 }), 12);
    leg_figures(b.leg, &f);
    assert_int_equal(f.frames_in, 3);
    assert_int_equal(f.early, 1);
    assert_int_equal(f.strangers, 1);
    assert_int_equal(f.lost, 0);
    bench_close(&b);
}

static void a_held_packet_goes_out_when_nothing_follows(void **state)
{
    struct bench b;
    struct leg_figures f;
    struct rtp_packet p = { .type = RTP_SLIN16, .seq = 1 };

    (void)state;
    bench_open(&b, LEG_RTP_SLIN16, 0);
    leg_start(b.leg, &handlers, &b);
    send_from(&b, b.peer, p, "\x00\x08\x00\x08", 4);
    p.seq = 3;
    send_from(&b, b.peer, p, "\x00\x09\x00\x09", 4);
    assert_true(turn_until(b.loop, has_pcm, &b, WAIT_MS));
    assert_memory_equal(b.pcm, ((const int16_t[]){ 8, 8, 6, 6, 9, 9 }), 12);
    leg_figures(b.leg, &f);
    assert_int_equal(f.lost, 1);
    assert_int_equal(f.concealed, 1);
    bench_close(&b);
}

static void a_new_source_and_nonsense(void **state)
{
    struct bench b;
    struct leg_figures f;
    struct rtp_packet p = { .type = RTP_SLIN16, .seq = 500, .ssrc = 1 };

    (void)state;
    bench_open(&b, LEG_RTP_SLIN16, 0);
    leg_start(b.leg, &handlers, &b);
    send_from(&b, b.peer, p, "\x00\x01\x00\x01", 4);
    p.ssrc = 2;
    p.seq = 480;                   /* would be too late if it were the same source */
    send_from(&b, b.peer, p, "\x00\x02\x00\x02", 4);
    p.type = 77;
    p.seq = 481;
    send_from(&b, b.peer, p, "\x00\x02\x00\x02", 4);
    p.type = RTP_SLIN16;
    send_from(&b, b.peer, p, "\x00\x03\x00\x03", 4);
    assert_true(turn_until(b.loop, has_pcm, &b, WAIT_MS));
    assert_memory_equal(b.pcm, ((const int16_t[]){ 1, 1, 2, 2, 3, 3 }), 12);
    leg_figures(b.leg, &f);
    assert_int_equal(f.odd, 1);
    assert_int_equal(f.late, 0);
    bench_close(&b);
}

static bool has_two_digits(void *arg)
{
    return ((struct bench *)arg)->digit_n >= 2;
}

static void a_digit_is_told_once(void **state)
{
    struct bench b;
    struct rtp_packet p = { .type = RTP_EVENT, .seq = 1, .timestamp = 160 };

    (void)state;
    bench_open(&b, LEG_RTP_ULAW, 0);
    leg_start(b.leg, &handlers, &b);
    send_from(&b, b.peer, p, "\x05\x0a\x00\xa0", 4);
    for (p.seq = 2; p.seq < 5; p.seq++)
        send_from(&b, b.peer, p, "\x05\x8a\x03\x20", 4);
    p.timestamp = 3200;
    send_from(&b, b.peer, p, "\x0b\x8a\x03\x20", 4);
    assert_true(turn_until(b.loop, has_two_digits, &b, WAIT_MS));
    assert_string_equal(b.digits, "5#");
    bench_close(&b);
}

static void a_silent_peer_ends_it(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_RTP_ULAW, 50);
    leg_start(b.leg, &handlers, &b);
    assert_true(turn_until(b.loop, is_closed, &b, WAIT_MS));
    assert_int_equal(b.err, -ETIMEDOUT);
    bench_close(&b);
}

static void the_handler_may_close(void **state)
{
    struct bench b;
    struct rtp_packet p = { .type = RTP_SLIN16, .seq = 1 };

    (void)state;
    bench_open(&b, LEG_RTP_SLIN16, 0);
    b.close_on_audio = true;
    leg_start(b.leg, &handlers, &b);
    for (; p.seq < 4; p.seq++)
        send_from(&b, b.peer, p, "\x00\x08\x00\x08", 4);
    assert_true(turn_until(b.loop, is_closed, &b, WAIT_MS));
    assert_int_equal(b.pcm_n, 2);
    bench_close(&b);
}

static void never_started(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, LEG_RTP_ALAW, 0);
    ref_drop(b.leg);
    ticker_free(b.ticker);
    close(b.peer);
    close(b.stranger);
    loop_run(b.loop);
    loop_free(b.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_in_numbered_packets), cmocka_unit_test(g722_counts_its_time_at_eight_kilohertz), cmocka_unit_test(linear_samples_are_big_endian_and_put_in_order),
        cmocka_unit_test(a_held_packet_goes_out_when_nothing_follows), cmocka_unit_test(a_new_source_and_nonsense),
        cmocka_unit_test(a_digit_is_told_once), cmocka_unit_test(a_silent_peer_ends_it), cmocka_unit_test(the_handler_may_close),
        cmocka_unit_test(never_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
