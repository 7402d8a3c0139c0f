/* Plays Asterisk's manager port for tests, on the test's own loop, one connection at a time: greets, logs in as told, and gives every
 * other action to the test. Include after cmocka.h. */
#pragma once

#include <string.h>

#include "base/ref.h"
#include "net/listener.h"
#include "wire/ami.h"
#include "wire/md5.h"

struct ami_peer {
    struct loop *loop;
    struct listener *listener;
    struct stream *stream;         /* the present connection */
    struct ami_reader reader;
    uint16_t port;
    unsigned connections, logins, actions, pings, logoffs;
    const char *banner;            /* NULL: none is sent */
    const char *secret;            /* "" refuses all */
    bool is_mute;                  /* reads and answers nothing more */
    bool no_challenge;             /* Challenge is an error */
    size_t piece;                  /* bytes a write; 0: whole */
    char events[40], key[MD5_HEX + 1];
    /* All but Challenge, Login, Ping, Logoff. */
    void (*on_action)(struct ami_peer *p, const struct ami_message *m, void *arg);
    void *arg;
};

static inline void ami_peer_say(struct ami_peer *p, struct text t)
{
    while (p->stream && t.n > 0) {
        const struct text part = text_head(t, p->piece ? p->piece : t.n);

        if (stream_send_text(p->stream, part))
            return;
        t = text_skip(t, part.n);
    }
}

/* A message in lines "Name: value\r\n..."; the blank line is added, and the ActionID of m when given. */
static inline void ami_peer_message(struct ami_peer *p, const struct ami_message *m, const char *lines)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    if (m) {
        const char *rest = strstr(lines, "\r\n") + 2;

        buf_add(&b, lines, (size_t)(rest - lines));
        buf_addf(&b, "ActionID: %.*s\r\n%s", TEXT_ARG(ami_get(m, TEXT("ActionID"))), rest);
    } else {
        buf_addf(&b, "%s", lines);
    }
    buf_add_text(&b, TEXT("\r\n"));
    ami_peer_say(p, buf_text(&b));
    buf_free(&b);
}

static inline void ami_peer_login(struct ami_peer *p, const struct ami_message *m)
{
    bool good = text_eq(ami_get(m, TEXT("Username")), TEXT("u"));

    p->logins++;
    (void)text_copy(p->events, sizeof p->events, ami_get(m, TEXT("Events")));
    if (text_eq(ami_get(m, TEXT("AuthType")), TEXT("MD5"))) {
        md5_hex(TEXT("12345"), text_of(p->secret), p->key);
        good = good && text_eq(ami_get(m, TEXT("Key")), text_of(p->key)) && !ami_get(m, TEXT("Secret")).p;
    } else {
        good = good && text_eq(ami_get(m, TEXT("Secret")), text_of(p->secret));
    }
    if (good && p->secret[0]) {
        ami_peer_message(p, m, "Response: Success\r\nMessage: Authentication accepted\r\n");
        ami_peer_message(p, NULL, "Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n");
    } else {
        ami_peer_message(p, m, "Response: Error\r\nMessage: Authentication failed\r\n");
        stream_close(p->stream, 100);
    }
}

static inline void ami_peer_take(struct ami_peer *p, const struct ami_message *m)
{
    if (text_eq(m->name, TEXT("Challenge"))) {
        ami_peer_message(p, m, p->no_challenge ? "Response: Error\r\nMessage: Must specify AuthType\r\n" : "Response: Success\r\nChallenge: 12345\r\n");
    } else if (text_eq(m->name, TEXT("Login"))) {
        ami_peer_login(p, m);
    } else if (text_eq(m->name, TEXT("Ping"))) {
        p->pings++;
        ami_peer_message(p, m, "Response: Success\r\nPing: Pong\r\nTimestamp: 1.1\r\n");
    } else if (text_eq(m->name, TEXT("Logoff"))) {
        p->logoffs++;
        ami_peer_message(p, m, "Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n");
        stream_close(p->stream, 100);
    } else {
        p->actions++;
        p->on_action(p, m, p->arg);
    }
}

static inline void ami_peer_on_data(struct stream *s, struct text bytes, void *arg)
{
    struct ami_peer *p = arg;
    struct ami_message m;

    (void)s;
    while (!p->is_mute && ami_read(&p->reader, &bytes, &m) > 0)
        ami_peer_take(p, &m);
}

static inline void ami_peer_on_closed(struct stream *s, int err, void *arg)
{
    struct ami_peer *p = arg;

    (void)err;
    if (s == p->stream)
        p->stream = NULL;
    ref_drop(s);
}

static inline void ami_peer_on_accept(struct stream *s, void *arg)
{
    static const struct stream_handlers handlers = { .on_data = ami_peer_on_data, .on_closed = ami_peer_on_closed };
    struct ami_peer *p = arg;

    p->connections++;
    p->stream = s;
    ami_reader_free(&p->reader);
    ami_reader_init(&p->reader, AMI_FROM_CLIENT, 0);
    stream_handle(s, &handlers, p);
    if (p->banner)
        ami_peer_say(p, text_of(p->banner));
}

static inline void ami_peer_open(struct ami_peer *p, struct loop *l)
{
    struct address at = { .host = "127.0.0.1", .port = p->port };

    p->loop = l;
    p->banner = p->banner ? p->banner : "Asterisk Call Manager/11.0.0\r\n";
    p->secret = p->secret ? p->secret : "s";
    assert_int_equal(listener_open(&p->listener, l, &at, NULL, ami_peer_on_accept, p), 0);
    listener_address(p->listener, &at);
    p->port = at.port;
}

/* The connection breaks. */
static inline void ami_peer_lose(struct ami_peer *p)
{
    if (p->stream)
        stream_abort(p->stream);
}

/* Turn the loop a little afterwards. */
static inline void ami_peer_close(struct ami_peer *p)
{
    listener_close(p->listener);
    ami_peer_lose(p);
    ami_reader_free(&p->reader);
}
