/* httpd.c: answers now and later, keep-alive, bodies and their ceiling, clients that stop, trickle or leave; closing with all of that open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "net/httpd.h"
#include "net_help.h"

enum { SAID_MAX = 65536 };

struct house {
    struct loop *loop;
    struct httpd *server;
    struct httpd_request *held;
    struct timer *timer;
    unsigned asked;
    /* the client's thread */
    const char *const *say;     /* pieces, NULL ends; "" waits 50 ms */
    bool leaves;                /* closes without reading */
    char heard[SAID_MAX];
    size_t heard_n;
    int end;
};

static void later(void *arg)
{
    struct house *h = arg;

    httpd_answer(h->held, 200, "text/plain", TEXT("later"));
    h->held = NULL;
}

static void on_request(struct httpd_request *r, struct text method, struct text path, struct text query, struct text body, void *arg)
{
    struct house *h = arg;
    char line[300];

    h->asked++;
    if (text_eq(path, TEXT("/later"))) {
        h->held = r;
        timer_start(h->timer, 20);
        return;
    }
    if (text_eq(path, TEXT("/never"))) {
        h->held = r;
        return;
    }
    snprintf(line, sizeof line, "<%.*s %.*s %.*s %.*s>", TEXT_ARG(method), TEXT_ARG(path), TEXT_ARG(query), TEXT_ARG(body));
    httpd_answer(r, text_eq(path, TEXT("/nothing")) ? 404 : 200, "text/plain", text_of(line));
    httpd_answer(r, 500, "text/plain", TEXT("a second answer goes nowhere"));
}

static void *client(void *arg)
{
    struct house *h = arg;
    const int fd = help_connect((uint16_t)httpd_port(h->server));
    struct pollfd w = { .fd = fd, .events = POLLIN };
    ssize_t n = 0;

    for (const char *const *s = h->say; fd >= 0 && *s; s++) {
        if (**s)
            (void)help_write(fd, *s, strlen(*s));
        else
            poll(NULL, 0, 50);
    }
    while (!h->leaves && h->heard_n < SAID_MAX - 1) {
        n = poll(&w, 1, 20000) == 1 ? read(fd, h->heard + h->heard_n, SAID_MAX - 1 - h->heard_n) : -ETIMEDOUT;
        if (n <= 0)
            break;
        h->heard_n += (size_t)n;
    }
    h->heard[h->heard_n] = '\0';
    h->end = (int)n;
    close(fd);
    assert_int_equal(loop_post(h->loop, help_stop, h->loop), 0);
    return NULL;
}

static void open_house(struct house *h, int64_t idle_ms)
{
    const struct httpd_options opt = { .listen = { .host = "127.0.0.1" }, .idle_ms = idle_ms, .body_max = 16, .log = &help_log };

    *h = (struct house){ .loop = help_loop() };
    assert_int_equal(timer_new(&h->timer, h->loop, later, h), 0);
    assert_int_equal(httpd_open(&h->server, h->loop, &opt, on_request, h), 0);
    assert_int_not_equal(httpd_port(h->server), 0);
}

static void close_house(struct house *h)
{
    httpd_close(h->server);
    timer_free(h->timer);
    loop_run(h->loop);
    loop_free(h->loop);
}

static void talk(struct house *h, const char *const *say)
{
    pthread_t t;

    h->say = say;
    h->heard_n = 0;
    loop_hold(h->loop);
    assert_int_equal(pthread_create(&t, NULL, client, h), 0);
    help_run(h->loop);
    pthread_join(t, NULL);
    loop_release(h->loop);
}

#define TALK(h_, ...) talk((h_), (const char *const[]){ __VA_ARGS__, NULL })
#define END "Host: x\r\nConnection: close\r\n\r\n"

static void answers(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, 0);
    TALK(&h, "GET /a?b=c%20d&e HTTP/1.1\r\nHost: x\r\n\r\n", "GET /nothing HTTP/1.1\r\n" END);
    assert_non_null(strstr(h.heard, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(h.heard, "<GET /a b=c%20d&e= >"));
    assert_non_null(strstr(h.heard, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(h.heard, "<GET /nothing  >"));
    assert_non_null(strstr(h.heard, "Cache-Control: no-store\r\n"));
    assert_null(strstr(h.heard, "second answer"));
    assert_int_equal(h.end, 0);
    assert_int_equal(h.asked, 2);
    close_house(&h);
}

static void answers_later(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, 0);
    TALK(&h, "GET /later HTTP/1.1\r\n" END);
    assert_non_null(strstr(h.heard, "\r\n\r\nlater"));
    close_house(&h);
}

static void bodies(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, 0);
    TALK(&h, "POST /p HTTP/1.1\r\nContent-Length: 16\r\n" END, "", "0123456789", "", "abcdef");
    assert_non_null(strstr(h.heard, "<POST /p  0123456789abcdef>"));
    TALK(&h, "POST /p HTTP/1.1\r\nContent-Length: 17\r\n" END);
    assert_non_null(strstr(h.heard, "HTTP/1.1 413 "));
    TALK(&h, "POST /p HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" END);
    assert_null(strstr(h.heard, " 200 "));
    TALK(&h, "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END, "10\r\n0123456789abcdef\r\n1\r\ng\r\n0\r\n\r\n");
    assert_non_null(strstr(h.heard, "HTTP/1.1 413 "));
    assert_int_equal(h.asked, 1);
    close_house(&h);
}

static void bad_requests(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, 300);
    TALK(&h, "\x16\x03\x01\x02");                       /* a TLS hello's first bytes, then nothing */
    assert_int_equal(h.end, 0);
    TALK(&h, "GET / HTTP/1.1\r\nHost", "", "", "", "", "", "", "", ": x\r\n");    /* over the deadline */
    assert_null(strstr(h.heard, "<GET"));
    TALK(&h, "nonsense\r\n\r\n");
    assert_null(strstr(h.heard, "<"));
    assert_int_equal(h.asked, 0);
    TALK(&h, "GET /still HTTP/1.1\r\n" END);
    assert_non_null(strstr(h.heard, "<GET /still  >"));
    close_house(&h);
}

/* Whoever owes an answer is not hurt by a peer that has gone: by itself, or because its time was up. */
static void peers_that_leave(void **state)
{
    struct house h;

    (void)state;
    open_house(&h, 300);
    h.leaves = true;
    TALK(&h, "GET /later HTTP/1.1\r\n" END);
    help_run_ms(h.loop, 200);
    assert_null(h.held);
    h.leaves = false;
    TALK(&h, "GET /never HTTP/1.1\r\n" END);
    assert_int_equal(h.heard_n, 0);
    assert_non_null(h.held);
    httpd_answer(h.held, 200, "text/plain", TEXT("to nobody"));
    h.held = NULL;
    TALK(&h, "GET /still HTTP/1.1\r\n" END);
    assert_non_null(strstr(h.heard, "<GET /still  >"));
    close_house(&h);
}

static void closes_with_all_open(void **state)
{
    struct house h;
    int fd[2];

    (void)state;
    open_house(&h, 0);
    for (int i = 0; i < 2; i++) {
        fd[i] = help_connect((uint16_t)httpd_port(h.server));
        assert_true(fd[i] >= 0);
    }
    assert_true(help_write(fd[0], "GET /never HTTP/1.1\r\nHost: x\r\n\r\n", 32));
    assert_true(help_write(fd[1], "GET /half", 9));
    help_run_ms(h.loop, 100);
    assert_int_equal(h.asked, 1);
    close_house(&h);
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(help_read_end(fd[i]), -ETIMEDOUT);
        close(fd[i]);
    }
}

static void port_in_use(void **state)
{
    struct loop *l = help_loop();
    struct httpd *server = NULL;
    struct httpd_options opt = { .listen = { .host = "127.0.0.1" }, .log = &help_log };
    uint16_t port;
    const int fd = help_listen(&port);

    (void)state;
    opt.listen.port = port;
    assert_int_equal(httpd_open(&server, l, &opt, on_request, NULL), -EADDRINUSE);
    assert_null(server);
    close(fd);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers), cmocka_unit_test(answers_later), cmocka_unit_test(bodies), cmocka_unit_test(bad_requests),
        cmocka_unit_test(peers_that_leave), cmocka_unit_test(closes_with_all_open), cmocka_unit_test(port_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
