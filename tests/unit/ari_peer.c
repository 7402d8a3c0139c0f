/* Plays Asterisk's HTTP server: see ari_peer.h. */
#include "ari_peer.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/ref.h"
#include "net/listener.h"
#include "tcp_pair.h"

enum { CONN_MAX = 64, IN_MAX = 65536 };

struct conn {
    struct ari_peer *peer;
    struct stream *stream;         /* NULL: free */
    bool is_events, is_caller;     /* is_caller: we opened it, so we mask and wait for an answer first */
    char app[100];
    char in[IN_MAX];
    size_t n;
};

struct ari_peer {
    struct loop *loop;
    struct listener *listener;
    uint16_t port;
    ari_peer_on_request *on_request;
    void *arg;
    struct conn conns[CONN_MAX];
    struct conn *events;
    struct ari_seen seen[ARI_SEEN_MAX], events_request;
    size_t count;
    unsigned upgrades, pings;
    int refuse, came_status;
    bool offers_rest;
    unsigned ws_requests;
    char ids[64][24];              /* of requests over the WebSocket, by number */
};

/* ---- Sec-WebSocket-Accept ---- */

static uint32_t rol(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        const uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        const uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        const uint32_t t = rol(a, 5) + f + e + k + w[i];

        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

static void sha1(const char *text, uint8_t out[20])
{
    uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    uint8_t padded[192] = { 0 };
    const size_t n = strlen(text), blocks = (n + 9 + 63) / 64;

    assert(blocks <= 3);
    memcpy(padded, text, n);
    padded[n] = 0x80;
    for (size_t i = 0; i < 8; i++)
        padded[blocks * 64 - 1 - i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
    for (size_t i = 0; i < blocks; i++)
        sha1_block(h, padded + 64 * i);
    for (size_t i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *p, size_t n, char *out)
{
    static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        const uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 | (i + 2 < n ? p[i + 2] : 0);

        *out++ = abc[v >> 18];
        *out++ = abc[v >> 12 & 63];
        *out++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? abc[v & 63] : '=';
    }
    *out = '\0';
}

/* ---- sending ---- */

static void say(struct conn *c, const void *p, size_t n)
{
    if (stream_send_text(c->stream, text_make(p, n)) != 0)
        stream_abort(c->stream);
}

static void frame(struct conn *c, uint8_t opcode, const char *p, size_t n)
{
    uint8_t head[14] = { (uint8_t)(0x80 | opcode), (uint8_t)n };
    size_t head_n = 2;

    if (n > 65535) {
        head[1] = 127;
        for (size_t i = 0; i < 8; i++)
            head[2 + i] = (uint8_t)((uint64_t)n >> (8 * (7 - i)));
        head_n = 10;
    } else if (n > 125) {
        head[1] = 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        head_n = 4;
    }
    if (c->is_caller) {            /* masked with 0: the bytes stay what they are */
        head[1] |= 0x80;
        head_n += 4;
    }
    say(c, head, head_n);
    if (n > 0)
        say(c, p, n);
}

void ari_peer_event(struct ari_peer *p, const char *json)
{
    assert(p->events);
    frame(p->events, 1, json, strlen(json));
}

void ari_peer_eventf(struct ari_peer *p, const char *fmt, ...)
{
    char json[4000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(json, sizeof json, fmt, ap);
    va_end(ap);
    ari_peer_event(p, json);
}

/* ---- reading ---- */

static void header(const char *in, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(in, name);
    size_t n;

    out[0] = '\0';
    if (!at)
        return;
    at += strlen(name);
    n = strcspn(at, "\r");
    snprintf(out, size, "%.*s", (int)n, at);
}

static void upgrade(struct conn *c, const char *in)
{
    char key[200], accept[64], reply[300];
    uint8_t digest[20];
    struct ari_peer *p = c->peer;

    if (p->refuse) {
        snprintf(reply, sizeof reply, "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", p->refuse);
        say(c, reply, strlen(reply));
        stream_close(c->stream, 100);
        return;
    }
    header(in, "\r\nSec-WebSocket-Key: ", key, 100);
    strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    sha1(key, digest);
    base64(digest, 20, accept);
    snprintf(reply, sizeof reply,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    say(c, reply, strlen(reply));
    c->is_events = true;
    p->events = c;
    p->upgrades++;
}

static void answer(struct conn *c, const struct ari_seen *seen)
{
    static char body[ARI_REPLY_MAX], reply[ARI_REPLY_MAX + 200];
    int status;

    body[0] = '\0';
    status = c->peer->on_request(seen, body, sizeof body, c->peer->arg);
    if (!status)
        return;
    if (status == 204)
        snprintf(reply, sizeof reply, "HTTP/1.1 204 No Content\r\n\r\n");
    else
        snprintf(reply, sizeof reply, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
                 strlen(body), body);
    say(c, reply, strlen(reply));
}

/* One request off the front; false: not whole yet. */
static bool take_request(struct conn *c)
{
    struct ari_peer *p = c->peer;
    struct ari_seen seen = { .method = "" };
    char length[20], target[500] = "";
    const char *end;
    size_t head, body;

    c->in[c->n] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return false;
    head = (size_t)(end - c->in) + 4;
    header(c->in, "\r\nContent-Length: ", length, sizeof length);
    body = (size_t)atoi(length);
    if (c->n < head + body)
        return false;
    assert(sscanf(c->in, "%7s %499s", seen.method, target) == 2);
    assert(strncmp(target, "/ari/", 5) == 0);
    snprintf(seen.path, sizeof seen.path, "%.399s", target + 5);
    snprintf(seen.body, sizeof seen.body, "%.*s", (int)body, c->in + head);
    header(c->in, "\r\nAuthorization: ", seen.authorization, sizeof seen.authorization);
    if (strncmp(seen.path, "events?", 7) == 0) {
        p->events_request = seen;
        upgrade(c, c->in);
    } else {
        assert(p->count < ARI_SEEN_MAX);
        p->seen[p->count++] = seen;
        answer(c, &seen);
    }
    c->n -= head + body;
    memmove(c->in, c->in + head + body, c->n);
    return c->n > 0;
}

static void json_part(const char *json, const char *name, char *out, size_t size)
{
    char key[40];
    const char *at;
    size_t n = 0;

    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = strstr(json, key);
    out[0] = '\0';
    if (!at)
        return;
    for (at += strlen(key); *at && *at != '"' && n + 1 < size; at++) {
        if (*at == '\\')
            at++;
        out[n++] = *at;
    }
    out[n] = '\0';
}

static void respond(struct conn *c, const char *id, int status, const char *body)
{
    static char json[2 * ARI_REPLY_MAX + 400];
    struct buf b;

    buf_init(&b, sizeof json);
    buf_addf(&b, "{\"type\":\"RESTResponse\",\"transaction_id\":\"\",\"request_id\":\"%s\",\"status_code\":%d,\"reason_phrase\":\"X\"", id, status);
    if (*body) {
        buf_add_text(&b, TEXT(",\"content_type\":\"application/json\",\"message_body\":\""));
        buf_add_json(&b, text_of(body));
        buf_add_char(&b, '"');
    }
    buf_add_char(&b, '}');
    assert(!b.err);
    frame(c, 1, b.p, b.n);
    buf_free(&b);
}

static void take_rest(struct conn *c, const char *json)
{
    static char body[ARI_REPLY_MAX];
    struct ari_peer *p = c->peer;
    struct ari_seen seen = { .over_ws = true };
    char id[24];
    int status;

    if (!p->offers_rest)
        return;
    assert(strstr(json, "\"type\":\"RESTRequest\""));
    json_part(json, "request_id", id, sizeof id);
    json_part(json, "method", seen.method, sizeof seen.method);
    json_part(json, "uri", seen.path, sizeof seen.path);
    json_part(json, "message_body", seen.body, sizeof seen.body);
    assert(seen.path[0] && seen.path[0] != '/');
    if (strcmp(seen.path, "asterisk/ping") == 0) {
        respond(c, id, 200, "{\"ping\":\"pong\"}");
        return;
    }
    assert(p->count < ARI_SEEN_MAX && p->ws_requests < 64);
    p->seen[p->count++] = seen;
    strcpy(p->ids[p->ws_requests++], id);
    body[0] = '\0';
    status = p->on_request(&p->seen[p->count - 1], body, sizeof body, p->arg);
    if (status)
        respond(c, id, status, body);
}

void ari_peer_answer_late(struct ari_peer *p, unsigned request, int status)
{
    assert(p->events && request >= 1 && request <= p->ws_requests);
    respond(p->events, p->ids[request - 1], status, "");
}

/* A frame of up to 64 KiB off the front; false: not whole yet. */
static bool take_frame(struct conn *c)
{
    static char payload[IN_MAX];
    uint8_t *const in = (uint8_t *)c->in;
    size_t n, head = 2;
    uint8_t mask[4] = { 0 }, opcode;

    if (c->n < 2)
        return false;
    opcode = in[0] & 0x0f;
    n = in[1] & 0x7f;
    assert(n < 127 && !!(in[1] & 0x80) == !c->is_caller);
    if (n == 126) {
        if (c->n < 4)
            return false;
        n = (size_t)in[2] << 8 | in[3];
        head = 4;
    }
    if (c->n < head + (c->is_caller ? 0 : 4) + n)
        return false;
    if (!c->is_caller) {
        memcpy(mask, in + head, 4);
        head += 4;
    }
    for (size_t i = 0; i < n; i++)
        payload[i] = (char)(in[head + i] ^ mask[i % 4]);
    payload[n] = '\0';
    c->n -= head + n;
    memmove(c->in, c->in + head + n, c->n);
    if (opcode == 9) {
        c->peer->pings++;
        frame(c, 10, payload, n);
    } else if (opcode == 8) {
        frame(c, 8, payload, n);
        stream_close(c->stream, 500);
    } else if (opcode == 1) {
        take_rest(c, payload);
    }
    return c->n > 0;
}

/* The answer to our own opening request; false: not whole yet, or refused. */
static bool take_opening(struct conn *c)
{
    char json[200];
    const char *end;
    size_t head;

    c->in[c->n] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end || sscanf(c->in, "HTTP/1.1 %d", &c->peer->came_status) != 1 || c->peer->came_status != 101)
        return false;
    assert(strstr(c->in, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    head = (size_t)(end - c->in) + 4;
    c->n -= head;
    memmove(c->in, c->in + head, c->n);
    c->is_events = true;
    c->peer->events = c;
    c->peer->upgrades++;
    if (c->app[0]) {
        snprintf(json, sizeof json, "{\"type\":\"ApplicationRegistered\",\"application\":\"%s\"}", c->app);
        frame(c, 1, json, strlen(json));
    }
    return c->n > 0;
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct conn *c = arg;

    (void)s;
    assert(c->n + bytes.n < IN_MAX);
    memcpy(c->in + c->n, bytes.p, bytes.n);
    c->n += bytes.n;
    while (c->n > 0 && (c->is_events ? take_frame(c) : c->is_caller ? take_opening(c) : take_request(c)))
        ;
}

static void on_closed(struct stream *s, int err, void *arg)
{
    struct conn *c = arg;

    (void)err;
    if (c->peer->events == c)
        c->peer->events = NULL;
    c->stream = NULL;
    ref_drop(s);
}

static const struct stream_handlers conn_on = { .on_data = on_data, .on_closed = on_closed };

static struct conn *conn_free(struct ari_peer *p)
{
    for (size_t i = 0; i < CONN_MAX; i++)
        if (!p->conns[i].stream)
            return &p->conns[i];
    abort();                       /* a test with more connections than that is wrong */
}

static void on_accept(struct stream *s, void *arg)
{
    struct conn *c = conn_free(arg);

    *c = (struct conn){ .peer = arg, .stream = s };
    stream_handle(s, &conn_on, c);
}

void ari_peer_come(struct ari_peer *p, uint16_t port, const char *credentials, const char *app)
{
    const struct stream_options opt = { .queue_max = 1024 * 1024 };
    struct conn *c = conn_free(p);
    struct buf b;
    const int fd = tcp_connect(port);
    int err;

    assert(fd >= 0);
    *c = (struct conn){ .peer = p, .is_caller = true };
    snprintf(c->app, sizeof c->app, "%s", app ? app : "");
    err = stream_adopt(&c->stream, p->loop, fd, &opt, &conn_on, c);
    assert(err == 0);
    (void)err;
    p->came_status = 0;
    buf_init(&b, 4000);            /* as Asterisk 22.10.1 writes it; the key is RFC 6455's example */
    buf_add_text(&b, TEXT("GET /ari HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: x\r\n"));
    if (credentials) {
        buf_add_text(&b, TEXT("Authorization: Basic "));
        base64_write(&b, credentials, strlen(credentials));
        buf_add_text(&b, TEXT("\r\n"));
    }
    buf_add_text(&b, TEXT("Sec-WebSocket-Protocol: ari\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    assert(!b.err);
    say(c, b.p, b.n);
    buf_free(&b);
}

int ari_peer_came_status(const struct ari_peer *p)
{
    return p->came_status;
}

void ari_peer_offer_rest(struct ari_peer *p)
{
    p->offers_rest = true;
}

/* ---- what the test asks ---- */

static void listen_at(struct ari_peer *p, uint16_t port)
{
    struct address at = { .host = "127.0.0.1", .port = port };
    const struct listener_options opt = { 0 };
    const int err = listener_open(&p->listener, p->loop, &at, &opt, on_accept, p);

    assert(err == 0);
    (void)err;
    listener_address(p->listener, &at);
    p->port = at.port;
}

void ari_peer_open(struct ari_peer **out, struct loop *l, ari_peer_on_request *on_request, void *arg)
{
    struct ari_peer *p = calloc(1, sizeof *p);

    assert(p);
    p->loop = l;
    p->on_request = on_request;
    p->arg = arg;
    listen_at(p, 0);
    *out = p;
}

static void on_turn_over(void *arg)
{
    loop_stop(arg);
}

void ari_peer_close(struct ari_peer *p)
{
    struct timer *t;

    listener_close(p->listener);
    for (size_t i = 0; i < CONN_MAX; i++) {
        if (p->conns[i].stream)
            stream_abort(p->conns[i].stream);
    }
    /* Streams end in the loop's next turns: wait for the last of them. */
    for (int turns = 0; turns < 100; turns++) {
        bool is_busy = false;

        for (size_t i = 0; i < CONN_MAX; i++)
            is_busy = is_busy || p->conns[i].stream;
        if (!is_busy)
            break;
        if (timer_new(&t, p->loop, on_turn_over, p->loop) != 0)
            break;
        timer_start(t, 1);
        loop_run(p->loop);
        timer_free(t);
    }
    free(p);
}

uint16_t ari_peer_port(const struct ari_peer *p)
{
    return p->port;
}

size_t ari_peer_count(const struct ari_peer *p)
{
    return p->count;
}

const struct ari_seen *ari_peer_seen(const struct ari_peer *p, size_t i)
{
    assert(i < p->count);
    return &p->seen[i];
}

void ari_peer_forget(struct ari_peer *p)
{
    p->count = 0;
}

bool ari_peer_has_events(const struct ari_peer *p)
{
    return p->events != NULL;
}

unsigned ari_peer_upgrades(const struct ari_peer *p)
{
    return p->upgrades;
}

const struct ari_seen *ari_peer_events_request(const struct ari_peer *p)
{
    return &p->events_request;
}

unsigned ari_peer_pings(const struct ari_peer *p)
{
    return p->pings;
}

void ari_peer_lose(struct ari_peer *p)
{
    assert(p->events);
    stream_abort(p->events->stream);
    p->events = NULL;
}

void ari_peer_refuse(struct ari_peer *p, int status)
{
    p->refuse = status;
}

void ari_peer_stop_listening(struct ari_peer *p)
{
    listener_close(p->listener);
    p->listener = NULL;
}

void ari_peer_listen_again(struct ari_peer *p)
{
    listen_at(p, p->port);
}
