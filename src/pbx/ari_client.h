/* One node's ARI: the event WebSocket of one application, opened by us (and kept up with back-off) or by Asterisk, and REST requests
 * over it or over HTTP. Thread: its loop (the control loop). Handlers never run from inside a call you make. */
#pragma once

#include "net/dialer.h"
#include "net/listener.h"
#include "pbx/secret_again.h"
#include "wire/ari.h"

struct ari_client;
struct ari_request;

/* Which way requests go. AUTO: the WebSocket where Asterisk answers there and owes nothing; lists (GET), whose answers are large, and
 * everything else over HTTP, as far as there is a base_url. */
enum ari_rest { ARI_REST_AUTO, ARI_REST_WEBSOCKET, ARI_REST_HTTP };

struct ari_options {
    const char *node;              /* for logs */
    const char *base_url;          /* "http://127.0.0.1:8088"; NULL only with listen: then requests go over the WebSocket */
    const char *app, *user, *password;
    struct secret_again again;     /* asked after a refusal (a refused request is then sent once more); zeros: nobody is */
    /* Where Asterisk opens the event WebSocket to us (its outbound_websocket, persistent or for each call), with user and password as
     * ours; host "": we open it. */
    struct address listen;
    bool per_call;                 /* Asterisk opens one for each call only: up means that we listen */
    enum ari_rest rest;            /* without base_url: as ARI_REST_WEBSOCKET */
    int64_t connect_ms;            /* 0 = 3000 */
    int64_t request_ms;            /* 0 = 5000: Asterisk can block a request for as long as a channel is busy */
    int64_t retry_max_ms;          /* 0 = 10,000: ceiling of the back-off, with jitter */
};

struct ari_handlers {
    /* Connected (again): nothing is replayed by Asterisk, so the handler asks what is inside and adopts or hands back. */
    void (*on_up)(void *arg);
    /* -EADDRINUSE: another program has the application name now; our calls are told to that one. */
    void (*on_down)(int err, const char *detail, void *arg);
    void (*on_event)(const struct ari_event *e, void *arg);
    /* The connection of one call's application ("app:PJSIP/a-1") came or went. Asterisk opens a lost one again. May be NULL. */
    void (*on_call_link)(const char *app, bool is_up, void *arg);
    void (*on_closed)(void *arg);  /* after ari_close, last */
};

int ari_open(struct ari_client **out, struct loop *l, struct dialer *d, const struct ari_options *opt,
             const struct ari_handlers *on, void *arg, const struct log *log) MUST_USE;
void ari_close(struct ari_client *c); /* pending requests end with -ECANCELED; on_closed is last */
bool ari_is_up(const struct ari_client *c);
/* Does a connection carry the events of this application of one call? */
bool ari_has_call_link(const struct ari_client *c, const char *app);
/* Where it listens; false when it does not. */
bool ari_listening(const struct ari_client *c, struct address *out);

/* path: "channels/%s/answer" already percent-encoded where needed, without leading slash, query included. json_body may be TEXT_NONE.
 * err 0: status and body are set. A status of 400 or more is an answer, not an error. -ETIMEDOUT, -ECONNRESET: it may have been carried
 * out all the same. Runs once. */
typedef void ari_on_answer(int err, int status, struct text body, void *arg);
/* 0, -ENOBUFS (256 under way), -ENOTCONN (no HTTP, and no connection), -EMSGSIZE, -ENOMEM. on_answer and out may be NULL when the outcome does not matter. */
int ari_send(struct ari_request **out, struct ari_client *c, const char *method, const char *path, struct text json_body,
             ari_on_answer *on_answer, void *arg) MUST_USE;
/* Before on_answer only: the request goes on, but the handler does not run. NULL passes. */
void ari_forget(struct ari_request *r);
