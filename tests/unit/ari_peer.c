/* Plays Asterisk's HTTP server: see ari_peer.h. */
#include "ari_peer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "net/listener.h"

enum { CONN_MAX = 64, IN_MAX = 65536 };

struct conn {
    struct ari_peer *peer;
    struct stream *stream;         /* NULL: free */
    bool is_events;
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
    int refuse;
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
    uint8_t head[4] = { (uint8_t)(0x80 | opcode), (uint8_t)n };
    size_t head_n = 2;

    assert(n < 65536);
    if (n > 125) {
        head[1] = 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        head_n = 4;
    }
    say(c, head, head_n);
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
    if (strncmp(seen.path, "events", 6) == 0) {
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

/* A masked frame of up to 125 bytes off the front (pings and closes); false: not whole yet. */
static bool take_frame(struct conn *c)
{
    uint8_t *const in = (uint8_t *)c->in;
    char payload[126];
    size_t n;

    if (c->n < 6)
        return false;
    n = in[1] & 0x7f;
    assert((in[1] & 0x80) && n < 126);
    if (c->n < 6 + n)
        return false;
    for (size_t i = 0; i < n; i++)
        payload[i] = (char)(in[6 + i] ^ in[2 + i % 4]);
    if ((in[0] & 0x0f) == 9) {
        c->peer->pings++;
        frame(c, 10, payload, n);
    } else if ((in[0] & 0x0f) == 8) {
        frame(c, 8, payload, n);
        stream_close(c->stream, 500);
    }
    c->n -= 6 + n;
    memmove(c->in, c->in + 6 + n, c->n);
    return c->n > 0;
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct conn *c = arg;

    (void)s;
    assert(c->n + bytes.n < IN_MAX);
    memcpy(c->in + c->n, bytes.p, bytes.n);
    c->n += bytes.n;
    while (c->n > 0 && (c->is_events ? take_frame(c) : take_request(c)))
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

static void on_accept(struct stream *s, void *arg)
{
    struct ari_peer *p = arg;

    for (size_t i = 0; i < CONN_MAX; i++) {
        struct conn *c = &p->conns[i];

        if (c->stream)
            continue;
        *c = (struct conn){ .peer = p, .stream = s };
        stream_handle(s, &conn_on, c);
        return;
    }
    abort();                       /* a test with more connections than that is wrong */
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
