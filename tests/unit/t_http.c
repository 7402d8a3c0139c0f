/* HTTP requests against a scripted peer: answers, ceilings, deadlines, and what goes over the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "net/dialer.h"
#include "net_help.h"

/* ---- the peer: one connection, the given answers one after the other ---- */

struct peer {
    int listener;
    uint16_t port;
    pthread_t id;
    const char *answer[3];      /* NULL ends: then the connection is closed, or held if `holds` */
    size_t repeat;              /* the last answer's tail "x" repeated so often */
    bool holds;
    bool resets;
    char request[3][4096];
    size_t served;
};

static bool read_request(int fd, char *out, size_t size)
{
    size_t n = 0, body = 0;
    const char *length;

    while (n + 1 < size && !strstr(out, "\r\n\r\n")) {
        if (!help_read(fd, out + n, 1))
            return false;
        out[++n] = 0;
    }
    length = strstr(out, "Content-Length: ");
    if (length)
        body = strtoul(length + 16, NULL, 10);
    while (body-- > 0 && n + 1 < size) {
        if (!help_read(fd, out + n, 1))
            return false;
        out[++n] = 0;
    }
    return true;
}

static void *serve(void *arg)
{
    struct peer *p = arg;
    const int fd = accept(p->listener, NULL, NULL);
    char much[1000];

    memset(much, 'x', sizeof much);
    for (size_t i = 0; i < 3 && p->answer[i]; i++) {
        if (!read_request(fd, p->request[i], sizeof p->request[i]))
            break;
        p->served++;
        help_write(fd, p->answer[i], strlen(p->answer[i]));
    }
    for (size_t i = 0; i < p->repeat; i++)
        if (!help_write(fd, much, sizeof much))
            break;
    if (p->holds)
        help_read_end(fd);
    close(fd);
    return NULL;
}

static void peer_start(struct peer *p)
{
    p->listener = help_listen(&p->port);
    assert_int_equal(pthread_create(&p->id, NULL, serve, p), 0);
}

static void peer_join(struct peer *p)
{
    pthread_join(p->id, NULL);
    close(p->listener);
}

/* ---- our side ---- */

struct client {
    struct loop *loop;
    struct dialer *dialer;
    size_t answers, stop_at;
    bool is_inside;
    int err, status;
    char body[4096];
    size_t body_n;
    char detail[200];
    struct http_options next;   /* to be sent from inside the handler */
    bool frees_dialer;
};

static void client_new(struct client *c)
{
    memset(c, 0, sizeof *c);
    c->loop = help_loop();
    c->stop_at = 1;
    assert_int_equal(dialer_new(&c->dialer, c->loop, NULL), 0);
}

static void client_free(struct client *c)
{
    dialer_free(c->dialer);
    loop_free(c->loop);
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct client *c = arg;
    struct http_request *r;

    assert_false(c->is_inside);
    c->err = err;
    c->status = status;
    c->body_n = body.n;
    text_copy(c->body, sizeof c->body, body);
    text_copy(c->detail, sizeof c->detail, text_of(detail));
    assert_true(err == 0 || (detail && detail[0]));
    c->answers++;
    if (c->next.url) {
        assert_int_equal(http_send(&r, c->dialer, &c->next, on_answer, c), 0);
        c->next.url = NULL;
    }
    if (c->frees_dialer) {
        dialer_free(c->dialer);
        c->dialer = NULL;
    }
    if (c->answers == c->stop_at)
        loop_stop(c->loop);
}

static const char *url_of(uint16_t port, const char *path)
{
    static char url[128];

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    return url;
}

static struct http_options get(const char *url)
{
    return (struct http_options){ .method = "GET", .url = url, .timeout_ms = 20000 };
}

static void ask(struct client *c, const struct http_options *opt)
{
    struct http_request *r;

    c->is_inside = true;
    assert_int_equal(http_send(&r, c->dialer, opt, on_answer, c), 0);
    c->is_inside = false;
    help_run(c->loop);
}

/* One request, one answer; the client is left for asserts. */
static void exchange(struct client *c, struct peer *p, struct http_options opt)
{
    client_new(c);
    peer_start(p);
    opt.url = opt.url ? opt.url : url_of(p->port, "/thing?x=1");
    ask(c, &opt);
    client_free(c);
    peer_join(p);
    assert_int_equal(c->answers, 1);
}

static void test_get(void **state)
{
    struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" } };
    struct client c;

    (void)state;
    exchange(&c, &p, get(NULL));
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "hello");
    assert_true(text_starts(text_of(p.request[0]), TEXT("GET /thing?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")));
    assert_null(strstr(p.request[0], "Content-Type"));
    assert_null(strstr(p.request[0], "Authorization"));
}

static void test_answers_that_are_no_success(void **state)
{
    struct peer missing = { .answer = { "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnot here" } };
    struct peer moved = { .answer = { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" } };
    struct peer chunked = { .answer = { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                        "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n" } };
    struct peer empty = { .answer = { "HTTP/1.1 204 No Content\r\n\r\n" } };
    struct client c;

    (void)state;
    exchange(&c, &missing, get(NULL));
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 404);
    assert_string_equal(c.body, "not her"); /* as long as it says */
    exchange(&c, &moved, get(NULL));
    assert_int_equal(c.status, 302); /* not followed */
    exchange(&c, &chunked, get(NULL));
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 200);
    assert_string_equal(c.body, "abcde");
    exchange(&c, &empty, get(NULL));
    assert_int_equal(c.status, 204);
    assert_int_equal(c.body_n, 0);
}

static void test_body_headers_and_auth(void **state)
{
    static const char *const headers[] = { "Content-Type: application/json", "X-Trace: 7", NULL };
    struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };
    struct http_options opt = { .method = "PUT", .timeout_ms = 20000, .user = "sidetone", .password = "p:ss", .headers = headers };
    char body[2000];
    struct client c;

    (void)state;
    memset(body, 'b', sizeof body);
    body[0] = '{';
    opt.body = text_make(body, sizeof body);
    exchange(&c, &p, opt);
    assert_int_equal(c.status, 200);
    assert_true(text_starts(text_of(p.request[0]), TEXT("PUT /thing?x=1 HTTP/1.1\r\n")));
    assert_non_null(strstr(p.request[0], "\r\nAuthorization: Basic c2lkZXRvbmU6cDpzcw==\r\n"));
    assert_non_null(strstr(p.request[0], "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(p.request[0], "\r\nX-Trace: 7\r\n"));
    assert_non_null(strstr(p.request[0], "\r\nContent-Length: 2000\r\n"));
    assert_null(strstr(p.request[0], "Expect:"));
    assert_non_null(strstr(p.request[0], "\r\n\r\n{bbb"));
}

static void test_methods_without_body(void **state)
{
    static const struct {
        const char *method;
        bool has_length;
    } cases[] = { { "POST", true }, { "PUT", true }, { "DELETE", false }, { "GET", false } };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };
        struct client c;

        exchange(&c, &p, (struct http_options){ .method = cases[i].method, .timeout_ms = 20000 });
        assert_int_equal(c.status, 200);
        assert_true(text_starts(text_of(p.request[0]), text_of(cases[i].method)));
        assert_int_equal(strstr(p.request[0], "Content-Length: 0") != NULL, cases[i].has_length);
        assert_null(strstr(p.request[0], "Content-Type"));
    }
}

static void test_too_long(void **state)
{
    struct peer said = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" }, .repeat = 2 };
    struct peer open = { .answer = { "HTTP/1.1 200 OK\r\n\r\n" }, .repeat = 5000 };
    struct peer exact = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" }, .repeat = 1 };
    struct peer head = { .answer = { "HTTP/1.1 200 OK\r\nX-" }, .repeat = 150 };
    struct peer standard = { .answer = { "HTTP/1.1 200 OK\r\n\r\n" }, .repeat = 1100 };
    struct http_options opt = get(NULL);
    struct client c;

    (void)state;
    opt.body_max = 1000;
    exchange(&c, &said, opt);
    assert_int_equal(c.err, -EMSGSIZE);
    assert_string_equal(c.detail, "the answer is longer than 1000 bytes");
    exchange(&c, &open, opt);
    assert_int_equal(c.err, -EMSGSIZE);
    exchange(&c, &exact, opt);
    assert_int_equal(c.err, 0);
    assert_int_equal(c.body_n, 1000);
    exchange(&c, &head, opt);
    assert_int_equal(c.err, -ENOMEM); /* one line of 150 KB: curl's own ceiling, and curl's word for it */
    opt.body_max = 0;
    exchange(&c, &standard, opt); /* 1.1 MB; the ceiling is 1 MiB */
    assert_int_equal(c.err, -EMSGSIZE);
}

static void test_many_headers(void **state)
{
    static char answer[120000];
    struct peer p = { .answer = { answer } };
    struct client c;
    size_t n = (size_t)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n");

    (void)state;
    for (int i = 0; n < 100000; i++)
        n += (size_t)snprintf(answer + n, sizeof answer - n, "X-%d: something\r\n", i);
    snprintf(answer + n, sizeof answer - n, "Content-Length: 0\r\n\r\n");
    exchange(&c, &p, get(NULL));
    assert_int_equal(c.err, -EMSGSIZE);
    assert_non_null(strstr(c.detail, "head"));
}

static void test_broken_answers(void **state)
{
    struct peer silent = { .answer = { NULL } };
    struct peer cut = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf" } };
    struct peer headless = { .answer = { "HTTP/1.1 200 OK\r\nContent-Len" } };
    struct peer nonsense = { .answer = { "hello, who is there?\r\n\r\n" } };
    struct client c;

    (void)state;
    exchange(&c, &silent, get(NULL));
    assert_int_equal(c.err, -ECONNRESET);
    exchange(&c, &cut, get(NULL));
    assert_int_equal(c.err, -ECONNRESET);
    exchange(&c, &headless, get(NULL)); /* curl alone takes this for a whole answer */
    assert_int_equal(c.err, -ECONNRESET);
    exchange(&c, &nonsense, get(NULL));
    assert_int_equal(c.err, -EPROTO);
}

static void test_refused(void **state)
{
    struct http_options opt;
    struct client c;
    uint16_t port;

    (void)state;
    close(help_listen(&port));
    opt = get(url_of(port, "/"));
    client_new(&c);
    ask(&c, &opt);
    assert_int_equal(c.err, -ECONNREFUSED);
    client_free(&c);
}

static void test_timeout(void **state)
{
    struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf" }, .holds = true };
    struct http_options opt = get(NULL);
    struct client c;

    (void)state;
    opt.timeout_ms = 80;
    exchange(&c, &p, opt);
    assert_int_equal(c.err, -ETIMEDOUT);
}

static void test_cancel(void **state)
{
    struct peer p = { .answer = { "" }, .holds = true };
    struct http_options opt;
    struct http_request *r;
    struct client c;

    (void)state;
    client_new(&c);
    peer_start(&p);
    opt = get(url_of(p.port, "/"));
    assert_int_equal(http_send(&r, c.dialer, &opt, on_answer, &c), 0);
    help_run_ms(c.loop, 30);
    http_cancel(r);
    http_cancel(NULL);
    help_run_ms(c.loop, 10);
    peer_join(&p); /* it sees the end */
    assert_int_equal(c.answers, 0);
    client_free(&c);
}

/* ---- an answer in pieces ---- */

struct pieces {
    struct client client;
    struct http_request *request;
    char all[4096];
    size_t n, count, cancel_at;
};

static void on_piece(struct text bytes, void *arg)
{
    struct pieces *x = arg;

    assert_true(bytes.n > 0 && x->n + bytes.n < sizeof x->all);
    memcpy(x->all + x->n, bytes.p, bytes.n);
    x->n += bytes.n;
    x->count++;
    if (x->count == x->cancel_at) {
        http_cancel(x->request);
        loop_stop(x->client.loop);
    }
}

static void run_pieces(struct pieces *x, const char *answer, bool holds, size_t cancel_at, size_t body_max)
{
    struct peer p = { .answer = { answer }, .holds = holds };
    struct http_options o = { .method = "POST", .timeout_ms = 20000, .on_piece = on_piece, .body_max = body_max };

    memset(x, 0, sizeof *x);
    client_new(&x->client);
    x->cancel_at = cancel_at;
    peer_start(&p);
    o.url = url_of(p.port, "/");
    assert_int_equal(http_send(&x->request, x->client.dialer, &o, on_answer, x), 0);
    help_run(x->client.loop);
    client_free(&x->client);
    peer_join(&p);
}

static void test_a_body_in_pieces(void **state)
{
    struct pieces x;

    (void)state;
    run_pieces(&x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", false, 0, 0);
    assert_int_equal(x.client.status, 200);
    assert_int_equal(x.client.body_n, 0);
    assert_memory_equal(x.all, "abcdefg", 7);
    assert_int_equal(x.n, 7);
    /* what is no success comes whole */
    run_pieces(&x, "HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nwait", false, 0, 0);
    assert_int_equal(x.client.status, 429);
    assert_int_equal(x.n, 0);
    assert_string_equal(x.client.body, "wait");
    /* cut: the pieces are told, then the error */
    run_pieces(&x, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nd", false, 0, 0);
    assert_int_equal(x.client.err, -ECONNRESET);
    assert_memory_equal(x.all, "abc", 3);
    /* the ceiling counts what was told already */
    run_pieces(&x, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", false, 0, 5);
    assert_int_equal(x.client.err, -EMSGSIZE);
}

static void test_cancel_from_inside_of_a_piece(void **state)
{
    struct pieces x;

    (void)state;
    run_pieces(&x, "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", true, 1, 0);   /* while more is to come */
    assert_int_equal(x.count, 1);
    assert_int_equal(x.client.answers, 0);
    run_pieces(&x, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, 1, 0);   /* with the end already there */
    assert_int_equal(x.client.answers, 0);
}

static void test_next_request_from_the_handler_on_one_connection(void **state)
{
    struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb" } };
    struct http_options opt;
    struct client c;

    (void)state;
    client_new(&c);
    peer_start(&p);
    c.stop_at = 2;
    opt = c.next = get(url_of(p.port, "/"));
    ask(&c, &opt);
    assert_int_equal(c.answers, 2);
    assert_int_equal(c.status, 201);
    client_free(&c);
    peer_join(&p);
    assert_int_equal(p.served, 2);
}

static void test_dialer_freed_in_the_handler(void **state)
{
    struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na" } };
    struct http_options opt;
    struct http_request *r;
    struct client c;

    (void)state;
    client_new(&c);
    peer_start(&p);
    c.frees_dialer = true;
    opt = get(url_of(p.port, "/"));
    assert_int_equal(http_send(&r, c.dialer, &opt, on_answer, &c), 0);
    assert_int_equal(http_send(&r, c.dialer, &opt, on_answer, &c), 0); /* waits in the backlog, never answered */
    help_run(c.loop);
    assert_int_equal(c.answers, 1);
    client_free(&c);
    peer_join(&p);
}

static void test_options_are_checked(void **state)
{
    static const char *const forged[] = { "X: a\r\nY: b", NULL };
    static const char *const nameless[] = { ": x", NULL };
    static const char *const no_colon[] = { "hello", NULL };
    const struct http_options bad[] = {
        { .method = "GET", .url = "http://127.0.0.1/", .timeout_ms = 0 },
        { .method = NULL, .url = "http://127.0.0.1/", .timeout_ms = 1 },
        { .method = "", .url = "http://127.0.0.1/", .timeout_ms = 1 },
        { .method = "get", .url = "http://127.0.0.1/", .timeout_ms = 1 },
        { .method = "GET / HTTP/1.1\r\nX:", .url = "http://127.0.0.1/", .timeout_ms = 1 },
        { .method = "GET", .url = "ftp://127.0.0.1/", .timeout_ms = 1 },
        { .method = "GET", .url = "file:///etc/passwd", .timeout_ms = 1 },
        { .method = "GET", .url = "http://127.0.0.1/\r\nX: y", .timeout_ms = 1 },
        { .method = "GET", .url = NULL, .timeout_ms = 1 },
        { .method = "GET", .url = "http://127.0.0.1/", .timeout_ms = 1, .headers = forged },
        { .method = "GET", .url = "http://127.0.0.1/", .timeout_ms = 1, .headers = nameless },
        { .method = "GET", .url = "http://127.0.0.1/", .timeout_ms = 1, .headers = no_colon },
    };
    struct http_request *r = NULL;
    struct client c;

    (void)state;
    client_new(&c);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(http_send(&r, c.dialer, &bad[i], on_answer, &c), -EINVAL);
    assert_null(r);
    client_free(&c);
}

static void test_out_of_memory(void **state)
{
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        struct peer p = { .answer = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" } };
        struct http_options opt;
        struct http_request *r;
        struct client c = { .loop = help_loop(), .stop_at = 1 };
        int err;

        p.listener = help_listen(&p.port);
        assert_int_equal(pthread_create(&p.id, NULL, serve, &p), 0);
        opt = get(url_of(p.port, "/"));
        opt.timeout_ms = 300;
        fail_alloc_at(n);
        err = dialer_new(&c.dialer, c.loop, NULL);
        if (!err)
            err = http_send(&r, c.dialer, &opt, on_answer, &c);
        if (!err)
            loop_run(c.loop);
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_true(has_hit || (c.answers == 1 && c.status == 200));
        client_free(&c);
        close(help_connect(p.port)); /* the peer gets its one connection in any case */
        peer_join(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_answers_that_are_no_success),
        cmocka_unit_test(test_body_headers_and_auth),
        cmocka_unit_test(test_methods_without_body),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_a_body_in_pieces),
        cmocka_unit_test(test_cancel_from_inside_of_a_piece),
        cmocka_unit_test(test_next_request_from_the_handler_on_one_connection),
        cmocka_unit_test(test_dialer_freed_in_the_handler),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
