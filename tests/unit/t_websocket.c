/* A WebSocket client against a scripted server with hand-written frames, and over TLS: what it says, what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "base/clock.h"
#include "base/ref.h"
#include "fail_alloc.h"
#include "net/websocket.h"
#include "net/ws_handshake.h"
#include "net_help.h"
#include "tls_help.h"

enum { TEXT_OP = 1, BINARY_OP = 2, CLOSE_OP = 8, PING_OP = 9, PONG_OP = 10, FIN = 0x80 };

/* ---- the server: a thread with a blocking socket; frames by hand ---- */

struct server {
    int listener;
    uint16_t port;
    pthread_t id;
    void (*script)(struct server *s, int fd);
    const char *answer;       /* instead of the right one */
    char head[4096];
    char accept[WS_ACCEPT_TEXT + 1];
    bool ok;                  /* the script's own verdict */
    int close_status;         /* of the client's close frame; 1005: without */
    char close_reason[126];
    size_t pings, frames, bytes;
    int hold_ms;
    atomic_bool go;
};

struct frame {
    int first;                /* FIN, opcode */
    size_t n;
    unsigned char *p;         /* malloc'ed, unmasked */
};

static bool read_head(struct server *s, int fd)
{
    size_t n = 0;
    const char *key;

    while (n + 1 < sizeof s->head && !strstr(s->head, "\r\n\r\n")) {
        if (!help_read(fd, s->head + n, 1))
            return false;
        s->head[++n] = 0;
    }
    key = strstr(s->head, "Sec-WebSocket-Key: ");
    return key && ws_accept_make(text_make(key + 19, WS_KEY_TEXT), s->accept) == 0;
}

static size_t right_answer(const struct server *s, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                       "Sec-WebSocket-Accept: %s\r\n\r\n", s->accept);
}

static bool shake(struct server *s, int fd)
{
    char answer[400];

    if (!read_head(s, fd))
        return false;
    if (s->answer)
        return help_write(fd, s->answer, strlen(s->answer)) && false;
    return help_write(fd, answer, right_answer(s, answer, sizeof answer));
}

static size_t frame_make(unsigned char *out, int first, const void *p, size_t n)
{
    size_t head = 2;

    out[0] = (unsigned char)first;
    if (n < 126) {
        out[1] = (unsigned char)n;
    } else if (n < 65536) {
        out[1] = 126;
        out[2] = (unsigned char)(n >> 8);
        out[3] = (unsigned char)n;
        head = 4;
    } else {
        out[1] = 127;
        for (int i = 0; i < 8; i++)
            out[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
        head = 10;
    }
    if (p && n > 0)
        memcpy(out + head, p, n);
    return head + n;
}

static bool say(int fd, int first, const void *p, size_t n)
{
    unsigned char *out = malloc(n + 10);
    const bool ok = help_write(fd, out, frame_make(out, first, p, n));

    free(out);
    return ok;
}

static bool hear(struct server *s, int fd, struct frame *f)
{
    unsigned char h[8], mask[4];

    f->p = NULL;
    if (!help_read(fd, h, 2) || !(h[1] & 0x80)) /* a client has to mask */
        return false;
    f->first = h[0];
    f->n = h[1] & 0x7f;
    if (f->n == 126) {
        if (!help_read(fd, h, 2))
            return false;
        f->n = (size_t)h[0] << 8 | h[1];
    } else if (f->n == 127) {
        if (!help_read(fd, h, 8))
            return false;
        f->n = 0;
        for (int i = 0; i < 8; i++)
            f->n = f->n << 8 | h[i];
    }
    f->p = malloc(f->n + 1);
    if (!help_read(fd, mask, 4) || !help_read(fd, f->p, f->n)) {
        free(f->p);
        return false;
    }
    for (size_t i = 0; i < f->n; i++)
        f->p[i] ^= mask[i % 4];
    f->p[f->n] = 0;
    s->frames++;
    s->bytes += f->n;
    return true;
}

/* Reads until the client's close frame, counting pings; true when it came. */
static bool hear_close(struct server *s, int fd)
{
    struct frame f;

    while (hear(s, fd, &f)) {
        const bool is_close = (f.first & 15) == CLOSE_OP;

        s->pings += (f.first & 15) == PING_OP;
        if (is_close) {
            s->close_status = f.n >= 2 ? f.p[0] << 8 | f.p[1] : 1005;
            if (f.n > 2)
                memcpy(s->close_reason, f.p + 2, f.n - 2);
        }
        free(f.p);
        if (is_close)
            return true;
    }
    return false;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    const int fd = accept(s->listener, NULL, NULL);

    s->script(s, fd);
    close(fd);
    return NULL;
}

/* ---- the client ---- */

struct client {
    struct loop *loop;
    struct dialer *dialer;
    struct websocket *ws;
    size_t opened, closed, messages, drained, bytes, sent, refused;
    bool is_inside;
    bool was_text;
    char last[200];
    size_t last_n;
    int err, status;
    char detail[200];
    const char *greet;          /* sent in on_open */
    size_t close_after;         /* messages */
    int close_with;
    bool is_pattern;
    size_t stop_at;             /* messages */
};

static void on_open(struct websocket *w, void *arg)
{
    struct client *c = arg;

    assert_false(c->is_inside);
    c->opened++;
    if (c->greet) {
        c->is_inside = true;
        assert_int_equal(websocket_send(w, true, text_of(c->greet)), 0);
        c->is_inside = false;
    }
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct client *c = arg;

    assert_false(c->is_inside);
    assert_int_equal(c->opened, 1);
    assert_int_equal(c->closed, 0);
    c->messages++;
    c->bytes += message.n;
    c->was_text = is_text;
    c->last_n = message.n;
    text_copy(c->last, sizeof c->last, message);
    if (c->close_after && c->messages == c->close_after) {
        c->is_inside = true;
        websocket_close(w, c->close_with, "enough");
        assert_int_equal(websocket_send(w, true, TEXT("late")), -EPIPE);
        c->is_inside = false;
    }
    if (c->stop_at && c->messages == c->stop_at)
        loop_stop(c->loop);
}

static void on_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct client *c = arg;

    assert_false(c->is_inside);
    assert_ptr_equal(w, c->ws);
    c->closed++;
    c->err = err;
    c->status = status;
    assert_true(detail && detail[0]);
    text_copy(c->detail, sizeof c->detail, text_of(detail));
    loop_stop(c->loop);
}

static const struct websocket_handlers handlers = { .on_open = on_open, .on_message = on_message, .on_closed = on_closed };

static struct websocket_options options(uint16_t port)
{
    static char url[64];

    snprintf(url, sizeof url, "ws://127.0.0.1:%u/path?q=1", port);
    return (struct websocket_options){ .url = url, .connect_ms = 20000 };
}

static void client_new(struct client *c, const struct dialer_options *opt)
{
    c->loop = help_loop();
    assert_int_equal(dialer_new(&c->dialer, c->loop, opt), 0);
}

static void client_free(struct client *c)
{
    dialer_free(c->dialer);
    ref_drop(c->ws);
    loop_free(c->loop);
}

static void server_start(struct server *s)
{
    s->listener = help_listen(&s->port);
    assert_int_equal(pthread_create(&s->id, NULL, serve, s), 0);
}

static void server_join(struct server *s)
{
    pthread_join(s->id, NULL);
    close(s->listener);
}

/* From open to on_closed. */
static void run(struct client *c, struct server *s, const struct websocket_options *tuned)
{
    struct websocket_options opt = tuned ? *tuned : (struct websocket_options){ 0 };
    const struct websocket_options usual = (server_start(s), options(s->port));

    opt.url = usual.url;
    opt.connect_ms = opt.connect_ms ? opt.connect_ms : usual.connect_ms;
    client_new(c, NULL);
    c->is_inside = true;
    assert_int_equal(websocket_open(&c->ws, c->dialer, &opt, &handlers, c), 0);
    c->is_inside = false;
    help_run(c->loop);
    assert_int_equal(c->closed, 1);
    assert_int_equal(websocket_send(c->ws, true, TEXT("x")), -EPIPE);
    websocket_close(c->ws, 1000, "again");
    client_free(c);
    server_join(s);
}

/* ---- messages ---- */

static void echo_script(struct server *s, int fd)
{
    struct frame f;

    if (!shake(s, fd))
        return;
    while (hear(s, fd, &f)) {
        say(fd, f.first, f.p, f.n);
        free(f.p);
        if ((f.first & 15) == CLOSE_OP) {
            s->ok = help_read_end(fd) == 0;
            return;
        }
    }
}

static void test_echo(void **state)
{
    struct server s = { .script = echo_script };
    struct client c = { .greet = "hello", .close_after = 1, .close_with = 1000 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.opened, 1);
    assert_string_equal(c.last, "hello");
    assert_true(c.was_text);
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 1000);
    assert_true(s.ok);
    assert_true(text_starts(text_of(s.head), TEXT("GET /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")));
}

static void fragments_script(struct server *s, int fd)
{
    struct frame f;

    if (!shake(s, fd))
        return;
    say(fd, TEXT_OP, "one ", 4);
    say(fd, 0, "two ", 4);
    say(fd, FIN | PING_OP, "beat", 4); /* between the fragments */
    say(fd, 0, "", 0);
    s->ok = hear(s, fd, &f) && f.first == (FIN | PONG_OP) && f.n == 4 && memcmp(f.p, "beat", 4) == 0;
    free(f.p);
    say(fd, FIN, "three", 5);
    hear_close(s, fd);
    say(fd, FIN | CLOSE_OP, "\x03\xe8", 2);
}

static void test_fragments_and_ping(void **state)
{
    struct server s = { .script = fragments_script };
    struct client c = { .close_after = 1, .close_with = 1001 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.messages, 1);
    assert_string_equal(c.last, "one two three");
    assert_true(s.ok);
    assert_int_equal(s.close_status, 1001);
    assert_string_equal(s.close_reason, "enough");
    assert_int_equal(c.status, 1000); /* the peer's word */
}

static void bytewise_script(struct server *s, int fd)
{
    unsigned char all[600];
    size_t n;

    if (!read_head(s, fd))
        return;
    n = right_answer(s, (char *)all, 400);
    n += frame_make(all + n, FIN | BINARY_OP, "\0\1\2", 3);
    n += frame_make(all + n, FIN | TEXT_OP, "", 0);
    n += frame_make(all + n, FIN | CLOSE_OP, "\x03\xe9" "bye", 5);
    for (size_t i = 0; i < n; i++) {
        help_write(fd, all + i, 1);
        if (i % 8 == 0)
            usleep(200);
    }
    s->ok = hear_close(s, fd) && s->close_status == 1001;
}

static void test_every_byte_alone(void **state)
{
    struct server s = { .script = bytewise_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.messages, 2);
    assert_int_equal(c.bytes, 3);
    assert_true(s.ok);
    assert_int_equal(c.status, 1001);
    assert_non_null(strstr(c.detail, "bye"));
    assert_int_equal(c.err, 0);
}

static void together_script(struct server *s, int fd)
{
    unsigned char all[600];
    size_t n;

    if (!read_head(s, fd))
        return;
    n = right_answer(s, (char *)all, 400);
    n += frame_make(all + n, FIN | TEXT_OP, "at once", 7);
    help_write(fd, all, n); /* the answer and a frame in one segment */
    hear_close(s, fd);
    say(fd, FIN | CLOSE_OP, "\x03\xe8", 2);
}

static void test_answer_and_frame_in_one_segment(void **state)
{
    struct server s = { .script = together_script };
    struct client c = { .close_after = 1, .close_with = 1000 };

    (void)state;
    run(&c, &s, NULL);
    assert_string_equal(c.last, "at once");
}

/* ---- handshakes that fail ---- */

static void refuse_script(struct server *s, int fd)
{
    shake(s, fd);
    help_read_end(fd);
}

static void expect_refusal(const char *answer, int err, int status, const char *in_detail)
{
    struct server s = { .script = refuse_script, .answer = answer };
    struct client c = { 0 };

    run(&c, &s, NULL);
    assert_int_equal(c.opened, 0);
    assert_int_equal(c.err, err);
    assert_int_equal(c.status, status);
    if (!strstr(c.detail, in_detail))
        fail_msg("%s", c.detail);
}

static void test_refusals(void **state)
{
    static char endless[20000];

    (void)state;
    expect_refusal("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", -EACCES, 401, "401");
    expect_refusal("HTTP/1.1 404 Not Found\r\n\r\nbody", -EPROTO, 404, "404");
    expect_refusal("HTTP/1.1 429 Too Many\r\n\r\n{\"code\":\"insufficient_quota\"}", -EPROTO, 429, "insufficient_quota");
    expect_refusal("HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", -EPROTO, 0, "key");
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "HTTP/1.1 101 Up\r\nX: ", 20);
    expect_refusal(endless, -EMSGSIZE, 0, "16 KiB");
}

static void leave_script(struct server *s, int fd)
{
    if (read_head(s, fd))
        help_write(fd, "HTTP/1.1 101 Sw", 15);
}

static void mute_script(struct server *s, int fd)
{
    read_head(s, fd);
    help_read_end(fd);
}

static void test_handshake_cut_and_mute(void **state)
{
    const struct websocket_options hasty = { .connect_ms = 80 };
    struct server cut = { .script = leave_script }, mute = { .script = mute_script };
    struct client c = { 0 }, d = { 0 };

    (void)state;
    run(&c, &cut, NULL);
    assert_int_equal(c.err, -ECONNRESET);
    run(&d, &mute, &hasty);
    assert_int_equal(d.err, -ETIMEDOUT);
}

static void headers_script(struct server *s, int fd)
{
    char answer[500];

    if (!read_head(s, fd))
        return;
    snprintf(answer, sizeof answer, "HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    "Sec-WebSocket-Protocol: ari\r\nSec-WebSocket-Accept: %s\r\n\r\n", s->accept);
    help_write(fd, answer, strlen(answer));
    say(fd, FIN | CLOSE_OP, "", 0);
    hear_close(s, fd);
}

static void test_headers_auth_subprotocol(void **state)
{
    static const char *const headers[] = { "X-Trace: 7", NULL };
    const struct websocket_options opt = { .user = "sidetone", .password = "p:ss", .headers = headers, .subprotocol = "ari" };
    struct server s = { .script = headers_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, &opt);
    assert_int_equal(c.opened, 1);
    assert_non_null(strstr(s.head, "\r\nAuthorization: Basic c2lkZXRvbmU6cDpzcw==\r\n"));
    assert_non_null(strstr(s.head, "\r\nX-Trace: 7\r\n"));
    assert_non_null(strstr(s.head, "\r\nSec-WebSocket-Protocol: ari\r\n"));
    assert_int_equal(c.status, 1005); /* a close frame without a code */
    assert_int_equal(c.err, 0);
}

static void test_refused_connection_and_bad_options(void **state)
{
    static const char *const forged[] = { "X: a\r\nY: b", NULL };
    struct websocket_options opt;
    struct client c = { 0 };
    struct websocket *none = NULL;
    uint16_t port;

    (void)state;
    close(help_listen(&port));
    client_new(&c, NULL);
    opt = options(port);
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &handlers, &c), 0);
    help_run(c.loop);
    assert_int_equal(c.err, -ECONNREFUSED);
    assert_int_equal(c.status, 0);
    opt.headers = forged;
    assert_int_equal(websocket_open(&none, c.dialer, &opt, &handlers, &c), -EINVAL);
    opt.headers = NULL;
    opt.connect_ms = 0;
    assert_int_equal(websocket_open(&none, c.dialer, &opt, &handlers, &c), -EINVAL);
    opt.connect_ms = 10;
    opt.url = "http://127.0.0.1/";
    assert_int_equal(websocket_open(&none, c.dialer, &opt, &handlers, &c), -EINVAL);
    assert_null(none);
    client_free(&c);
}

/* ---- peers that break the rules ---- */

struct fault {
    const unsigned char *bytes;
    size_t n;
    int err, status, told;   /* told: the status in the close frame that the peer gets */
};


struct fault_server {
    struct server server;
    const struct fault *fault;
};

static void fault_script(struct server *s, int fd)
{
    const struct fault *x = ((struct fault_server *)(void *)s)->fault;

    if (!shake(s, fd))
        return;
    help_write(fd, x->bytes, x->n);
    s->ok = hear_close(s, fd);
}

static void test_faults(void **state)
{
#define BYTES(...) (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ })
    const struct fault faults[] = {
        { BYTES(0x82, 126, 0x04, 0x01, 'x'), -EMSGSIZE, 1009, 1009 },              /* claims 1,025, one came */
        { BYTES(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0, 'x'), -EMSGSIZE, 1009, 1009 },  /* claims 4 GiB */
        { BYTES(0x81, 2, 0xc3, 0x28), -EILSEQ, 1007, 1007 },
        { BYTES(0x81, 1, 0xc3), -EILSEQ, 1007, 1007 },                             /* cut within a character */
        { BYTES(0x82, 0x81, 1, 2, 3, 4, 5), -EPROTO, 1002, 1002 },                 /* masked by a server */
        { BYTES(0x83, 0), -EPROTO, 1002, 1002 },                                   /* opcode 3 */
        { BYTES(0xc2, 0), -EPROTO, 1002, 1002 },                                   /* a reserved bit */
        { BYTES(0x80, 0), -EPROTO, 1002, 1002 },                                   /* continues nothing */
        { BYTES(0x01, 1, 'a', 0x81, 1, 'b'), -EPROTO, 1002, 1002 },                /* a new message inside one */
        { BYTES(0x88, 1, 3), 0, 1005, 1005 },                                      /* half a code: wslay says none */
        { BYTES(0x88, 2, 0x03, 0xed), -EPROTO, 1002, 1002 },                       /* 1005 must not be sent */
        { BYTES(0x09, 0), -EPROTO, 1002, 0 },                                      /* a ping in pieces */
        { BYTES(0x89, 126, 0, 200), -EPROTO, 1002, 0 },                            /* a ping too long */
        { BYTES(0x82, 126, 0, 5), -EPROTO, 1002, 0 },                              /* a length not the shortest */
    };
    const struct websocket_options opt = { .message_max = 1024 };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct fault_server s = { .server = { .script = fault_script }, .fault = &faults[i] };
        struct client c = { 0 };

        run(&c, &s.server, &opt);
        if (c.err != faults[i].err || c.status != faults[i].status || (faults[i].told && s.server.close_status != faults[i].told))
            fail_msg("fault %zu: err %d status %d told %d: %s", i, c.err, c.status, s.server.close_status, c.detail);
        assert_true(s.server.ok); /* it was told */
        assert_int_equal(c.messages, 0);
    }
}

static void limit_script(struct server *s, int fd)
{
    static char much[1025];

    if (!shake(s, fd))
        return;
    say(fd, FIN | BINARY_OP, much, 1024);
    say(fd, BINARY_OP, much, 1024); /* fragments count together */
    say(fd, FIN, much, 1);
    s->ok = hear_close(s, fd);
}

static void test_limit_is_exact_and_of_the_whole_message(void **state)
{
    const struct websocket_options opt = { .message_max = 1024 };
    struct server s = { .script = limit_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, &opt);
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.err, -EMSGSIZE);
    assert_int_equal(s.close_status, 1009);
}

/* ---- ends ---- */

static void lost_script(struct server *s, int fd)
{
    if (shake(s, fd))
        say(fd, FIN | TEXT_OP, "then nothing", 12);
}

static void test_lost_connection(void **state)
{
    struct server s = { .script = lost_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.err, -ECONNRESET);
    assert_int_equal(c.status, 0);
}

static void codes_script(struct server *s, int fd)
{
    if (!shake(s, fd))
        return;
    say(fd, FIN | CLOSE_OP, "\x0f\xa1" "go\taway", 9);
    s->ok = hear_close(s, fd);
}

static void test_close_code_of_the_peer(void **state)
{
    struct server s = { .script = codes_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.status, 4001);
    assert_string_equal(c.detail, "the peer closed with 4001: go?away");
    assert_int_equal(s.close_status, 4001); /* answered in kind */
    assert_true(s.ok);
}

static void stubborn_script(struct server *s, int fd)
{
    if (!shake(s, fd))
        return;
    say(fd, FIN | TEXT_OP, "x", 1);
    s->ok = hear_close(s, fd) && help_read_end(fd) != -ETIMEDOUT; /* takes the close, never answers */
}

static void test_close_that_is_not_answered(void **state)
{
    struct server s = { .script = stubborn_script };
    struct client c = { .close_after = 1, .close_with = 1000 };
    const int64_t from_us = clock_mono_us();

    (void)state;
    run(&c, &s, NULL);
    assert_true(s.ok);
    assert_int_equal(c.status, 1000);
    assert_int_equal(c.err, 0);
    assert_true(clock_mono_us() - from_us < 15000000); /* two seconds, on a machine that breathes */
}

static void test_close_with_a_status_that_may_not_be_sent(void **state)
{
    struct server s = { .script = echo_script };
    struct client c = { .greet = "x", .close_after = 1, .close_with = 1006 };

    (void)state;
    run(&c, &s, NULL);
    assert_int_equal(c.status, 1000);
}

static void test_close_before_open(void **state)
{
    struct websocket_options opt;
    struct client c = { 0 }, d = { 0 };
    struct server s = { .script = mute_script };

    (void)state;
    client_new(&c, NULL);
    server_start(&s);
    opt = options(s.port);
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &handlers, &c), 0);
    c.is_inside = true;
    websocket_close(c.ws, 1000, NULL); /* while dialing */
    websocket_close(c.ws, 1000, NULL);
    c.is_inside = false;
    help_run(c.loop);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.err, 0);
    client_free(&c);

    client_new(&d, NULL);
    assert_int_equal(websocket_open(&d.ws, d.dialer, &opt, &handlers, &d), 0);
    help_run_ms(d.loop, 50);
    assert_int_equal(d.closed, 0);
    d.is_inside = true;
    websocket_close(d.ws, 1000, NULL); /* while the server thinks */
    d.is_inside = false;
    help_run(d.loop);
    assert_int_equal(d.closed, 1);
    assert_int_equal(d.err, 0);
    assert_int_equal(d.opened, 0);
    client_free(&d);
    server_join(&s);
}

static void test_dialer_goes_first(void **state)
{
    struct websocket_options opt;
    struct client c = { 0 };
    uint16_t port;
    const int listener = help_listen(&port);

    (void)state;
    client_new(&c, NULL);
    opt = options(port);
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &handlers, &c), 0);
    c.is_inside = true;
    dialer_free(c.dialer);
    c.is_inside = false;
    c.dialer = NULL;
    help_run(c.loop);
    assert_int_equal(c.err, -ECANCELED);
    client_free(&c);
    close(listener);
}

/* ---- time ---- */

static void deaf_script(struct server *s, int fd)
{
    if (shake(s, fd))
        hear_close(s, fd); /* reads pings, answers none */
}

static void test_silent_server(void **state)
{
    const struct websocket_options opt = { .ping_ms = 40 };
    struct server s = { .script = deaf_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, &opt);
    assert_int_equal(c.err, -ETIMEDOUT);
    assert_int_equal(s.pings, 2);
    assert_string_equal(c.detail, "nothing came back for two pings");
}

static void pong_script(struct server *s, int fd)
{
    struct frame f;

    if (!shake(s, fd))
        return;
    while (s->pings < 5 && hear(s, fd, &f)) {
        s->pings += (f.first & 15) == PING_OP;
        if (s->pings % 2)
            say(fd, FIN | PONG_OP, f.p, f.n); /* one of two is enough */
        free(f.p);
    }
    say(fd, FIN | CLOSE_OP, "\x03\xe8", 2);
    s->ok = hear_close(s, fd);
}

static void test_answered_pings(void **state)
{
    const struct websocket_options opt = { .ping_ms = 60 };
    struct server s = { .script = pong_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, &opt);
    assert_int_equal(s.pings, 5);
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 1000);
}

/* ---- ceilings ---- */

enum { PIECE = 10000, PIECES = 3000 };

static void late_script(struct server *s, int fd)
{
    struct frame f;
    size_t n = 0;

    if (!shake(s, fd))
        return;
    while (!atomic_load(&s->go))
        usleep(2000);
    s->ok = true;
    for (; n < PIECES && hear(s, fd, &f); n++) {
        for (size_t i = 0; i < f.n; i++)
            s->ok = s->ok && f.p[i] == (unsigned char)(n + i);
        s->ok = s->ok && f.n == PIECE && f.first == (FIN | BINARY_OP);
        free(f.p);
    }
    s->ok = s->ok && n == PIECES;
    s->ok = hear_close(s, fd) && s->ok;
    say(fd, FIN | CLOSE_OP, "\x03\xe8", 2);
}

static void fill(struct client *c, struct websocket *w)
{
    c->is_inside = true;
    while (c->sent < PIECES) {
        char piece[PIECE];
        int err;

        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)(c->sent + i);
        err = websocket_send(w, false, text_make(piece, sizeof piece));
        if (err) {
            assert_int_equal(err, -ENOBUFS);
            c->refused++;
            break;
        }
        c->sent++;
    }
    c->is_inside = false;
    if (c->sent == PIECES)
        websocket_close(w, 1000, "done");
}

static void on_open_fill(struct websocket *w, void *arg)
{
    struct client *c = arg;

    c->opened++;
    fill(c, w);
    assert_int_equal(websocket_send(w, false, text_make(c, 1024 * 1024 + 1)), -EMSGSIZE);
}

static void on_drain_fill(struct websocket *w, void *arg)
{
    struct client *c = arg;

    assert_false(c->is_inside);
    c->drained++;
    fill(c, w);
}

static void test_queue_ceiling_loses_nothing(void **state)
{
    static const struct websocket_handlers on = { on_open_fill, on_message, on_drain_fill, on_closed };
    struct server s = { .script = late_script };
    struct websocket_options opt;
    struct client c = { 0 };

    (void)state;
    server_start(&s);
    opt = options(s.port);
    client_new(&c, NULL);
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &on, &c), 0);
    help_run_ms(c.loop, 100);
    assert_true(c.refused >= 1); /* 30 MB do not fit */
    assert_true(c.sent < PIECES);
    atomic_store(&s.go, true);
    help_run(c.loop);
    assert_int_equal(c.sent, PIECES);
    assert_true(c.drained >= 1);
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 1000);
    server_join(&s);
    assert_true(s.ok);
    client_free(&c);
}

static void flood_script(struct server *s, int fd)
{
    static unsigned char pings[127 * 500];
    size_t n = 0;
    struct pollfd w = { .fd = fd, .events = POLLOUT };

    if (!shake(s, fd))
        return;
    while (n < sizeof pings)
        n += frame_make(pings + n, FIN | PING_OP, "flood flood flood flood flood flood flood flood flood flood flood flood flood"
                                                  " flood flood flood flood flood flood flood flood", 125);
    /* Until nothing moves any more: the client has stopped reading. */
    while (s->bytes < 64u * 1024 * 1024 && poll(&w, 1, 300) == 1) {
        const ssize_t k = send(fd, pings, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (k > 0) {
            s->bytes += (size_t)k;
            if ((size_t)k < n) { /* the rest of the frame */
                help_write(fd, pings + k, 0);
                break;
            }
        } else if (errno != EAGAIN) {
            break;
        }
    }
    s->ok = s->bytes < 64u * 1024 * 1024;
    usleep(300000);
}

static void test_ping_flood_is_not_hoarded(void **state)
{
    const struct websocket_options opt = { .queue_max = 100000 };
    struct server s = { .script = flood_script };
    struct client c = { 0 };

    (void)state;
    run(&c, &s, &opt);
    assert_true(s.ok); /* it was slowed down, instead of our memory filling */
    assert_int_not_equal(c.err, 0);
}

/* ---- TLS: with the retry rule in force ---- */

static void on_message_count(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct client *c = arg;

    (void)w;
    (void)is_text;
    for (size_t i = 0; i < message.n; i++)
        c->is_pattern = c->is_pattern && message.p[i] == (char)(c->messages + i);
    c->messages++;
    c->bytes += message.n;
    if (c->messages == PIECES)
        websocket_close(c->ws, 1000, "done");
}

static void fill_tls(struct client *c, struct websocket *w)
{
    static char piece[PIECE];

    while (c->sent < PIECES) {
        int err;

        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)(c->sent + i);
        err = websocket_send(w, false, text_make(piece, sizeof piece));
        if (err) {
            assert_int_equal(err, -ENOBUFS);
            c->refused++;
            return;
        }
        c->sent++;
    }
}

static void on_open_tls(struct websocket *w, void *arg)
{
    ((struct client *)arg)->opened++;
    fill_tls(arg, w);
}

static void on_drain_tls(struct websocket *w, void *arg)
{
    ((struct client *)arg)->drained++;
    fill_tls(arg, w);
}

static void test_tls_under_back_pressure(void **state)
{
    static const struct websocket_handlers on = { on_open_tls, on_message_count, on_drain_tls, on_closed };
    const struct dialer_options trust = { .tls = { .ca_file = tls_path("ca.pem") } };
    struct tls_peer peer = tls_peer_start("good", "ws", "100");
    struct websocket_options opt;
    struct client c = { .is_pattern = true };
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "wss://127.0.0.1:%u/v1", peer.port);
    client_new(&c, &trust);
    opt = (struct websocket_options){ .url = url, .connect_ms = 20000, .queue_max = 300000 };
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &on, &c), 0);
    help_run(c.loop);
    assert_int_equal(c.messages, PIECES);
    assert_int_equal(c.bytes, PIECES * PIECE);
    assert_true(c.is_pattern);
    assert_true(c.refused >= 1);
    assert_int_equal(c.err, 0);
    assert_int_equal(c.status, 1000);
    client_free(&c);
    tls_peer_stop(&peer);
}

static void test_tls_unknown_ca(void **state)
{
    struct tls_peer peer = tls_peer_start("good", "ws", "0");
    struct client c = { 0 };
    struct websocket_options opt;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "wss://localhost:%u/", peer.port);
    client_new(&c, NULL);
    opt = (struct websocket_options){ .url = url, .connect_ms = 20000 };
    assert_int_equal(websocket_open(&c.ws, c.dialer, &opt, &handlers, &c), 0);
    help_run(c.loop);
    assert_int_equal(c.err, -EKEYREJECTED);
    assert_non_null(strstr(c.detail, "issuer"));
    client_free(&c);
    tls_peer_stop(&peer);
}

/* ---- memory ---- */

/* Without an allocation of its own: the failing one is to be the client's. */
static void brief_script(struct server *s, int fd)
{
    unsigned char out[64];
    size_t n;

    if (!shake(s, fd))
        return;
    n = frame_make(out, FIN | TEXT_OP, "brief", 5);
    n += frame_make(out + n, FIN | PING_OP, "", 0);
    n += frame_make(out + n, FIN | CLOSE_OP, "\x03\xe8", 2);
    help_write(fd, out, n);
    help_read_end(fd);
}

static void test_out_of_memory(void **state)
{
    bool has_hit = true;

    (void)state;
    for (long n = 1; has_hit; n++) {
        struct server s = { .script = brief_script };
        struct client c = { 0 };
        struct websocket_options opt;
        int err;

        server_start(&s);
        opt = options(s.port);
        opt.connect_ms = 500;
        c.loop = help_loop();
        fail_alloc_at(n);
        err = dialer_new(&c.dialer, c.loop, NULL);
        if (!err)
            err = websocket_open(&c.ws, c.dialer, &opt, &handlers, &c);
        if (!err && c.closed == 0)
            loop_run(c.loop); /* ends with on_closed: every wait has its deadline */
        has_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_int_equal(c.closed, err ? 0 : 1);
        assert_true(has_hit || (c.messages == 1 && c.status == 1000));
        client_free(&c);
        close(help_connect(s.port)); /* the server gets its one connection in any case */
        server_join(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_fragments_and_ping),
        cmocka_unit_test(test_every_byte_alone),
        cmocka_unit_test(test_answer_and_frame_in_one_segment),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_handshake_cut_and_mute),
        cmocka_unit_test(test_headers_auth_subprotocol),
        cmocka_unit_test(test_refused_connection_and_bad_options),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_limit_is_exact_and_of_the_whole_message),
        cmocka_unit_test(test_lost_connection),
        cmocka_unit_test(test_close_code_of_the_peer),
        cmocka_unit_test(test_close_that_is_not_answered),
        cmocka_unit_test(test_close_with_a_status_that_may_not_be_sent),
        cmocka_unit_test(test_close_before_open),
        cmocka_unit_test(test_dialer_goes_first),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_answered_pings),
        cmocka_unit_test(test_queue_ceiling_loses_nothing),
        cmocka_unit_test(test_ping_flood_is_not_hoarded),
        cmocka_unit_test(test_tls_under_back_pressure),
        cmocka_unit_test(test_tls_unknown_ca),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, tls_setup, tls_shut);
}
