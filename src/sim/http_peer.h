/* A stand-in's end of an HTTP/1.1 connection: requests come whole, answers leave whole or in chunks, one after the other. Counted. Loop thread;
 * handlers never run from inside a call you make. Bounded: a head of 16 KiB, a body of 8 MiB, 10 s for a request. */
#pragma once

#include <stdbool.h>

#include "net/stream.h"

struct http_peer;

struct http_ask {                  /* borrowed for the call */
    struct text method, path;      /* the path without its query */
    struct text authorization, content_type; /* absent: none */
    struct text body;
};

struct http_peer_handlers {
    /* Answer now or later; no other request comes before that is done. */
    void (*on_request)(struct http_peer *p, const struct http_ask *ask, void *arg);
    /* What came was no request; it has been answered with status. */
    void (*on_refused)(struct http_peer *p, int status, const char *why, void *arg);
    void (*on_closed)(struct http_peer *p, void *arg); /* last, whoever ended it */
};

/* The stream's reference is ours from here, also on error. -ENOMEM. */
int http_peer_new(struct http_peer **out, struct stream *s, const struct http_peer_handlers *on, void *arg) MUST_USE;
/* headers: more of them, each with its line's end; may be "". */
void http_peer_answer(struct http_peer *p, int status, const char *headers, const char *type, struct text body);
/* In chunks: 200, then pieces, then the end. False: the connection is gone, or the client does not read (it is ended then). */
bool http_peer_begin(struct http_peer *p, const char *type);
bool http_peer_piece(struct http_peer *p, struct text bytes);
void http_peer_finish(struct http_peer *p);
/* The connection ends: in order, as a lost network does, or it only looks alive. */
void http_peer_close(struct http_peer *p);
void http_peer_abort(struct http_peer *p);
void http_peer_deafen(struct http_peer *p);
