/* The opening handshake of a WebSocket (RFC 6455 section 4): addresses, request, answer. Pure: bytes and values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum {
    WS_KEY_TEXT = 24,     /* 16 bytes in base64 */
    WS_ACCEPT_TEXT = 28,  /* 20 bytes in base64 */
    WS_HEAD_MAX = 16384,  /* of a request or an answer */
};

/* Parts borrow from the text that was parsed. */
struct ws_url {
    bool is_tls;
    struct text host;     /* with its brackets, if it is IPv6 */
    uint16_t port;
    struct text target;   /* "/path?query"; absent: "/" */
};

/* ws:// or wss://, no user, no fragment. 0 or -EINVAL. */
int ws_url_parse(struct text t, struct ws_url *out) MUST_USE;

void ws_key_make(char out[WS_KEY_TEXT + 1]);
/* What the other side has to answer to a key. 0 or -ENOMEM. */
int ws_accept_make(struct text key, char out[WS_ACCEPT_TEXT + 1]) MUST_USE;

struct ws_request {
    struct ws_url url;
    const char *key;
    const char *user, *password;   /* Basic; NULL: none */
    const char *const *headers;    /* "Name: value", NULL-terminated; may be NULL */
    const char *subprotocol;       /* may be NULL */
};

/* 0, -EINVAL for a header that is not one line "Name: value", -ENOBUFS or -ENOMEM as out says. */
int ws_request_write(struct buf *out, const struct ws_request *r) MUST_USE;

/* Checks a whole answer head, blank line included. 0, -EACCES (401, 403), -EPROTO, -ENOMEM; then detail says why. */
int ws_answer_check(struct text head, const char *key, const char *subprotocol, char *detail, size_t size) MUST_USE;
/* The HTTP status of such a head, 0 when it has none. */
int ws_answer_status(struct text head);

/* What a client asked for; parts borrow from its head. */
struct ws_asked {
    struct text target;   /* "/path?query" */
    struct text key;
    struct text authorization; /* absent: none */
    struct text head;     /* all of it */
};

/* The other side of it: checks a whole request head, blank line included. 0 or -EPROTO; then detail says why. */
int ws_request_check(struct text head, struct ws_asked *out, char *detail, size_t size) MUST_USE;
/* The answer that opens. 0, or out's sticky error. */
int ws_answer_write(struct buf *out, struct text key) MUST_USE;
