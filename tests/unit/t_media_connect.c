/* media_connect.c: the way to a WebSocket channel that waits. The test is Asterisk's HTTP server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "net/ws_handshake.h"
#include "pbx/media_connect.h"
#include "tcp_pair.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct media_connect *connect;
    int listening, theirs;
    char url[64];
    struct tcp_heard heard;
    unsigned dones;
    int fd;
    char detail[200];
};

static void on_done(int fd_or_err, const char *detail, void *arg)
{
    struct bench *b = arg;

    b->dones++;
    b->fd = fd_or_err;
    snprintf(b->detail, sizeof b->detail, "%s", detail ? detail : "");
}

static bool is_done(void *arg)
{
    return ((struct bench *)arg)->dones > 0;
}

/* The request is whole. */
static bool is_asked(void *arg)
{
    struct bench *b = arg;

    if (b->theirs < 0)
        b->theirs = accept4(b->listening, NULL, NULL, SOCK_NONBLOCK);
    b->heard.fd = b->theirs;
    if (b->theirs >= 0)
        tcp_hear(&b->heard);
    return b->heard.n > 4 && memcmp(b->heard.bytes + b->heard.n - 4, "\r\n\r\n", 4) == 0;
}

static void bench_open(struct bench *b)
{
    const struct dialer_options none = { 0 };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;

    memset(b, 0, sizeof *b);
    b->fd = b->theirs = -1;
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &none), 0);
    b->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(b->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(b->listening, 1), 0);
    assert_int_equal(getsockname(b->listening, (struct sockaddr *)&at, &n), 0);
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/pre", ntohs(at.sin_port));
}

static void bench_free(struct bench *b)
{
    dialer_free(b->dialer);
    if (b->fd >= 0)
        close(b->fd);
    if (b->theirs >= 0)
        close(b->theirs);
    close(b->listening);
    turn_for(b->loop, 5);
    loop_free(b->loop);
}

static void ask(struct bench *b, int64_t wait_ms)
{
    assert_int_equal(media_connect_open(&b->connect, b->loop, b->dialer, b->url, "media-1.x", wait_ms, on_done, b), 0);
}

static void answer(struct bench *b, const char *behind)
{
    const char *key = strstr((const char *)b->heard.bytes, "Sec-WebSocket-Key: ");
    char accept[WS_ACCEPT_TEXT + 1], text[400];

    assert_non_null(key);
    assert_int_equal(ws_accept_make(text_make(key + 19, WS_KEY_TEXT), accept), 0);
    snprintf(text, sizeof text,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s", accept, behind);
    tcp_write(b->theirs, text, strlen(text));
}

static void what_comes_behind_the_answer_is_left_to_the_descriptor(void **state)
{
    char next[8] = "";
    struct bench b;

    (void)state;
    bench_open(&b);
    ask(&b, 3000);
    assert_true(turn_until(b.loop, is_asked, &b, 3000));
    assert_memory_equal(b.heard.bytes, "GET /pre/media/media-1.x HTTP/1.1\r\n", 35);
    assert_non_null(strstr((const char *)b.heard.bytes, "\r\nSec-WebSocket-Protocol: media\r\n"));
    answer(&b, "frames");
    assert_true(turn_until(b.loop, is_done, &b, 3000));
    assert_true(b.fd >= 0);
    assert_int_equal(recv(b.fd, next, sizeof next - 1, 0), 6);
    assert_string_equal(next, "frames");
    tcp_write(b.fd, "ours", 4);
    turn_for(b.loop, 20);
    b.heard.n = 0;
    tcp_hear(&b.heard);
    assert_int_equal(b.heard.n, 4);
    assert_false(b.heard.is_ended);
    bench_free(&b);
}

static void refusals_and_silence_are_told(void **state)
{
    static const char refusal[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    struct bench b;

    (void)state;
    bench_open(&b);
    ask(&b, 3000);
    assert_true(turn_until(b.loop, is_asked, &b, 3000));
    tcp_write(b.theirs, refusal, sizeof refusal - 1);
    assert_true(turn_until(b.loop, is_done, &b, 3000));
    assert_int_equal(b.fd, -EPROTO);
    assert_non_null(strstr(b.detail, "404"));
    bench_free(&b);

    bench_open(&b);
    ask(&b, 50);
    assert_true(turn_until(b.loop, is_done, &b, 3000));
    assert_int_equal(b.fd, -ETIMEDOUT);
    bench_free(&b);

    bench_open(&b);
    close(b.listening);
    ask(&b, 3000);
    assert_true(turn_until(b.loop, is_done, &b, 3000));
    assert_int_equal(b.fd, -ECONNREFUSED);
    b.listening = socket(AF_INET, SOCK_STREAM, 0);
    bench_free(&b);

    bench_open(&b);
    ask(&b, 3000);
    assert_true(turn_until(b.loop, is_asked, &b, 3000));
    close(b.theirs);
    b.theirs = -1;
    assert_true(turn_until(b.loop, is_done, &b, 3000));
    assert_int_equal(b.fd, -ECONNRESET);
    bench_free(&b);
}

static void it_may_be_cancelled_at_each_step(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    ask(&b, 3000);
    media_connect_cancel(b.connect);
    turn_for(b.loop, 20);
    ask(&b, 3000);
    assert_true(turn_until(b.loop, is_asked, &b, 3000));
    media_connect_cancel(b.connect);
    media_connect_cancel(NULL);
    turn_for(b.loop, 20);
    assert_int_equal(b.dones, 0);
    bench_free(&b);
}

static void what_cannot_be_is_refused_at_once(void **state)
{
    static const char *const ids[] = { "", "a b", "a/b", "a?b", "a\r\nX: y" };
    struct media_connect *m;
    struct bench b;

    (void)state;
    bench_open(&b);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(media_connect_open(&m, b.loop, b.dialer, b.url, ids[i], 1000, on_done, &b), -EINVAL);
    assert_int_equal(media_connect_open(&m, b.loop, b.dialer, "https://127.0.0.1", "a", 1000, on_done, &b), -EOPNOTSUPP);
    assert_int_equal(media_connect_open(&m, b.loop, b.dialer, "ftp://127.0.0.1", "a", 1000, on_done, &b), -EINVAL);
    assert_int_equal(media_connect_open(&m, b.loop, b.dialer, b.url, "a", 0, on_done, &b), -EINVAL);
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = media_connect_open(&m, b.loop, b.dialer, b.url, "a", 1000, on_done, &b);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
    media_connect_cancel(m);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_behind_the_answer_is_left_to_the_descriptor), cmocka_unit_test(refusals_and_silence_are_told),
        cmocka_unit_test(it_may_be_cancelled_at_each_step), cmocka_unit_test(what_cannot_be_is_refused_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
