/* The server's end of TLS: bytes of a stream both ways, in order and to the end; strangers; certificates that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/buf.h"
#include "base/ref.h"
#include "net_help.h"
#include "net/dialer.h"
#include "net/listener.h"
#include "net/tls_server.h"
#include "tls_help.h"
#include "turn.h"

enum { WHOLE = 600 * 1000 };

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct listener *listener;
    struct tls_server *tls;
    struct timer *resume;
    struct stream *server, *client;
    struct dial *dial;
    struct buf got;
    bool is_slow;
    unsigned accepted, server_closed, client_closed;
    int server_err, dial_err;
    size_t echoed;
};

/* ---- the server: gives everything back ---- */

static void server_on_data(struct stream *s, struct text bytes, void *arg)
{
    struct bench *b = arg;

    b->echoed += bytes.n;
    assert_int_equal(stream_send_text(s, bytes), 0);
    if (b->is_slow) {              /* back pressure: a little at a time */
        stream_pause(s);
        timer_start(b->resume, 1);
    }
}

static void on_resume(void *arg)
{
    struct bench *b = arg;

    if (b->server)
        stream_resume(b->server);
}

static void server_on_closed(struct stream *s, int err, void *arg)
{
    struct bench *b = arg;

    b->server_closed++;
    b->server_err = err;
    b->server = NULL;
    ref_drop(s);
}

static void on_accept(struct stream *plain, void *arg)
{
    static const struct stream_handlers on = { .on_data = server_on_data, .on_closed = server_on_closed };
    struct bench *b = arg;

    assert_int_equal(tls_server_accept(&b->server, b->tls, plain, &(struct stream_options){ .queue_max = 2 * WHOLE }), 0);
    assert_non_null(strstr(stream_peer(b->server), "127.0.0.1:"));
    stream_handle(b->server, &on, b);
    b->accepted++;
}

/* ---- the client ---- */

static void client_on_data(struct stream *s, struct text bytes, void *arg)
{
    struct bench *b = arg;

    (void)s;
    buf_add_text(&b->got, bytes);
}

static void client_on_closed(struct stream *s, int err, void *arg)
{
    struct bench *b = arg;

    (void)err;
    b->client_closed++;
    b->client = NULL;
    ref_drop(s);
}

static void on_open(struct stream *s, int err, const char *detail, void *arg)
{
    static const struct stream_handlers on = { .on_data = client_on_data, .on_closed = client_on_closed };
    struct bench *b = arg;

    (void)detail;
    b->dial = NULL;
    b->dial_err = err;
    b->client = s;
    if (s)
        stream_handle(s, &on, b);
}

static void bench_start(struct bench *b, const char *scheme, const char *ca)
{
    const struct address any = { .host = "127.0.0.1" };
    struct address at;
    char path[200], key[200], url[64];

    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    snprintf(path, sizeof path, "%s/%s", tls_dir, ca);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ .tls = { .ca_file = path } }), 0);
    snprintf(path, sizeof path, "%s/good.pem", tls_dir);
    snprintf(key, sizeof key, "%s/good.key", tls_dir);
    assert_int_equal(tls_server_new(&b->tls, path, key), 0);
    assert_int_equal(timer_new(&b->resume, b->loop, on_resume, b), 0);
    assert_int_equal(listener_open(&b->listener, b->loop, &any, &(struct listener_options){ .stream = { .queue_max = 2 * WHOLE } }, on_accept, b), 0);
    listener_address(b->listener, &at);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme, at.port);
    buf_init(&b->got, 2 * WHOLE);
    b->dial_err = 1;
    assert_int_equal(dial_open(&b->dial, b->dialer, url, 10000, on_open, b), 0);
}

static bool is_over(void *arg)
{
    const struct bench *b = arg;

    return !b->server && !b->client;
}

static void bench_stop(struct bench *b)
{
    if (b->client)
        stream_abort(b->client);
    if (b->server)
        stream_abort(b->server);
    assert_true(turn_until(b->loop, is_over, b, 10000));
    listener_close(b->listener);
    timer_free(b->resume);
    dialer_free(b->dialer);
    tls_server_free(b->tls);
    loop_free(b->loop);
    buf_free(&b->got);
}

static bool is_dialled(void *arg)
{
    return ((struct bench *)arg)->dial_err != 1;
}

static bool has_all(void *arg)
{
    return ((struct bench *)arg)->got.n >= WHOLE;
}

static bool has_server_closed(void *arg)
{
    return ((struct bench *)arg)->server_closed > 0;
}

static void echo(bool is_slow)
{
    struct bench b = { .is_slow = is_slow };
    char piece[1000];
    size_t sent = 0;

    bench_start(&b, "tls", "ca.pem");
    assert_true(turn_until(b.loop, is_dialled, &b, 10000));
    assert_int_equal(b.dial_err, 0);
    while (b.got.n < WHOLE) {
        while (sent < WHOLE) {
            for (size_t i = 0; i < sizeof piece; i++)
                piece[i] = (char)((sent + i) * 7 % 251);
            if (stream_send_text(b.client, text_make(piece, sizeof piece)))
                break;
            sent += sizeof piece;
        }
        if (sent == WHOLE)
            break;
        turn_for(b.loop, 2);
    }
    assert_true(turn_until(b.loop, has_all, &b, 30000));
    assert_int_equal(b.got.n, WHOLE);
    for (size_t i = 0; i < WHOLE; i++)
        if ((unsigned char)b.got.p[i] != i * 7 % 251)
            fail_msg("byte %zu", i);
    stream_close(b.client, 1000);
    assert_true(turn_until(b.loop, has_server_closed, &b, 10000));
    assert_int_equal(b.server_err, 0);
    bench_stop(&b);
}

static void test_everything_comes_back(void **state)
{
    (void)state;
    echo(false);
}

static void test_and_so_it_does_with_pauses(void **state)
{
    (void)state;
    echo(true);
}

static void test_a_client_without_tls(void **state)
{
    struct bench b = { .is_slow = false };

    (void)state;
    bench_start(&b, "tcp", "ca.pem");
    assert_true(turn_until(b.loop, is_dialled, &b, 10000));
    assert_int_equal(stream_send_text(b.client, TEXT("GET / HTTP/1.1\r\n\r\n")), 0);
    assert_true(turn_until(b.loop, has_server_closed, &b, 10000));
    assert_int_equal(b.server_err, -EPROTO);
    assert_int_equal(b.echoed, 0);
    bench_stop(&b);
}

static void test_a_client_that_does_not_trust_us(void **state)
{
    struct bench b = { .is_slow = false };

    (void)state;
    bench_start(&b, "tls", "other.pem");
    assert_true(turn_until(b.loop, is_dialled, &b, 10000));
    assert_int_equal(b.dial_err, -EKEYREJECTED);
    assert_true(turn_until(b.loop, has_server_closed, &b, 10000));
    bench_stop(&b);
}

static void test_certificates_that_are_none(void **state)
{
    char cert[200], key[200];
    struct tls_server *t = NULL;

    (void)state;
    snprintf(cert, sizeof cert, "%s/good.pem", tls_dir);
    snprintf(key, sizeof key, "%s/foreign.key", tls_dir);
    assert_int_equal(tls_server_new(&t, "/nowhere/x.pem", key), -ENOENT);
    assert_int_equal(tls_server_new(&t, cert, key), -EKEYREJECTED); /* another's */
    assert_int_equal(tls_server_new(&t, key, cert), -EKEYREJECTED);
    assert_null(t);
    tls_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_back),
        cmocka_unit_test(test_and_so_it_does_with_pauses),
        cmocka_unit_test(test_a_client_without_tls),
        cmocka_unit_test(test_a_client_that_does_not_trust_us),
        cmocka_unit_test(test_certificates_that_are_none),
    };

    return cmocka_run_group_tests(tests, tls_setup, tls_shut);
}
