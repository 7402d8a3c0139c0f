/* head_wait.c: takes exactly the head, however it comes, and leaves what is behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "net/head_wait.h"
#include "tcp_pair.h"
#include "turn.h"

#define HEAD "GET /media?call=1 HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct head_wait *wait;
    int ours, theirs;
    unsigned calls;
    int err;
    char head[HEAD_WAIT_MAX + 1];
};

static void on_head(int err, struct text head, void *arg)
{
    struct bench *b = arg;

    b->calls++;
    b->err = err;
    text_copy(b->head, sizeof b->head, head);
}

static bool is_told(void *arg)
{
    return ((struct bench *)arg)->calls > 0;
}

static void bench_open(struct bench *b, int64_t deadline_ms)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    tcp_pair(&b->ours, &b->theirs, 0);
    assert_int_equal(head_wait_new(&b->wait, b->loop, b->ours, deadline_ms, on_head, b), 0);
}

static void bench_free(struct bench *b)
{
    turn_for(b->loop, 2);
    assert_int_equal(b->calls, 1);
    close(b->ours);
    if (b->theirs >= 0)
        close(b->theirs);
    loop_free(b->loop);
}

static void split_anywhere_it_is_the_same(void **state)
{
    (void)state;
    for (size_t at = 1; at < strlen(HEAD); at++) {
        char rest[8] = "";
        struct bench b;

        bench_open(&b, 3000);
        tcp_write(b.theirs, HEAD, at);
        turn_for(b.loop, 1);
        assert_int_equal(b.calls, 0);
        tcp_write(b.theirs, HEAD "next", strlen(HEAD) + 4);
        /* The second write begins anew: what is behind the first blank line is not ours. */
        assert_true(turn_until(b.loop, is_told, &b, 3000));
        assert_int_equal(b.err, 0);
        assert_int_equal(strlen(b.head), at + strlen(HEAD));
        assert_memory_equal(b.head + at, HEAD, strlen(HEAD));
        assert_int_equal(recv(b.ours, rest, sizeof rest - 1, 0), 4);
        assert_string_equal(rest, "next");
        bench_free(&b);
    }
}

static void a_peer_that_ends_is_told_at_once(void **state)
{
    struct bench b;

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        bench_open(&b, 60000);
        tcp_write(b.theirs, HEAD, n * 10);
        turn_for(b.loop, 1);
        close(b.theirs);
        b.theirs = -1;
        assert_true(turn_until(b.loop, is_told, &b, 3000));
        assert_int_equal(b.err, -ECONNRESET);
        bench_free(&b);
    }
}

static void a_slow_one_and_an_endless_one(void **state)
{
    char much[HEAD_WAIT_MAX];
    struct bench b;

    (void)state;
    bench_open(&b, 20);
    tcp_write(b.theirs, HEAD, 5);
    assert_true(turn_until(b.loop, is_told, &b, 3000));
    assert_int_equal(b.err, -ETIMEDOUT);
    bench_free(&b);
    memset(much, 'x', sizeof much);
    bench_open(&b, 60000);
    tcp_write(b.theirs, much, sizeof much);
    assert_true(turn_until(b.loop, is_told, &b, 3000));
    assert_int_equal(b.err, -EMSGSIZE);
    bench_free(&b);
}

static void may_be_given_up_and_fail_to_begin(void **state)
{
    struct head_wait *w;
    struct bench b;

    (void)state;
    bench_open(&b, 60000);
    head_wait_free(b.wait);
    b.calls = 1;
    head_wait_free(NULL);
    assert_int_equal(head_wait_new(&w, b.loop, b.ours, 0, on_head, &b), -EINVAL);
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = head_wait_new(&w, b.loop, b.ours, 1000, on_head, &b);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
    }
    fail_alloc_off();
    head_wait_free(w);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_anywhere_it_is_the_same), cmocka_unit_test(a_peer_that_ends_is_told_at_once),
        cmocka_unit_test(a_slow_one_and_an_endless_one), cmocka_unit_test(may_be_given_up_and_fail_to_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
