/* Connections that we open, plain and TLS: what is refused and why, back pressure without loss, ends in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ref.h"
#include "fail_alloc.h"
#include "net/dialer.h"
#include "net_help.h"
#include "tls_help.h"

enum { PATTERN = 65521, BULK = 9 * 1024 * 1024, FLOOD = 3 * 1024 * 1024 };

static char byte_at(size_t i)
{
    i %= PATTERN;
    return (char)(uint8_t)(i * 31 + i / 251);
}

struct side {
    struct loop *loop;
    struct dialer *dialer;
    struct stream *stream;
    struct timer *timer;
    const struct stream_handlers *on;   /* NULL: the stream is not handled */
    size_t opened, closed, ended, got, sent, drained, refused, pauses;
    bool is_pattern;
    bool is_inside;
    int open_err, err;
    char detail[200];
    char tail[64];
    size_t stop_at;      /* bytes */
};

static void on_closed(struct stream *s, int err, void *arg)
{
    struct side *x = arg;

    (void)s;
    assert_false(x->is_inside);
    x->closed++;
    x->err = err;
    loop_stop(x->loop);
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct side *x = arg;

    (void)s;
    assert_false(x->is_inside);
    assert_int_equal(x->closed, 0);
    for (size_t i = 0; i < bytes.n; i++)
        x->is_pattern = x->is_pattern && bytes.p[i] == byte_at(x->got + i);
    x->got += bytes.n;
    text_copy(x->tail, sizeof x->tail, bytes);
    if (x->got == x->stop_at)
        loop_stop(x->loop);
}

static void on_end(struct stream *s, void *arg)
{
    struct side *x = arg;

    (void)s;
    x->ended++;
    loop_stop(x->loop);
}

static const struct stream_handlers plain = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };

static void on_open(struct stream *s, int err, const char *detail, void *arg)
{
    struct side *x = arg;

    assert_false(x->is_inside);
    assert_true((s != NULL) == (err == 0));
    x->opened++;
    x->open_err = err;
    x->stream = s;
    text_copy(x->detail, sizeof x->detail, text_of(detail));
    if (s && x->on)
        stream_handle(s, x->on, x);
    loop_stop(x->loop);
}

static void side_new(struct side *x, const struct dialer_options *opt)
{
    *x = (struct side){ .loop = help_loop(), .on = &plain, .is_pattern = true };
    assert_int_equal(dialer_new(&x->dialer, x->loop, opt), 0);
}

static const char *url_of(const char *scheme, const char *host, uint16_t port)
{
    static char url[100];

    snprintf(url, sizeof url, "%s://%s:%u", scheme, host, port);
    return url;
}

static void side_dial(struct side *x, const char *url, int64_t timeout_ms)
{
    struct dial *dial;

    x->is_inside = true;
    assert_int_equal(dial_open(&dial, x->dialer, url, timeout_ms, on_open, x), 0);
    x->is_inside = false;
    help_run(x->loop);
    assert_int_equal(x->opened, 1);
}

static void side_free(struct side *x)
{
    dialer_free(x->dialer);
    if (x->stream)
        stream_abort(x->stream);
    ref_drop(x->stream);
    timer_free(x->timer);
    loop_free(x->loop);
}

static struct dialer_options own_ca(void)
{
    return (struct dialer_options){ .tls = { .ca_file = tls_path("ca.pem") } };
}

/* ---- plain ---- */

struct echo {
    int listener;
    bool ok;
};

static void *echo_one(void *arg)
{
    struct echo *e = arg;
    const int fd = accept(e->listener, NULL, NULL);
    char b[4096];
    ssize_t n;

    while ((n = read(fd, b, sizeof b)) > 0)
        help_write(fd, b, (size_t)n);
    e->ok = n == 0;
    help_write(fd, "END", 3);
    close(fd);
    return NULL;
}

static void test_plain(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct echo e = { 0 };
        struct side x;
        uint16_t port;
        pthread_t id;
        char peer[40];

        e.listener = help_listen(&port);
        assert_int_equal(pthread_create(&id, NULL, echo_one, &e), 0);
        side_new(&x, NULL);
        side_dial(&x, url_of("tcp", hosts[i], port), 5000);
        assert_int_equal(x.open_err, 0);
        snprintf(peer, sizeof peer, "127.0.0.1:%u", port);
        assert_string_equal(stream_peer(x.stream), peer);
        assert_int_equal(stream_send_text(x.stream, TEXT("hello")), 0);
        x.stop_at = 5;
        help_run(x.loop);
        assert_string_equal(x.tail, "hello");
        stream_close(x.stream, 5000);
        help_run(x.loop);
        assert_int_equal(x.err, 0);
        pthread_join(id, NULL);
        assert_true(e.ok);
        close(e.listener);
        side_free(&x);
    }
}

static void test_refused(void **state)
{
    struct side x;
    uint16_t port;

    (void)state;
    close(help_listen(&port));
    side_new(&x, NULL);
    side_dial(&x, url_of("tcp", "127.0.0.1", port), 5000);
    assert_int_equal(x.open_err, -ECONNREFUSED);
    assert_true(x.detail[0] != 0);
    side_free(&x);
}

static void test_urls(void **state)
{
    static const char *const bad[] = {
        "", "tcp", "tcp://", "tcp://host", "tcp://:1", "tcp://host:", "tcp://host:0", "tcp://host:65536", "tcp://host:-1",
        "tcp://host:+1", "http://host:1", "tls:/host:1", "TCP://host:1", "tcp://host:1/", "tcp://user@host:1", "tcp://a b:1",
        "tcp://a\n:1", "tcp://[::1:1", "tcp://::1:1", "tcp://[]:1", "tcp://-x:1", "tcp://h?x:1", "tcp://h#x:1", "tcp://h%41:1",
    };
    struct dial *dial = NULL;
    char much[400] = "tcp://";
    struct side x;

    (void)state;
    side_new(&x, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(dial_open(&dial, x.dialer, bad[i], 1000, on_open, &x), -EINVAL);
    memset(much + 6, 'a', 350);
    snprintf(much + 356, 10, ":80");
    assert_int_equal(dial_open(&dial, x.dialer, much, 1000, on_open, &x), -EINVAL);
    assert_int_equal(dial_open(&dial, x.dialer, NULL, 1000, on_open, &x), -EINVAL);
    assert_int_equal(dial_open(&dial, x.dialer, "tcp://127.0.0.1:1", 0, on_open, &x), -EINVAL);
    assert_null(dial);
    side_free(&x);
}

static void test_cancel(void **state)
{
    struct dial *dial;
    struct side x;
    uint16_t port;
    const int listener = help_listen(&port);

    (void)state;
    side_new(&x, NULL);
    assert_int_equal(dial_open(&dial, x.dialer, url_of("tls", "127.0.0.1", port), 20000, on_open, &x), 0);
    dial_cancel(dial);
    dial_cancel(NULL);
    loop_run(x.loop);
    assert_int_equal(dial_open(&dial, x.dialer, url_of("tls", "127.0.0.1", port), 20000, on_open, &x), 0);
    help_run_ms(x.loop, 30); /* now it waits for the server's hello */
    dial_cancel(dial);
    loop_run(x.loop);        /* ends: nothing is left */
    assert_int_equal(dial_open(&dial, x.dialer, url_of("tls", "127.0.0.1", port), 20000, on_open, &x), 0);
    help_run_ms(x.loop, 30);
    side_free(&x);           /* with one under way */
    assert_int_equal(x.opened, 0);
    close(listener);
}

static void free_dialer(struct stream *s, int err, const char *detail, void *arg)
{
    struct side *x = arg;

    (void)err;
    (void)detail;
    assert_null(s);
    x->opened++;
    dialer_free(x->dialer);
    x->dialer = NULL;
}

static void test_dialer_freed_inside_a_handler(void **state)
{
    struct dial *dial;
    struct side x;
    uint16_t port;

    (void)state;
    close(help_listen(&port));
    side_new(&x, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dial_open(&dial, x.dialer, url_of("tcp", "127.0.0.1", port), 20000, free_dialer, &x), 0);
    loop_run(x.loop);
    assert_int_equal(x.opened, 1);
    side_free(&x);
}

static void test_environment_is_not_obeyed(void **state)
{
    struct echo e = { 0 };
    struct side x;
    uint16_t port;
    pthread_t id;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    e.listener = help_listen(&port);
    assert_int_equal(pthread_create(&id, NULL, echo_one, &e), 0);
    side_new(&x, NULL);
    side_dial(&x, url_of("tcp", "127.0.0.1", port), 5000);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_int_equal(x.open_err, 0);
    stream_close(x.stream, 5000);
    help_run(x.loop);
    pthread_join(id, NULL);
    close(e.listener);
    side_free(&x);
}

struct proxy {
    int listener;
    char head[2000];
};

/* Answers CONNECT and then speaks as the far end. */
static void *proxy_one(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 Connected\r\n\r\nfar end";
    struct proxy *p = arg;
    const int fd = accept(p->listener, NULL, NULL);
    size_t n = 0;

    while (n + 1 < sizeof p->head && !strstr(p->head, "\r\n\r\n") && help_read(fd, p->head + n, 1))
        p->head[++n] = 0;
    help_write(fd, answer, sizeof answer - 1); /* the far end's first bytes in the same segment */
    help_read_end(fd);
    close(fd);
    return NULL;
}

static void test_proxy(void **state)
{
    struct dialer_options opt = { 0 };
    struct proxy p = { 0 };
    struct side x;
    uint16_t port;
    pthread_t id;
    char url[40];

    (void)state;
    p.listener = help_listen(&port);
    assert_int_equal(pthread_create(&id, NULL, proxy_one, &p), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    opt.proxy = url;
    side_new(&x, &opt);
    side_dial(&x, "tcp://pbx.example:5038", 5000);
    assert_int_equal(x.open_err, 0);
    x.stop_at = 7;
    if (x.got < 7)
        help_run(x.loop);
    assert_string_equal(x.tail, "far end");
    assert_true(text_starts(text_of(p.head), TEXT("CONNECT pbx.example:5038 HTTP/1.1\r\n")));
    stream_close(x.stream, 5000);
    help_run(x.loop);
    pthread_join(id, NULL);
    close(p.listener);
    side_free(&x);
}

/* ---- TLS: trust ---- */

static void expect_open(const char *certificate, const struct dialer_options *opt, int err, const char *in_detail)
{
    struct tls_peer peer = tls_peer_start(certificate, "echo", "0");
    struct side x;

    side_new(&x, opt);
    side_dial(&x, url_of("tls", "127.0.0.1", peer.port), 20000);
    assert_int_equal(x.open_err, err);
    if (!strstr(x.detail, in_detail))
        fail_msg("detail: %s", x.detail);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_trust(void **state)
{
    const struct dialer_options good = own_ca();
    char ca[128], pin[100] = "sha256//";
    struct dialer_options opt;
    FILE *f;

    (void)state;
    text_copy(ca, sizeof ca, text_of(tls_path("ca.pem")));
    opt = (struct dialer_options){ .tls = { .ca_file = ca } };
    expect_open("good", &opt, 0, "");
    expect_open("foreign", &opt, -EKEYREJECTED, "127.0.0.1");
    expect_open("good", &(struct dialer_options){ .tls = { .ca_file = tls_path("other.pem") } }, -EKEYREJECTED, "issuer");
    expect_open("good", NULL, -EKEYREJECTED, "issuer"); /* the system's bundle does not know us */
    expect_open("good", &(struct dialer_options){ .tls = { .ca_file = "/nonexistent/ca.pem" } }, -ENOENT, "");
    expect_open("foreign", &(struct dialer_options){ .tls = { .insecure = true } }, 0, "");
    f = fopen(tls_path("pin"), "r");
    assert_non_null(f);
    assert_int_equal(fread(pin + 8, 1, 80, f), 44);
    fclose(f);
    opt = (struct dialer_options){ .tls = { .insecure = true, .pin = pin } };
    expect_open("good", &opt, 0, "");
    expect_open("foreign", &opt, -EKEYREJECTED, "");
    (void)good;
}

static void test_mute_tls_peer(void **state)
{
    struct side x;
    uint16_t port;
    const int listener = help_listen(&port); /* the kernel accepts, nobody speaks */
    int64_t from_us;

    (void)state;
    side_new(&x, NULL);
    from_us = clock_mono_us();
    side_dial(&x, url_of("tls", "127.0.0.1", port), 150);
    assert_int_equal(x.open_err, -ETIMEDOUT);
    assert_true(clock_mono_us() - from_us >= 140000);
    assert_true(strstr(x.detail, "timeout") || strstr(x.detail, "timed out"));
    side_free(&x);
    close(listener);
}

static void *say_nonsense(void *arg)
{
    struct echo *e = arg;
    const int fd = accept(e->listener, NULL, NULL);

    help_write(fd, "220 this is not TLS\r\n", 21);
    help_read_end(fd);
    close(fd);
    return NULL;
}

static void test_peer_without_tls(void **state)
{
    struct echo e = { 0 };
    struct side x;
    uint16_t port;
    pthread_t id;

    (void)state;
    e.listener = help_listen(&port);
    assert_int_equal(pthread_create(&id, NULL, say_nonsense, &e), 0);
    side_new(&x, NULL);
    side_dial(&x, url_of("tls", "127.0.0.1", port), 20000);
    assert_int_equal(x.open_err, -EPROTO);
    pthread_join(id, NULL);
    side_free(&x);
    close(e.listener);
}

/* ---- TLS: bytes ---- */

static struct tls_peer tls_open(struct side *x, const char *mode, size_t size, const struct stream_handlers *on)
{
    const struct dialer_options opt = own_ca();
    struct tls_peer peer;
    char number[24];

    snprintf(number, sizeof number, "%zu", size);
    peer = tls_peer_start("good", mode, number);
    side_new(x, &opt);
    x->on = on;
    side_dial(x, url_of("tls", "127.0.0.1", peer.port), 20000);
    if (x->open_err)
        fail_msg("tls: %d %s", x->open_err, x->detail);
    return peer;
}

static void send_pattern(struct side *x, size_t size)
{
    x->is_inside = true;
    while (x->sent < size) {
        char chunk[10007];
        const size_t n = size - x->sent < sizeof chunk ? size - x->sent : sizeof chunk;
        const struct text parts[2] = { { chunk, n / 4 }, { chunk + n / 4, n - n / 4 } };
        int err;

        for (size_t i = 0; i < n; i++)
            chunk[i] = byte_at(x->sent + i);
        err = stream_send(x->stream, parts, 2);
        assert_true(stream_queued(x->stream) <= 256 * 1024);
        if (err) {
            assert_int_equal(err, -ENOBUFS);
            x->refused++;
            break;
        }
        x->sent += n;
    }
    x->is_inside = false;
}

static void send_more(struct stream *s, void *arg)
{
    struct side *x = arg;

    (void)s;
    assert_false(x->is_inside);
    x->drained++;
    send_pattern(x, BULK);
}

static void test_tls_echo(void **state)
{
    const struct stream_handlers on = { on_data, on_end, send_more, on_closed };
    struct side x;
    struct tls_peer peer = tls_open(&x, "echo", 0, &on);

    (void)state;
    x.stop_at = BULK;
    send_pattern(&x, BULK);
    help_run(x.loop);
    assert_int_equal(x.got, BULK);
    assert_true(x.is_pattern);
    stream_close(x.stream, 20000);
    help_run(x.loop);
    assert_int_equal(x.err, 0);
    assert_int_equal(x.closed, 1);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void go(void *arg)
{
    (void)arg;
    tls_write("go", "");
}

static void test_tls_back_pressure_loses_nothing(void **state)
{
    const struct stream_handlers on = { on_data, on_end, send_more, on_closed };
    struct side x;
    struct tls_peer peer = tls_open(&x, "late", BULK, &on);

    (void)state;
    send_pattern(&x, BULK);
    help_run_ms(x.loop, 100); /* the peer reads nothing: kernel buffers and our queue fill up */
    assert_true(x.refused >= 1);
    assert_true(x.sent < BULK);
    assert_true(stream_queued(x.stream) > 0);
    go(NULL);
    x.stop_at = 4;
    help_run(x.loop);
    assert_int_equal(x.sent, BULK);
    assert_string_equal(x.tail, "same");
    assert_true(x.drained >= 1);
    stream_close(x.stream, 20000);
    help_run(x.loop);
    assert_int_equal(x.err, 0);
    side_free(&x);
    unlink(tls_path("go"));
    tls_peer_stop(&peer);
}

static void test_tls_close_with_bytes_waiting(void **state)
{
    struct side x;
    struct tls_peer peer = tls_open(&x, "late", BULK, &plain);

    (void)state;
    send_pattern(&x, BULK);
    help_run_ms(x.loop, 50);
    stream_close(x.stream, 80); /* it will not read in time */
    help_run(x.loop);
    assert_int_equal(x.err, -ETIMEDOUT);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_tls_close_while_the_peer_talks(void **state)
{
    struct side x;
    struct tls_peer peer = tls_open(&x, "talk", 200000, &plain);
    char line[40];

    (void)state;
    send_pattern(&x, 200000);
    assert_int_equal(x.sent, 200000);
    x.is_pattern = true;
    stream_close(x.stream, 20000);
    help_run(x.loop);
    assert_int_equal(x.err, 0);
    tls_line(&peer, line, sizeof line);
    assert_string_equal(line, "same"); /* no reset ate the end */
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_tls_peer_speaks_first(void **state)
{
    struct side x;
    struct tls_peer peer = tls_open(&x, "banner", 0, &plain);

    (void)state;
    x.stop_at = 9;
    if (x.got < 9)
        help_run(x.loop);
    assert_string_equal(x.tail, "welcome\r\n");
    side_free(&x);
    tls_peer_stop(&peer);
}

static void resume(void *arg)
{
    stream_resume(((struct side *)arg)->stream);
}

static void pause_often(struct stream *s, struct text bytes, void *arg)
{
    struct side *x = arg;

    on_data(s, bytes, arg);
    if (x->got >= FLOOD)
        return;
    stream_pause(s);
    x->pauses++;
    if (!x->timer)
        assert_int_equal(timer_new(&x->timer, x->loop, resume, x), 0);
    timer_start(x->timer, 1);
}

static void test_tls_pause_and_resume(void **state)
{
    const struct stream_handlers on = { .on_data = pause_often, .on_end = on_end, .on_closed = on_closed };
    struct side x;
    struct tls_peer peer = tls_open(&x, "flood", FLOOD, NULL);

    (void)state;
    /* Not handled in time: aborted. */
    assert_int_equal(stream_send_text(x.stream, TEXT("x")), -EPIPE);
    side_free(&x);
    tls_peer_stop(&peer);

    peer = tls_open(&x, "flood", FLOOD, &on);
    x.stop_at = FLOOD; /* far more than the first turn can bring */
    help_run(x.loop); /* a record inside OpenSSL with a silent socket would hang here */
    assert_int_equal(x.got, FLOOD);
    assert_true(x.is_pattern);
    assert_true(x.pauses > 100);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_tls_peer_leaves(void **state)
{
    struct side x;
    struct tls_peer peer = tls_open(&x, "leave", 0, &plain);

    (void)state;
    if (x.ended == 0)
        help_run(x.loop);
    assert_int_equal(x.ended, 1);
    stream_close(x.stream, 20000);
    help_run(x.loop);
    assert_int_equal(x.err, 0);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_tls_peer_resets(void **state)
{
    struct side x;
    struct tls_peer peer = tls_open(&x, "reset", 0, &plain);

    (void)state;
    assert_int_equal(stream_send_text(x.stream, TEXT("x")), 0);
    help_run(x.loop);
    assert_int_equal(x.closed, 1);
    assert_int_equal(x.err, -ECONNRESET);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void abort_inside(struct stream *s, struct text bytes, void *arg)
{
    struct side *x = arg;

    on_data(s, bytes, arg);
    x->is_inside = true;
    stream_abort(s);
    x->is_inside = false;
    dialer_free(x->dialer); /* the stream keeps what it needs */
    x->dialer = NULL;
}

static void test_tls_abort_inside_a_handler(void **state)
{
    const struct stream_handlers on = { .on_data = abort_inside, .on_closed = on_closed };
    struct side x;
    struct tls_peer peer = tls_open(&x, "flood", FLOOD, &on);

    (void)state;
    if (x.closed == 0)
        help_run(x.loop);
    assert_int_equal(x.err, 0);
    assert_true(x.got <= 65536);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_two_streams_of_one_dialer(void **state)
{
    struct side x, y;
    struct tls_peer peer = tls_open(&x, "echo", 0, &plain);
    struct dial *dial;

    (void)state;
    y = (struct side){ .loop = x.loop, .on = &plain, .is_pattern = true };
    assert_int_equal(dial_open(&dial, x.dialer, url_of("tls", "127.0.0.1", peer.port), 20000, on_open, &y), 0);
    help_run(x.loop);
    assert_int_equal(y.open_err, 0);
    stream_abort(x.stream); /* leaves the other alone, and so does the end of the dialer */
    help_run(x.loop);
    assert_int_equal(x.closed, 1);
    dialer_free(x.dialer);
    x.dialer = NULL;
    assert_int_equal(stream_send_text(y.stream, TEXT("still here")), 0);
    y.stop_at = 10;
    help_run(x.loop);
    assert_string_equal(y.tail, "still here");
    stream_abort(y.stream);
    ref_drop(y.stream);
    side_free(&x);
    tls_peer_stop(&peer);
}

static void test_out_of_memory(void **state)
{
    struct tls_peer peer = tls_peer_start("good", "echo", "0");
    const struct dialer_options opt = own_ca();
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        struct side x = { .loop = help_loop(), .on = &plain, .is_pattern = true };
        struct dial *dial;
        int err;

        fail_alloc_at(n);
        err = dialer_new(&x.dialer, x.loop, &opt);
        if (!err)
            err = dial_open(&dial, x.dialer, url_of("tls", "127.0.0.1", peer.port), 1000, on_open, &x);
        if (!err) {
            loop_run(x.loop);
            assert_int_equal(x.opened, 1);
        }
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_true(has_hit || (err == 0 && x.open_err == 0));
        side_free(&x);
    }
    tls_peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_dialer_freed_inside_a_handler),
        cmocka_unit_test(test_environment_is_not_obeyed),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_mute_tls_peer),
        cmocka_unit_test(test_peer_without_tls),
        cmocka_unit_test(test_tls_echo),
        cmocka_unit_test(test_tls_back_pressure_loses_nothing),
        cmocka_unit_test(test_tls_close_with_bytes_waiting),
        cmocka_unit_test(test_tls_close_while_the_peer_talks),
        cmocka_unit_test(test_tls_peer_speaks_first),
        cmocka_unit_test(test_tls_pause_and_resume),
        cmocka_unit_test(test_tls_peer_leaves),
        cmocka_unit_test(test_tls_peer_resets),
        cmocka_unit_test(test_tls_abort_inside_a_handler),
        cmocka_unit_test(test_two_streams_of_one_dialer),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, tls_setup, tls_shut);
}
