/* websocket_door.c: who is let in, and who is not. The test is Asterisk's WebSocket client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "pbx/websocket_door.h"
#include "tcp_pair.h"
#include "turn.h"

#define UUID_A "11111111-2222-4333-8444-555555555555"
/* As seen of Asterisk 22.10.1. */
#define REQUEST(target)                                                                                                           \
    "GET " target " HTTP/1.1\r\nHost: 127.0.0.1:9093\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: media\r\n\r\n"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct websocket_door *door;
    struct address at;
    struct door_ticket *ticket;
    struct tcp_heard heard;
    unsigned arrivals;
    int fd;
};

static void on_arrival(int fd_or_err, const char *peer, void *arg)
{
    struct bench *b = arg;

    b->arrivals++;
    b->fd = fd_or_err;
    b->ticket = NULL;
    assert_true(fd_or_err < 0 || strncmp(peer, "127.0.0.1:", 10) == 0);
}

static bool has_arrival(void *arg)
{
    return ((struct bench *)arg)->arrivals > 0;
}

static void expect(struct bench *b, const char *uuid, int64_t wait_ms)
{
    struct uuid id;

    assert_int_equal(uuid_parse(text_of(uuid), &id), 0);
    assert_int_equal(websocket_door_expect(&b->ticket, b->door, &id, wait_ms, on_arrival, b), 0);
}

static void bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->at = (struct address){ .host = "127.0.0.1" };
    b->fd = -1;
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(websocket_door_open(&b->door, b->loop, &b->at), 0);
    websocket_door_address(b->door, &b->at);
}

static void bench_free(struct bench *b)
{
    websocket_door_close(b->door);
    if (b->fd >= 0)
        close(b->fd);
    turn_for(b->loop, 2);
    loop_free(b->loop);
}

static void come(struct bench *b, const char *request, size_t n)
{
    memset(&b->heard, 0, sizeof b->heard);
    b->heard.fd = tcp_connect(b->at.port);
    assert_true(b->heard.fd >= 0);
    if (n > 0)
        tcp_write(b->heard.fd, request, n);
}

static void the_expected_one_is_let_in_once(void **state)
{
    static const char request[] = REQUEST("/media?a=b&call=" UUID_A);
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: media\r\n\r\n";
    struct door_ticket *second;
    struct uuid id;
    struct bench b;
    char next;

    (void)state;
    bench_open(&b);
    expect(&b, UUID_A, 5000);
    assert_int_equal(uuid_parse(TEXT(UUID_A), &id), 0);
    assert_int_equal(websocket_door_expect(&second, b.door, &id, 5000, on_arrival, &b), -EEXIST);
    come(&b, request, sizeof request - 1);
    assert_true(turn_until(b.loop, has_arrival, &b, 3000));
    assert_true(b.fd >= 0);
    b.heard.want = sizeof answer - 1;
    assert_true(turn_until(b.loop, tcp_has_heard, &b.heard, 3000));
    assert_int_equal(b.heard.n, sizeof answer - 1);
    assert_memory_equal(b.heard.bytes, answer, sizeof answer - 1);
    assert_int_equal(recv(b.fd, &next, 1, MSG_DONTWAIT), -1); /* the request was taken whole */
    assert_int_equal(errno, EAGAIN);
    close(b.heard.fd);
    come(&b, request, sizeof request - 1);
    assert_true(turn_until(b.loop, tcp_has_ended, &b.heard, 3000));
    assert_int_equal(b.arrivals, 1);
    assert_int_equal(websocket_door_strangers(b.door), 1);
    close(b.heard.fd);
    bench_free(&b);
}

static void strangers_are_turned_away(void **state)
{
    static const char *const requests[] = {
        REQUEST("/media?call=99999999-2222-4333-8444-555555555555"), REQUEST("/media"), REQUEST("/media?call="),
        REQUEST("/media?call=" UUID_A "x"), REQUEST("/media?xcall=" UUID_A), "GET /media?call=" UUID_A " HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\n", "\r\n\r\n", "nonsense\r\n\r\n",
    };
    struct bench b;

    (void)state;
    bench_open(&b);
    expect(&b, UUID_A, 60000);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        come(&b, requests[i], strlen(requests[i]));
        assert_true(turn_until(b.loop, tcp_has_ended, &b.heard, 3000));
        assert_true(b.heard.n >= 12 && memcmp(b.heard.bytes, "HTTP/1.1 404", 12) == 0);
        assert_int_equal(websocket_door_strangers(b.door), i + 1);
        close(b.heard.fd);
    }
    assert_int_equal(b.arrivals, 0);
    door_forget(b.ticket);
    bench_free(&b);
}

static void nobody_came_in_time(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    expect(&b, UUID_A, 20);
    websocket_door_close(b.door);  /* who waits is told all the same */
    b.door = NULL;
    assert_true(turn_until(b.loop, has_arrival, &b, 3000));
    assert_int_equal(b.fd, -ETIMEDOUT);
    bench_free(&b);
}

static void it_closes_with_guests_inside(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    come(&b, "GET /media?call=", 16);
    turn_for(b.loop, 20);
    websocket_door_close(b.door);
    b.door = NULL;
    assert_true(turn_until(b.loop, tcp_has_ended, &b.heard, 3000));
    close(b.heard.fd);
    bench_free(&b);
}

static void without_memory_there_is_no_door(void **state)
{
    const struct address at = { .host = "127.0.0.1" };
    struct websocket_door *d;
    struct bench b;

    (void)state;
    bench_open(&b);
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = websocket_door_open(&d, b.loop, &at);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
    websocket_door_close(d);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_expected_one_is_let_in_once), cmocka_unit_test(strangers_are_turned_away),
        cmocka_unit_test(nobody_came_in_time), cmocka_unit_test(it_closes_with_guests_inside),
        cmocka_unit_test(without_memory_there_is_no_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
