/* Addresses, ports, ceilings; the greeter takes exactly its bytes, in time, and leaves the rest to the adopter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "base/ref.h"
#include "fail_alloc.h"
#include "net/listener.h"
#include "net_help.h"

/* ---- addresses ---- */

static void test_address(void **state)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } good[] = {
        { "127.0.0.1:4573", "127.0.0.1", 4573 },
        { "0.0.0.0:0", "0.0.0.0", 0 },
        { "[::1]:65535", "::1", 65535 },
        { "[2001:db8::2]:80", "2001:db8::2", 80 },
        { "[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80 },
    };
    static const char *const bad[] = {
        "", ":", "1", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
        "localhost:80", "::1:80", "[::1]", "[::1]80", "[]:80", "[:80", "]:80", "[127.0.0.1]:80", "[::1%lo]:80", "127.1:80",
        "127.0.0.1:99999999999999999999", "1.2.3.4.5:1", "[::1]x:80", "256.0.0.1:80", "127.0.0.1:8o",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
    };
    char out[80];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct address a;

        assert_int_equal(address_parse(text_of(good[i].text), &a), 0);
        assert_string_equal(a.host, good[i].host);
        assert_int_equal(a.port, good[i].port);
        address_format(&a, out, sizeof out);
        assert_string_equal(out, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct address a = { .port = 7 };

        assert_int_equal(address_parse(text_of(bad[i]), &a), -EINVAL);
        assert_int_equal(a.port, 7);
    }
    assert_int_equal(address_parse(text_make("127.0.0.1\0x:80", 14), &(struct address){ 0 }), -EINVAL);
}

/* ---- listener ---- */

struct hall {
    struct loop *loop;
    struct listener *listener;
    struct stream *stream[8];
    size_t accepted, closed, stop_at;
    bool is_idle;       /* accepts without saying what to do */
    bool closes_listener;
};

static void on_gone(struct stream *s, int err, void *arg)
{
    struct hall *h = arg;

    (void)s;
    (void)err;
    if (++h->closed == h->stop_at)
        loop_stop(h->loop);
}

static void on_bytes(struct stream *s, struct text bytes, void *arg)
{
    (void)arg;
    assert_int_equal(stream_send_text(s, bytes), 0);
}

static const struct stream_handlers echo = { .on_data = on_bytes, .on_closed = on_gone };

static void on_accept(struct stream *s, void *arg)
{
    struct hall *h = arg;

    assert_true(h->accepted < 8);
    h->stream[h->accepted++] = s;
    if (h->closes_listener) {
        listener_close(h->listener);
        h->listener = NULL;
    }
    if (!h->is_idle)
        stream_handle(s, &echo, h);
}

static void hall_open(struct hall *h, const char *at, const struct listener_options *opt, struct address *bound)
{
    struct address a;

    h->loop = help_loop();
    assert_int_equal(address_parse(text_of(at), &a), 0);
    assert_int_equal(listener_open(&h->listener, h->loop, &a, opt, on_accept, h), 0);
    listener_address(h->listener, bound);
    assert_true(bound->port != 0);
}

static void hall_shut(struct hall *h)
{
    for (size_t i = 0; i < h->accepted; i++)
        ref_drop(h->stream[i]);
    listener_close(h->listener);
    loop_free(h->loop);
}

struct caller {
    uint16_t port;
    int ok;             /* 1: echoed; 0: closed at once */
};

static void *call_once(void *arg)
{
    struct caller *c = arg;
    const int fd = help_connect(c->port);
    char got[5];

    c->ok = fd >= 0 && help_write(fd, "hello", 5) && help_read(fd, got, 5) && memcmp(got, "hello", 5) == 0;
    close(fd);
    return NULL;
}

static void test_accept_and_echo(void **state)
{
    struct hall h = { .stop_at = 1 };
    struct address bound;
    struct caller c;
    pthread_t id;

    (void)state;
    hall_open(&h, "127.0.0.1:0", NULL, &bound);
    c.port = bound.port;
    assert_int_equal(pthread_create(&id, NULL, call_once, &c), 0);
    help_run(h.loop);
    pthread_join(id, NULL);
    assert_int_equal(c.ok, 1);
    assert_int_equal(h.accepted, 1);
    assert_true(text_starts(text_of(stream_peer(h.stream[0])), TEXT("127.0.0.1:")));
    hall_shut(&h);
}

static void *call_six(void *arg)
{
    struct caller *c = arg;
    const struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(c->port), .sin6_addr = in6addr_loopback };
    const int fd = socket(AF_INET6, SOCK_STREAM, 0);

    c->ok = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    shutdown(fd, SHUT_WR);
    help_read_end(fd);
    close(fd);
    return NULL;
}

static void test_version_six(void **state)
{
    struct hall h = { .stop_at = 1 };
    struct address bound, a;
    struct caller c;
    pthread_t id;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };

    (void)state;
    if (probe < 0 || bind(probe, (const struct sockaddr *)&any, sizeof any)) {
        print_message("no IPv6 on this machine\n");
        skip();
    }
    close(probe);
    hall_open(&h, "[::1]:0", NULL, &bound);
    assert_string_equal(bound.host, "::1");
    c.port = bound.port;
    assert_int_equal(pthread_create(&id, NULL, call_six, &c), 0);
    help_run(h.loop);
    pthread_join(id, NULL);
    assert_int_equal(c.ok, 1);
    assert_int_equal(address_parse(text_of(stream_peer(h.stream[0])), &a), 0);
    assert_string_equal(a.host, "::1");
    hall_shut(&h);
}

static void test_port_in_use(void **state)
{
    struct hall h = { 0 };
    struct address bound, foreign = { .host = "192.0.2.1" }, bad = { .host = "localhost" };
    struct listener *second = NULL;

    (void)state;
    hall_open(&h, "127.0.0.1:0", NULL, &bound);
    assert_int_equal(listener_open(&second, h.loop, &bound, NULL, on_accept, &h), -EADDRINUSE);
    assert_int_equal(listener_open(&second, h.loop, &foreign, NULL, on_accept, &h), -EADDRNOTAVAIL);
    assert_int_equal(listener_open(&second, h.loop, &bad, NULL, on_accept, &h), -EINVAL);
    assert_null(second);
    listener_close(h.listener); /* and the port is free at once */
    assert_int_equal(listener_open(&h.listener, h.loop, &bound, NULL, on_accept, &h), 0);
    hall_shut(&h);
}

static void test_reuse_port(void **state)
{
    const struct listener_options opt = { .reuse_port = true };
    struct hall one = { 0 }, two = { 0 };
    struct address bound;
    int fd[8];

    (void)state;
    hall_open(&one, "127.0.0.1:0", &opt, &bound);
    two.loop = help_loop();
    assert_int_equal(listener_open(&two.listener, two.loop, &bound, &opt, on_accept, &two), 0);
    for (int i = 0; i < 8; i++) {
        fd[i] = help_connect(bound.port);
        assert_true(fd[i] >= 0);
    }
    help_run_ms(one.loop, 20);
    help_run_ms(two.loop, 20);
    assert_int_equal(one.accepted + two.accepted, 8); /* who gets which is the kernel's choice */
    for (int i = 0; i < 8; i++)
        close(fd[i]);
    hall_shut(&one);
    hall_shut(&two);
}

static void test_ceiling_of_streams(void **state)
{
    const struct listener_options opt = { .max_streams = 2 };
    struct hall h = { 0 };
    struct address bound;
    int fd[4];

    (void)state;
    hall_open(&h, "127.0.0.1:0", &opt, &bound);
    for (int i = 0; i < 3; i++)
        fd[i] = help_connect(bound.port);
    help_run_ms(h.loop, 30);
    assert_int_equal(h.accepted, 2);
    assert_int_equal(listener_refused(h.listener), 1);
    assert_int_not_equal(help_read_end(fd[2]), -ETIMEDOUT); /* closed at once */
    h.stop_at = 1;
    close(fd[0]);
    help_run(h.loop); /* one left, so there is room again */
    fd[3] = help_connect(bound.port);
    help_run_ms(h.loop, 30);
    assert_int_equal(h.accepted, 3);
    assert_int_equal(listener_refused(h.listener), 1);
    close(fd[1]);
    close(fd[2]);
    close(fd[3]);
    hall_shut(&h);
}

static void test_unhandled_stream_is_aborted(void **state)
{
    struct hall h = { .is_idle = true };
    struct address bound;
    int fd;

    (void)state;
    hall_open(&h, "127.0.0.1:0", NULL, &bound);
    fd = help_connect(bound.port);
    help_run_ms(h.loop, 30);
    assert_int_equal(h.accepted, 1);
    assert_int_equal(help_read_end(fd), 0);
    assert_int_equal(stream_send_text(h.stream[0], TEXT("x")), -EPIPE);
    close(fd);
    hall_shut(&h);
}

static void test_close_inside_the_handler(void **state)
{
    struct hall h = { .closes_listener = true };
    struct address bound;
    char got[2];
    int fd;

    (void)state;
    hall_open(&h, "127.0.0.1:0", NULL, &bound);
    fd = help_connect(bound.port);
    assert_true(help_write(fd, "hi", 2));
    help_run_ms(h.loop, 30);
    assert_int_equal(h.accepted, 1);
    assert_true(help_connect(bound.port) < 0);
    assert_true(help_read(fd, got, 2)); /* streams live on */
    h.stop_at = 1;
    close(fd);
    help_run(h.loop);
    hall_shut(&h);
}

static void test_out_of_descriptors(void **state)
{
    struct hall h = { 0 };
    struct address bound;
    struct rlimit full, tight;
    int fd, spare;

    (void)state;
    hall_open(&h, "127.0.0.1:0", NULL, &bound);
    fd = help_connect(bound.port);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &full), 0);
    spare = dup(fd);
    close(spare);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)spare, .rlim_max = full.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    help_run_ms(h.loop, 30);
    assert_int_equal(h.accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    for (int i = 0; i < 100 && h.accepted == 0; i++)
        help_run_ms(h.loop, 20);
    assert_int_equal(h.accepted, 1); /* it waited in the backlog, and so did we */
    h.stop_at = 1;
    close(fd);
    help_run(h.loop);
    hall_shut(&h);
}

/* ---- greeter ---- */

enum { GREETING = 19 };
static const char greeting[GREETING + 1] = "\x01\0\x10" "0123456789abcdef";

struct porch {
    struct loop *loop;
    struct greeter *greeter;
    struct address bound;
    int fd[8];
    size_t n;
    bool closes;
};

static void on_greeting(int fd, const uint8_t *bytes, const char *peer, void *arg)
{
    struct porch *p = arg;

    assert_memory_equal(bytes, greeting, GREETING);
    assert_true(text_starts(text_of(peer), TEXT("127.0.0.1:")));
    p->fd[p->n++] = fd;
    if (p->closes) {
        greeter_close(p->greeter);
        p->greeter = NULL;
    }
    loop_stop(p->loop);
}

static void porch_open(struct porch *p, int64_t deadline_ms, size_t max_pending)
{
    const struct greeter_options opt = { .bytes = GREETING, .deadline_ms = deadline_ms, .max_pending = max_pending };
    const struct address any = { .host = "127.0.0.1" };

    p->loop = help_loop();
    assert_int_equal(greeter_open(&p->greeter, p->loop, &any, &opt, on_greeting, p), 0);
    greeter_address(p->greeter, &p->bound);
}

static void porch_shut(struct porch *p)
{
    for (size_t i = 0; i < p->n; i++)
        close(p->fd[i]);
    greeter_close(p->greeter);
    loop_free(p->loop);
}

struct guest_got {
    struct loop *loop;
    char bytes[64];
    size_t n;
};

static void on_rest(struct stream *s, struct text bytes, void *arg)
{
    struct guest_got *g = arg;

    (void)s;
    assert_true(g->n + bytes.n <= sizeof g->bytes);
    memcpy(g->bytes + g->n, bytes.p, bytes.n);
    g->n += bytes.n;
    if (g->n == 5)
        loop_stop(g->loop);
}

static void test_greeting_whole_with_more_behind_it(void **state)
{
    const struct stream_handlers on = { .on_data = on_rest };
    struct porch p = { 0 };
    struct guest_got g = { 0 };
    struct stream *s;
    int fd, yes = 0;
    socklen_t size = sizeof yes;

    (void)state;
    porch_open(&p, 5000, 4);
    fd = help_connect(p.bound.port);
    assert_true(help_write(fd, greeting, GREETING));
    assert_true(help_write(fd, "audio", 5));
    help_run(p.loop);
    assert_int_equal(p.n, 1);
    assert_int_equal(getsockopt(p.fd[0], IPPROTO_TCP, TCP_NODELAY, &yes, &size), 0);
    assert_int_equal(yes, 1);
    g.loop = help_loop(); /* another loop adopts it */
    assert_int_equal(stream_adopt(&s, g.loop, p.fd[0], NULL, &on, &g), 0);
    p.n = 0;
    help_run(g.loop);
    assert_memory_equal(g.bytes, "audio", 5);
    stream_abort(s);
    ref_drop(s);
    loop_free(g.loop);
    close(fd);
    assert_int_equal(greeter_refused(p.greeter), 0);
    porch_shut(&p);
}

static void test_greeting_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t at = 1; at < GREETING; at++) {
        struct porch p = { 0 };
        int fd;

        porch_open(&p, 20000, 1);
        fd = help_connect(p.bound.port);
        assert_true(help_write(fd, greeting, at));
        help_run_ms(p.loop, 1);
        assert_int_equal(p.n, 0);
        assert_true(help_write(fd, greeting + at, GREETING - at));
        help_run(p.loop);
        assert_int_equal(p.n, 1);
        close(fd);
        porch_shut(&p);
    }
}

static void test_greeting_bytewise(void **state)
{
    struct porch p = { 0 };
    int fd;

    (void)state;
    porch_open(&p, 20000, 1);
    fd = help_connect(p.bound.port);
    for (size_t i = 0; i < GREETING; i++) {
        assert_int_equal(p.n, 0);
        assert_true(help_write(fd, greeting + i, 1));
        help_run_ms(p.loop, 1);
    }
    for (int i = 0; i < 100 && p.n == 0; i++)
        help_run_ms(p.loop, 10);
    assert_int_equal(p.n, 1);
    close(fd);
    porch_shut(&p);
}

static void test_greeting_late_and_cut(void **state)
{
    struct porch p = { 0 };
    int late, cut, silent;

    (void)state;
    porch_open(&p, 200, 4);
    late = help_connect(p.bound.port);
    cut = help_connect(p.bound.port);
    silent = help_connect(p.bound.port);
    assert_true(help_write(late, greeting, GREETING - 1));
    assert_true(help_write(cut, greeting, 3));
    shutdown(cut, SHUT_WR);
    for (int i = 0; i < 100 && greeter_refused(p.greeter) < 1; i++)
        help_run_ms(p.loop, 5);
    assert_true(greeter_refused(p.greeter) >= 1); /* the cut one; the others have time left */
    assert_int_not_equal(help_read_end(cut), -ETIMEDOUT);
    for (int i = 0; i < 100 && greeter_refused(p.greeter) < 3; i++)
        help_run_ms(p.loop, 20);
    assert_int_equal(greeter_refused(p.greeter), 3);
    assert_int_not_equal(help_read_end(late), -ETIMEDOUT);
    assert_int_not_equal(help_read_end(silent), -ETIMEDOUT);
    assert_int_equal(p.n, 0);
    close(late);
    close(cut);
    close(silent);
    porch_shut(&p);
}

static void test_too_many_guests(void **state)
{
    struct porch p = { 0 };
    int fd[3];

    (void)state;
    porch_open(&p, 20000, 2);
    for (int i = 0; i < 3; i++)
        fd[i] = help_connect(p.bound.port);
    help_run_ms(p.loop, 30);
    assert_int_equal(greeter_refused(p.greeter), 1);
    assert_int_not_equal(help_read_end(fd[2]), -ETIMEDOUT);
    assert_true(help_write(fd[1], greeting, GREETING));
    help_run(p.loop);
    assert_int_equal(p.n, 1);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    porch_shut(&p); /* fd[0] still waits: closed with the greeter */
}

static void test_greeter_closed_inside_its_handler(void **state)
{
    struct porch p = { .closes = true };
    int one, two;

    (void)state;
    porch_open(&p, 20000, 4);
    one = help_connect(p.bound.port);
    two = help_connect(p.bound.port);
    help_run_ms(p.loop, 10);
    assert_true(help_write(one, greeting, GREETING));
    assert_true(help_write(two, greeting, GREETING));
    help_run(p.loop);
    assert_int_equal(p.n, 1);
    close(one);
    close(two);
    porch_shut(&p);
}

static void test_greeter_options_are_checked(void **state)
{
    const struct address any = { .host = "127.0.0.1" };
    const struct greeter_options bad[] = { { 0, 1, 1 }, { 65, 1, 1 }, { 1, 0, 1 }, { 1, 1, 0 } };
    struct loop *l = help_loop();
    struct greeter *g = NULL;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(greeter_open(&g, l, &any, &bad[i], on_greeting, NULL), -EINVAL);
    assert_null(g);
    loop_free(l);
}

static void test_out_of_memory(void **state)
{
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        const struct address any = { .host = "127.0.0.1" };
        struct hall h = { .loop = help_loop(), .stop_at = 1 };
        struct porch p = { .loop = h.loop };
        const struct greeter_options opt = { .bytes = GREETING, .deadline_ms = 20000, .max_pending = 1 };
        struct timer *t = NULL;
        struct address a;
        int one = -1, two = -1;

        fail_alloc_at(n);
        if (listener_open(&h.listener, h.loop, &any, NULL, on_accept, &h) == 0) {
            listener_address(h.listener, &a);
            one = help_connect(a.port);
        }
        if (greeter_open(&p.greeter, h.loop, &any, &opt, on_greeting, &p) == 0) {
            greeter_address(p.greeter, &a);
            two = help_connect(a.port);
        }
        if (timer_new(&t, h.loop, help_stop, h.loop) == 0) {
            timer_start(t, 10);
            loop_run(h.loop);
        }
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        if (!has_hit)
            assert_int_equal(h.accepted, 1);
        if (one >= 0)
            close(one);
        if (two >= 0)
            close(two);
        timer_free(t);
        greeter_close(p.greeter);
        hall_shut(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_accept_and_echo),
        cmocka_unit_test(test_version_six),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_reuse_port),
        cmocka_unit_test(test_ceiling_of_streams),
        cmocka_unit_test(test_unhandled_stream_is_aborted),
        cmocka_unit_test(test_close_inside_the_handler),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_greeting_whole_with_more_behind_it),
        cmocka_unit_test(test_greeting_split_at_every_byte),
        cmocka_unit_test(test_greeting_bytewise),
        cmocka_unit_test(test_greeting_late_and_cut),
        cmocka_unit_test(test_too_many_guests),
        cmocka_unit_test(test_greeter_closed_inside_its_handler),
        cmocka_unit_test(test_greeter_options_are_checked),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
