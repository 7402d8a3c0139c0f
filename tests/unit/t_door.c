/* audiosocket_door.c over loopback: the test is Asterisk, and strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "pbx/audiosocket_door.h"
#include "tcp_pair.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct audiosocket_door *door;
    uint16_t port;
    struct uuid id;
    uint8_t greeting[19];
    unsigned arrivals;
    int fd;
    char peer[64];
};

static void on_arrival(int fd_or_err, const char *peer, void *arg)
{
    struct bench *b = arg;

    b->arrivals++;
    b->fd = fd_or_err;
    snprintf(b->peer, sizeof b->peer, "%s", peer ? peer : "");
}

static bool has_arrived(void *arg)
{
    return ((struct bench *)arg)->arrivals > 0;
}

static bool has_stranger(void *arg)
{
    return door_strangers(((struct bench *)arg)->door) > 0;
}

static void bench_open(struct bench *b)
{
    struct address at = { .host = "127.0.0.1" };

    memset(b, 0, sizeof *b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(door_open(&b->door, b->loop, &at), 0);
    door_address(b->door, &at);
    assert_true(at.port > 0);
    b->port = at.port;
    uuid_make(&b->id);
    memcpy(b->greeting, "\x01\x00\x10", 3);
    memcpy(b->greeting + 3, b->id.bytes, 16);
}

static void bench_free(struct bench *b)
{
    door_close(b->door);
    turn_for(b->loop, 5);
    loop_free(b->loop);
}

static struct door_ticket *expect(struct bench *b, int64_t wait_ms)
{
    struct door_ticket *t = NULL;

    assert_int_equal(door_expect(&t, b->door, &b->id, wait_ms, on_arrival, b), 0);
    assert_non_null(t);
    return t;
}

static void t_expected_guest(void **state)
{
    struct bench b;
    uint8_t frame[5] = { 0 };
    int fd;

    (void)state;
    bench_open(&b);
    expect(&b, 3000);
    fd = tcp_connect(b.port);
    tcp_write(fd, b.greeting, 19);
    tcp_write(fd, "\x10\x00\x02\x07\x00", 5);  /* what follows is the leg's to read */
    assert_true(turn_until(b.loop, has_arrived, &b, 3000));
    assert_true(b.fd >= 0);
    assert_memory_equal(b.peer, "127.0.0.1:", 10);
    turn_for(b.loop, 5);
    assert_int_equal(recv(b.fd, frame, 5, 0), 5);
    assert_memory_equal(frame, "\x10\x00\x02\x07\x00", 5);
    assert_int_equal(b.arrivals, 1);
    assert_int_equal(door_strangers(b.door), 0);
    close(b.fd);
    close(fd);
    bench_free(&b);
}

static void t_greeting_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 19; cut++) {
        struct bench b;
        int fd;

        bench_open(&b);
        expect(&b, 3000);
        fd = tcp_connect(b.port);
        tcp_write(fd, b.greeting, cut);
        turn_for(b.loop, 2);
        assert_int_equal(b.arrivals, 0);
        tcp_write(fd, b.greeting + cut, 19 - cut);
        assert_true(turn_until(b.loop, has_arrived, &b, 3000));
        assert_true(b.fd >= 0);
        close(b.fd);
        close(fd);
        bench_free(&b);
    }
}

/* Sends these bytes; the door closes the connection without a word. */
static void expect_turned_away(struct bench *b, const uint8_t *greeting)
{
    struct tcp_heard *h = calloc(1, sizeof *h);
    const uint64_t before = door_strangers(b->door);

    h->fd = tcp_connect(b->port);
    tcp_write(h->fd, greeting, 19);
    assert_true(turn_until(b->loop, tcp_has_ended, h, 3000));
    assert_int_equal(h->n, 0);
    assert_int_equal(door_strangers(b->door), before + 1);
    close(h->fd);
    free(h);
}

static void t_strangers(void **state)
{
    struct bench b;
    struct door_ticket *t;
    uint8_t other[19];

    (void)state;
    bench_open(&b);
    expect_turned_away(&b, b.greeting);  /* nobody expects it yet */
    t = expect(&b, 3000);
    memcpy(other, b.greeting, 19);
    other[18] ^= 1;
    expect_turned_away(&b, other);
    memcpy(other, b.greeting, 19);
    other[0] = 0x10;                     /* audio instead of a UUID */
    expect_turned_away(&b, other);
    memcpy(other, b.greeting, 19);
    other[2] = 0x0f;
    expect_turned_away(&b, other);
    expect_turned_away(&b, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n\r\n");
    assert_int_equal(b.arrivals, 0);
    door_forget(t);
    expect_turned_away(&b, b.greeting);
    door_forget(NULL);
    bench_free(&b);
}

static void t_each_ticket_once(void **state)
{
    struct bench b;
    struct door_ticket *t = NULL;
    int fd;

    (void)state;
    bench_open(&b);
    expect(&b, 3000);
    assert_int_equal(door_expect(&t, b.door, &b.id, 1000, on_arrival, &b), -EEXIST);
    assert_null(t);
    fd = tcp_connect(b.port);
    tcp_write(fd, b.greeting, 19);
    assert_true(turn_until(b.loop, has_arrived, &b, 3000));
    close(b.fd);
    close(fd);
    expect_turned_away(&b, b.greeting);
    assert_int_equal(b.arrivals, 1);
    bench_free(&b);
}

static void t_many_wait_and_each_gets_its_own(void **state)
{
    enum { MANY = 40 };
    struct bench b[MANY];
    struct bench door;

    (void)state;
    bench_open(&door);
    for (size_t i = 0; i < MANY; i++) {
        b[i] = door;
        uuid_make(&b[i].id);
        memcpy(b[i].greeting + 3, b[i].id.bytes, 16);
        expect(&b[i], 3000);
    }
    for (size_t i = MANY; i-- > 0;) {
        const int fd = tcp_connect(door.port);
        struct sockaddr_in mine, seen;
        socklen_t n = sizeof mine, m = sizeof seen;

        tcp_write(fd, b[i].greeting, 19);
        assert_true(turn_until(door.loop, has_arrived, &b[i], 3000));
        assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &n), 0);
        assert_int_equal(getpeername(b[i].fd, (struct sockaddr *)&seen, &m), 0);
        assert_int_equal(mine.sin_port, seen.sin_port);
        close(b[i].fd);
        close(fd);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(b[i].arrivals, 1);
    bench_free(&door);
}

static const char *judge(int fd, const struct uuid *id, const char *peer, void *arg)
{
    struct bench *b = arg;

    assert_true(uuid_equal(id, &b->id));
    assert_memory_equal(peer, "127.0.0.1:", 10);
    if (++b->arrivals == 1)
        return "not today";
    b->fd = fd;
    return NULL;
}

static bool has_come_twice(void *arg)
{
    return ((struct bench *)arg)->arrivals == 2;
}

/* Somebody may take those who were not announced, or say why not. */
static void t_a_stranger_may_be_welcome(void **state)
{
    struct bench b;
    int first, second;

    (void)state;
    bench_open(&b);
    door_welcome(b.door, judge, &b);
    first = tcp_connect(b.port);
    tcp_write(first, b.greeting, 19);
    assert_true(turn_until(b.loop, has_stranger, &b, 3000));
    second = tcp_connect(b.port);
    tcp_write(second, b.greeting, 19);
    assert_true(turn_until(b.loop, has_come_twice, &b, 3000));
    assert_int_equal(door_strangers(b.door), 1);
    close(b.fd);
    door_welcome(b.door, NULL, NULL);
    close(second);
    second = tcp_connect(b.port);
    tcp_write(second, b.greeting, 19);
    turn_for(b.loop, 30);
    assert_int_equal(b.arrivals, 2);
    close(first);
    close(second);
    bench_free(&b);
}

static void t_nobody_comes(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b);
    expect(&b, 20);
    assert_true(turn_until(b.loop, has_arrived, &b, 3000));
    assert_int_equal(b.fd, -ETIMEDOUT);
    assert_int_equal(b.arrivals, 1);
    expect_turned_away(&b, b.greeting);  /* too late */
    assert_true(has_stranger(&b));
    bench_free(&b);
}

static void t_door_closes_before_the_guest(void **state)
{
    struct bench b;
    struct door_ticket *forgotten = NULL;
    struct uuid other;

    (void)state;
    bench_open(&b);
    expect(&b, 30);
    uuid_make(&other);
    assert_int_equal(door_expect(&forgotten, b.door, &other, 30, on_arrival, &b), 0);
    door_close(b.door);
    b.door = NULL;
    door_forget(forgotten);
    assert_true(turn_until(b.loop, has_arrived, &b, 3000));
    assert_int_equal(b.fd, -ETIMEDOUT);
    assert_int_equal(tcp_connect(b.port), -1);
    bench_free(&b);
}

static void t_port_in_use(void **state)
{
    struct bench b;
    struct audiosocket_door *second = NULL;
    struct address at = { .host = "127.0.0.1" };

    (void)state;
    bench_open(&b);
    at.port = b.port;
    assert_int_equal(door_open(&second, b.loop, &at), -EADDRINUSE);
    assert_null(second);
    bench_free(&b);
}

static void t_memory_short(void **state)
{
    struct bench b;
    struct address at = { .host = "127.0.0.1" };
    int err = -1;

    (void)state;
    bench_open(&b);
    for (long n = 1; err; n++) {
        struct audiosocket_door *d = NULL;

        fail_alloc_at(n);
        err = door_open(&d, b.loop, &at);
        fail_alloc_off();
        if (err)
            assert_int_equal(err, -ENOMEM);
        else
            door_close(d);
        turn_for(b.loop, 2);
        assert_true(n < 100);
    }
    err = -1;
    for (long n = 1; err; n++) {
        struct door_ticket *t = NULL;

        fail_alloc_at(n);
        err = door_expect(&t, b.door, &b.id, 1000, on_arrival, &b);
        fail_alloc_off();
        if (err)
            assert_int_equal(err, -ENOMEM);
        else
            door_forget(t);
        assert_true(n < 100);
    }
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_expected_guest),
        cmocka_unit_test(t_greeting_cut_anywhere),
        cmocka_unit_test(t_strangers),
        cmocka_unit_test(t_each_ticket_once),
        cmocka_unit_test(t_many_wait_and_each_gets_its_own),
        cmocka_unit_test(t_a_stranger_may_be_welcome),
        cmocka_unit_test(t_nobody_comes),
        cmocka_unit_test(t_door_closes_before_the_guest),
        cmocka_unit_test(t_port_in_use),
        cmocka_unit_test(t_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
