/* Addresses, keys, requests and answers of the opening handshake, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"
#include "net/ws_handshake.h"

static void test_urls(void **state)
{
    static const struct {
        const char *url, *host, *target;
        unsigned port;
        bool is_tls;
    } good[] = {
        { "ws://127.0.0.1:8088/ari/events?app=x", "127.0.0.1", "/ari/events?app=x", 8088, false },
        { "wss://api.example.com/v1/realtime", "api.example.com", "/v1/realtime", 443, true },
        { "ws://host", "host", "", 80, false },
        { "ws://host?x=1", "host", "?x=1", 80, false },
        { "wss://[::1]:9/", "[::1]", "/", 9, true },
        { "ws://[::1]/a:b", "[::1]", "/a:b", 80, false },
        { "ws://a_b-c:1/x%20y", "a_b-c", "/x%20y", 1, false },
    };
    static const char *const bad[] = {
        "", "ws:", "ws://", "ws:///x", "http://host/", "WS://host/", "ws://user@host/", "ws://user:pw@host/", "ws://host:/",
        "ws://host:0/", "ws://host:65536/", "ws://host:x/", "ws://host/a b", "ws://host/a\r\nX: y", "ws://host/a#b",
        "ws://ho st/", "ws://[::1/", "ws://::1/", "ws://host/\x7f", "ws://host/\xc3\xa9", "ws://[]/", "ws://host:80:80/",
    };
    struct ws_url u;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(ws_url_parse(text_of(good[i].url), &u), 0);
        assert_true(text_eq(u.host, text_of(good[i].host)));
        assert_true(text_eq(text_make(u.target.p ? u.target.p : "", u.target.n), text_of(good[i].target)));
        assert_int_equal(u.port, good[i].port);
        assert_int_equal(u.is_tls, good[i].is_tls);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ws_url_parse(text_of(bad[i]), &u) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(ws_url_parse(TEXT_NONE, &u), -EINVAL);
}

static void test_key(void **state)
{
    char a[WS_KEY_TEXT + 1], b[WS_KEY_TEXT + 1], accept[WS_ACCEPT_TEXT + 1], much[200];

    (void)state;
    ws_key_make(a);
    ws_key_make(b);
    assert_int_equal(strlen(a), WS_KEY_TEXT);
    assert_string_not_equal(a, b);
    assert_int_equal(ws_accept_make(TEXT("dGhlIHNhbXBsZSBub25jZQ=="), accept), 0);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 section 1.3 */
    memset(much, 'x', sizeof much);
    assert_int_equal(ws_accept_make(text_make(much, sizeof much), accept), -EINVAL); /* a hostile client's, one day */
}

static int write_request(char *out, size_t size, const char *url, const char *user, const char *password,
                         const char *const *headers, const char *subprotocol, size_t max)
{
    struct ws_request r = { .key = "dGhlIHNhbXBsZSBub25jZQ==", .user = user, .password = password, .headers = headers,
                            .subprotocol = subprotocol };
    struct buf b;
    int err;

    assert_int_equal(ws_url_parse(text_of(url), &r.url), 0);
    buf_init(&b, max);
    err = ws_request_write(&b, &r);
    text_copy(out, size, buf_text(&b));
    buf_free(&b);
    return err;
}

static void test_request(void **state)
{
    static const char *const headers[] = { "X-One: 1", "OpenAI-Beta: realtime=v1", NULL };
    static const char *const forged[] = { "X: a\r\nY: b", NULL };
    static const char *const no_colon[] = { "hello", NULL };
    char out[2000];
    char long_user[600];

    (void)state;
    assert_int_equal(write_request(out, sizeof out, "ws://pbx:8088/ari/events?app=x", "user", "p:w", headers, "ari", 16384), 0);
    assert_string_equal(out, "GET /ari/events?app=x HTTP/1.1\r\nHost: pbx:8088\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                             "Sec-WebSocket-Protocol: ari\r\nAuthorization: Basic dXNlcjpwOnc=\r\n"
                             "X-One: 1\r\nOpenAI-Beta: realtime=v1\r\n\r\n");
    assert_int_equal(write_request(out, sizeof out, "wss://host?x", NULL, NULL, NULL, NULL, 16384), 0);
    assert_true(text_starts(text_of(out), TEXT("GET /?x HTTP/1.1\r\nHost: host\r\nUpgrade")));
    assert_int_equal(write_request(out, sizeof out, "ws://[::1]:80", NULL, NULL, NULL, NULL, 16384), 0);
    assert_true(text_starts(text_of(out), TEXT("GET / HTTP/1.1\r\nHost: [::1]\r\n")));
    assert_int_equal(write_request(out, sizeof out, "ws://h", NULL, NULL, forged, NULL, 16384), -EINVAL);
    assert_int_equal(write_request(out, sizeof out, "ws://h", NULL, NULL, no_colon, NULL, 16384), -EINVAL);
    assert_int_equal(write_request(out, sizeof out, "ws://h", NULL, NULL, NULL, "a\r\nb", 16384), -EINVAL);
    assert_int_equal(write_request(out, sizeof out, "ws://h", NULL, NULL, NULL, NULL, 20), -ENOBUFS);
    memset(long_user, 'u', sizeof long_user - 1);
    long_user[sizeof long_user - 1] = 0;
    assert_int_equal(write_request(out, sizeof out, "ws://h", long_user, "x", NULL, NULL, 16384), -EINVAL);
}

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define OK "HTTP/1.1 101 Switching Protocols\r\n"

static void test_answers(void **state)
{
    static const struct {
        const char *head, *subprotocol;
        int err;
        const char *in_detail;
    } cases[] = {
        { OK UP ACCEPT "\r\n", NULL, 0, "" },
        { "HTTP/1.1 101\r\n" UP ACCEPT "\r\n", NULL, 0, "" },
        { OK "upgrade:WebSocket\r\ncONNECTION: keep-alive , upgrade\r\n" ACCEPT "Date: x\r\n\r\n", NULL, 0, "" },
        { OK UP ACCEPT "Sec-WebSocket-Protocol: ari\r\n\r\n", "ari", 0, "" },
        { OK UP ACCEPT "\r\n", "ari", 0, "" },
        { OK UP ACCEPT "Sec-WebSocket-Protocol: other\r\n\r\n", "ari", -EPROTO, "subprotocol" },
        { OK UP ACCEPT "Sec-WebSocket-Protocol: ari\r\n\r\n", NULL, -EPROTO, "subprotocol" },
        { OK UP ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", NULL, -EPROTO, "extension" },
        { OK UP "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n\r\n", NULL, -EPROTO, "key" },
        { OK UP "\r\n", NULL, -EPROTO, "key" },
        { OK UP ACCEPT ACCEPT "\r\n", NULL, -EPROTO, "key" },
        { OK "Upgrade: websocket\r\n" ACCEPT "\r\n", NULL, -EPROTO, "Connection" },
        { OK "Connection: Upgrade\r\n" ACCEPT "\r\n", NULL, -EPROTO, "something else" },
        { OK "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", NULL, -EPROTO, "h2c" },
        { "HTTP/1.1 401 Unauthorized\r\n\r\n", NULL, -EACCES, "401 Unauthorized" },
        { "HTTP/1.1 403 Forbidden\r\n\r\n", NULL, -EACCES, "403" },
        { "HTTP/1.1 404 Not Found\r\n\r\n", NULL, -EPROTO, "404 Not Found" },
        { "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", NULL, -EPROTO, "302" },
        { "HTTP/1.1 200 OK\r\n" UP ACCEPT "\r\n", NULL, -EPROTO, "200" },
        { "HTTP/1.0 101 X\r\n" UP ACCEPT "\r\n", NULL, -EPROTO, "HTTP/1.1" },
        { "HTTP/1.1 1010 X\r\n" UP ACCEPT "\r\n", NULL, -EPROTO, "HTTP/1.1" },
        { "HTTP/1.1 +10 X\r\n" UP ACCEPT "\r\n", NULL, -EPROTO, "HTTP/1.1" },
        { "220 smtp\a here\r\n\r\n", NULL, -EPROTO, "220 smtp? here" },
        { "\r\n\r\n", NULL, -EPROTO, "HTTP/1.1" },
        { OK "no colon here\r\n" UP ACCEPT "\r\n", NULL, -EPROTO, "no colon here" },
        { OK UP " folded: x\r\n" ACCEPT "\r\n", NULL, -EPROTO, "no header" },
        { OK UP ACCEPT "\n\r\n", NULL, -EPROTO, "CR LF" },
        { OK "Upgrade: websocket\nConnection: Upgrade\r\n" ACCEPT "\r\n", NULL, -EPROTO, "CR LF" },
    };
    char detail[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int err;

        detail[0] = 0;
        err = ws_answer_check(text_of(cases[i].head), KEY, cases[i].subprotocol, detail, sizeof detail);
        if (err != cases[i].err || !strstr(detail, cases[i].in_detail))
            fail_msg("case %zu: %d, %s", i, err, detail);
    }
}

/* A head cut anywhere before its blank line, or damaged anywhere, is never taken for a good one that says something else. */
static void test_answers_cut_and_damaged(void **state)
{
    const char good[] = OK UP ACCEPT "\r\n";
    const size_t n = sizeof good - 1;
    char detail[64];

    (void)state;
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(ws_answer_check(text_make(good, cut), KEY, NULL, detail, sizeof detail), -EPROTO);
    for (size_t at = 0; at < n; at++) {
        char bad[sizeof good];

        memcpy(bad, good, sizeof good);
        bad[at] = '\x01';
        (void)!ws_answer_check(text_make(bad, n), KEY, NULL, detail, sizeof detail);
        assert_true(memchr(detail, 0, sizeof detail) != NULL);
    }
    assert_int_equal(ws_answer_check(text_make(good, n), KEY, NULL, detail, 10), 0);
}

static void test_out_of_memory(void **state)
{
    char out[1000];

    (void)state;
    for (long n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = write_request(out, sizeof out, "ws://host/x", "user", "pw", NULL, NULL, 16384);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_cut_and_damaged),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
