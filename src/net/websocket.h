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
    /* Once, last. status: close code received or sent (1000 and more), the HTTP status of a refusal (below 1000), 0 when there was none
     * (lost). detail: one sentence; of a refusal other than 401 and 403 with the beginning of the server's own words. */
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
    bool confirms;                   /* what comes is acknowledged at once: for a peer that writes a frame in pieces, and waits (Nagle) */
};

/* 0, -EINVAL (url, connect_ms, a header that is not one line), -ENOBUFS (request over 16 KiB), -ENOMEM: then no handler runs.
 * A dialer that is freed while it dials ends it with -ECANCELED. */
int websocket_open(struct websocket **out, struct dialer *d, const struct websocket_options *opt,
                   const struct websocket_handlers *on, void *arg) MUST_USE;
/* The server's end, on a stream that was accepted just now (its reference is ours from here, also on error). When the request is whole,
 * on_request says what becomes of it: 101 opens; anything else is told as HTTP status with reply->body, and the connection ends.
 * url, user, password, headers and subprotocol of the options are not used. -EINVAL (connect_ms), -ENOMEM: then no handler runs. */
struct websocket_reply {
    char body[400];                  /* JSON */
};
typedef int websocket_on_request(struct text target, struct text authorization, struct websocket_reply *reply, void *arg);
int websocket_accept(struct websocket **out, struct stream *s, const struct websocket_options *opt, websocket_on_request *on_request,
                     const struct websocket_handlers *on, void *arg) MUST_USE;
/* Either end, on a stream whose handshake is over (its reference is ours from here, also on error). on_open does not run.
 * Only ping_ms, message_max and queue_max of the options are used. -ENOMEM: then no handler runs. */
int websocket_adopt(struct websocket **out, struct stream *s, bool is_server, const struct websocket_options *opt,
                    const struct websocket_handlers *on, void *arg) MUST_USE;
/* Stops reading for good, pings and all: back pressure, and how a dead peer looks. */
void websocket_deafen(struct websocket *w);
/* Ends the connection without a close frame, as a lost network does; on_closed follows. */
void websocket_abort(struct websocket *w);
/* 0, -ENOBUFS over the ceiling (nothing taken; wait for on_drain), -EMSGSIZE when larger than the ceiling alone, -ENOMEM,
 * -EPIPE when not open. Text has to be UTF-8. */
int websocket_send(struct websocket *w, bool is_text, struct text message) MUST_USE;
/* Orderly close, after what was sent; on_closed follows within two seconds, and no message before it. A status that may not
 * be sent counts as 1000; reason may be NULL and is cut at 123 bytes. Safe to call twice and before on_open. */
void websocket_close(struct websocket *w, int status, const char *reason);
