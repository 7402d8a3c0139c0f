/* A WebSocket over a stream: the opening handshake is ours, the frames are wslay's. Counted. Loop thread.
 * Pings are answered by itself; it sends its own every ping_ms and gives up when nothing came back for two of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/dialer.h"

struct websocket;

struct websocket_handlers {
    void (*on_open)(struct websocket *w, void *arg);
    /* A whole message; borrowed for the call. */
    void (*on_message)(struct websocket *w, bool is_text, struct text message, void *arg);
    void (*on_drain)(struct websocket *w, void *arg);
    /* Once, last. status: close code received or sent, 0 when there was none (lost, refused). detail: one sentence. */
    void (*on_closed)(struct websocket *w, int err, int status, const char *detail, void *arg);
};

struct websocket_options {
    const char *url;                 /* ws:// or wss:// */
    const char *user, *password;     /* Basic; NULL: none */
    const char *const *headers;      /* more "Name: value", NULL-terminated; may be NULL */
    const char *subprotocol;         /* NULL: none; otherwise the answer must name it or nothing */
    int64_t connect_ms;              /* connect and handshake */
    int64_t ping_ms;                 /* 0: none */
    size_t message_max;              /* 0 = 1 MiB; more is closed with 1009 */
    size_t queue_max;                /* unsent bytes; 0 = 1 MiB */
};

/* 0, -EINVAL (url, connect_ms, a header that is not one line), -ENOBUFS (request over 16 KiB), -ENOMEM: then no handler runs.
 * A dialer that is freed while it dials ends it with -ECANCELED. */
int websocket_open(struct websocket **out, struct dialer *d, const struct websocket_options *opt,
                   const struct websocket_handlers *on, void *arg) MUST_USE;
/* 0, -ENOBUFS over the ceiling (nothing taken; wait for on_drain), -EMSGSIZE when larger than the ceiling alone, -ENOMEM,
 * -EPIPE when not open. Text has to be UTF-8. */
int websocket_send(struct websocket *w, bool is_text, struct text message) MUST_USE;
/* Orderly close, after what was sent; on_closed follows within two seconds, and no message before it. A status that may not
 * be sent counts as 1000; reason may be NULL and is cut at 123 bytes. Safe to call twice and before on_open. */
void websocket_close(struct websocket *w, int status, const char *reason);
