/* One WebSocket that carries ARI, whoever opened it: events come, and requests go where Asterisk answers them there.
 * Counted; loop thread. Handlers never run from inside a call you make. */
#pragma once

#include "net/dialer.h"
#include "net/websocket.h"
#include "wire/ari.h"

struct ari_link;


/* err 0: status and body (borrowed) are set. -ETIMEDOUT: no answer in time, so nobody knows whether it was carried out; -ECONNRESET: the
 * connection ended before the answer, the same. Runs once. */
typedef void ari_link_on_answer(int err, int status, struct text body, void *arg);

struct ari_link_handlers {
    /* It can be used: opened by us, or opened by Asterisk and named (its first event tells the application). */
    void (*on_ready)(struct ari_link *k, void *arg);
    void (*on_event)(struct ari_link *k, const struct ari_event *e, void *arg);
    /* What ari_link_probe found out; true may follow a false, when the answer was only late. */
    void (*on_rest)(struct ari_link *k, bool is_offered, void *arg);
    /* Once, last. Requests under way have ended before. status: as websocket.h says. */
    void (*on_closed)(struct ari_link *k, int err, int status, const char *detail, void *arg);
};

struct ari_link_options {
    int64_t open_ms;               /* connect and handshake, and of an accepted one the name */
    int64_t request_ms;
    const struct log *log;         /* outlives it */
    const char *node;              /* for logs; outlives it */
};

/* url: ws:// or wss://. 0, or as websocket_open: then no handler runs. */
int ari_link_dial(struct ari_link **out, struct dialer *d, struct loop *l, const char *url, const char *user, const char *password,
                  const struct ari_link_options *opt, const struct ari_link_handlers *on, void *arg) MUST_USE;
/* A stream that was accepted just now (its reference is ours from here, also on error). credentials: what the header Authorization must
 * say, whole; compared in constant time; outlives the handshake. */
int ari_link_accept(struct ari_link **out, struct stream *s, const char *credentials, const struct ari_link_options *opt,
                    const struct ari_link_handlers *on, void *arg) MUST_USE;
/* The application that the first event named; "" until then, and of one that we opened until its first event. */
const char *ari_link_app(const struct ari_link *k);
bool ari_link_is_ready(const struct ari_link *k);
/* Where Asterisk is known to answer requests, and owes none past its deadline: one that it is stuck in holds up all behind it. */
bool ari_link_has_rest(const struct ari_link *k);
/* Asks whether requests are answered here: on_rest tells. */
void ari_link_probe(struct ari_link *k);
/* 0, -EPIPE (not ready), -EMSGSIZE (over ARI_REQUEST_MAX), -ENOBUFS, -ENOMEM. */
int ari_link_ask(struct ari_link *k, const char *method, const char *path, struct text json_body, ari_link_on_answer *on_answer,
                 void *arg) MUST_USE;
/* Orderly close; on_closed follows. Safe to call twice. */
void ari_link_close(struct ari_link *k, int status, const char *reason);
