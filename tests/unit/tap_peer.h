/* Plays Asterisk's manager port for the tap: any number of connections on the test's loop, told apart by their user. Include after cmocka.h. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "net/listener.h"
#include "wire/ami.h"
#include "wire/md5.h"

struct tap_peer;

struct tap_conn {
    struct tap_peer *peer;
    struct stream *stream;         /* NULL: gone */
    struct ami_reader reader;
    char user[32];                 /* "" before the login */
};

struct tap_peer {
    struct listener *listener;
    struct tap_conn *conns[64];
    size_t count;
    uint16_t port;
    unsigned logins, pings, challenges;
    bool is_mute;                  /* answers nothing more */
    const char *ping_time;         /* Timestamp of the answer to Ping */
    const char *before_pong;       /* events right before that answer; NULL: none */
    int pongs_plain;               /* so many answers come without them first */
    char events[64];
    /* All but Challenge, Login, Ping, Logoff. */
    void (*on_action)(struct tap_conn *c, const struct ami_message *m, void *arg);
    void *arg;
};

static inline void tap_conn_say(struct tap_conn *c, const char *bytes)
{
    if (c && c->stream)
        assert_int_equal(stream_send_text(c->stream, text_of(bytes)), 0);
}

/* Lines "Name: value\r\n...", with the action's id behind the first; the blank line is added. */
static inline void tap_conn_answer(struct tap_conn *c, const struct ami_message *m, const char *lines)
{
    const char *rest = strstr(lines, "\r\n") + 2;
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_add(&b, lines, (size_t)(rest - lines));
    buf_addf(&b, "ActionID: %.*s\r\n%s\r\n", TEXT_ARG(ami_get(m, TEXT("ActionID"))), rest);
    if (c->stream)
        assert_int_equal(stream_send_text(c->stream, buf_text(&b)), 0);
    buf_free(&b);
}

static inline void tap_conn_login(struct tap_conn *c, const struct ami_message *m)
{
    const struct text user = ami_get(m, TEXT("Username"));
    char key[MD5_HEX + 1];
    bool is_good;

    c->peer->logins++;
    md5_hex(TEXT("12345"), TEXT("s"), key);
    is_good = text_eq(ami_get(m, TEXT("Key")), text_of(key)) || text_eq(ami_get(m, TEXT("Secret")), TEXT("s"));
    if (!is_good) {
        tap_conn_answer(c, m, "Response: Error\r\nMessage: Authentication failed\r\n");
        stream_close(c->stream, 100);
        return;
    }
    (void)text_copy(c->user, sizeof c->user, user);
    tap_conn_answer(c, m, "Response: Success\r\nMessage: Authentication accepted\r\n");
    if (text_eq(ami_get(m, TEXT("Events")), TEXT("off")))
        return;
    (void)text_copy(c->peer->events, sizeof c->peer->events, ami_get(m, TEXT("Events")));
}

static inline void tap_conn_take(struct tap_conn *c, const struct ami_message *m)
{
    char line[120];

    if (text_eq(m->name, TEXT("Challenge"))) {
        c->peer->challenges++;
        tap_conn_answer(c, m, "Response: Success\r\nChallenge: 12345\r\n");
    } else if (text_eq(m->name, TEXT("Login"))) {
        tap_conn_login(c, m);
    } else if (text_eq(m->name, TEXT("Ping"))) {
        c->peer->pings++;
        if (c->peer->before_pong && c->peer->pongs_plain-- == 0)
            tap_conn_say(c, c->peer->before_pong);
        snprintf(line, sizeof line, "Response: Success\r\nPing: Pong\r\nTimestamp: %s\r\n", c->peer->ping_time);
        tap_conn_answer(c, m, line);
    } else if (text_eq(m->name, TEXT("Logoff"))) {
        tap_conn_answer(c, m, "Response: Goodbye\r\nMessage: Thanks for all the fish.\r\n");
        stream_close(c->stream, 100);
    } else {
        c->peer->on_action(c, m, c->peer->arg);
    }
}

static inline void tap_conn_on_data(struct stream *s, struct text bytes, void *arg)
{
    struct tap_conn *c = arg;
    struct ami_message m;

    (void)s;
    while (!c->peer->is_mute && ami_read(&c->reader, &bytes, &m) > 0)
        tap_conn_take(c, &m);
}

static inline void tap_conn_on_closed(struct stream *s, int err, void *arg)
{
    struct tap_conn *c = arg;

    (void)err;
    c->stream = NULL;
    c->user[0] = '\0';
    ref_drop(s);
}

static inline void tap_peer_on_accept(struct stream *s, void *arg)
{
    static const struct stream_handlers handlers = { .on_data = tap_conn_on_data, .on_closed = tap_conn_on_closed };
    struct tap_peer *p = arg;
    struct tap_conn *c = calloc(1, sizeof *c);

    assert_non_null(c);
    assert_true(p->count < sizeof p->conns / sizeof *p->conns);
    c->peer = p;
    c->stream = s;
    ami_reader_init(&c->reader, AMI_FROM_CLIENT, 0);
    p->conns[p->count++] = c;
    stream_handle(s, &handlers, c);
    if (!p->is_mute)
        tap_conn_say(c, "Asterisk Call Manager/11.0.0\r\n");
}

static inline void tap_peer_open(struct tap_peer *p, struct loop *l)
{
    struct address at = { .host = "127.0.0.1", .port = p->port };

    p->ping_time = p->ping_time ? p->ping_time : "1795379341.000000";
    assert_int_equal(listener_open(&p->listener, l, &at, NULL, tap_peer_on_accept, p), 0);
    listener_address(p->listener, &at);
    p->port = at.port;
}

/* The live session of that user; NULL: none. */
static inline struct tap_conn *tap_peer_of(struct tap_peer *p, const char *user)
{
    for (size_t i = p->count; i-- > 0;)
        if (p->conns[i]->stream && !strcmp(p->conns[i]->user, user))
            return p->conns[i];
    return NULL;
}

static inline void tap_peer_lose_all(struct tap_peer *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->conns[i]->stream)
            stream_abort(p->conns[i]->stream);
}

/* Call, turn the loop a little, then tap_peer_free. */
static inline void tap_peer_close(struct tap_peer *p)
{
    listener_close(p->listener);
    p->listener = NULL;
    tap_peer_lose_all(p);
}

static inline void tap_peer_free(struct tap_peer *p)
{
    for (size_t i = 0; i < p->count; i++) {
        ami_reader_free(&p->conns[i]->reader);
        free(p->conns[i]);
    }
    p->count = 0;
}
