/* One node's ARI: the event WebSocket of one application, kept up with back-off, and REST requests over HTTP.
 * Thread: its loop (the control loop). Handlers never run from inside a call you make. */
#pragma once

#include "net/dialer.h"
#include "wire/ari.h"

struct ari_client;
struct ari_request;

struct ari_options {
    const char *node;              /* for logs */
    const char *base_url;          /* "http://127.0.0.1:8088" */
    const char *app, *user, *password;
    int64_t connect_ms;            /* 0 = 3000 */
    int64_t request_ms;            /* 0 = 5000: Asterisk can block a request for as long as a channel is busy */
    int64_t retry_max_ms;          /* 0 = 10,000: ceiling of the back-off, with jitter */
};

struct ari_handlers {
    /* Connected (again): nothing is replayed by Asterisk, so the handler asks what is inside and adopts or hands back. */
    void (*on_up)(void *arg);
    void (*on_down)(int err, const char *detail, void *arg);
    void (*on_event)(const struct ari_event *e, void *arg);
    void (*on_closed)(void *arg);  /* after ari_close, last */
};

int ari_open(struct ari_client **out, struct loop *l, struct dialer *d, const struct ari_options *opt,
             const struct ari_handlers *on, void *arg, const struct log *log) MUST_USE;
void ari_close(struct ari_client *c); /* pending requests end with -ECANCELED; on_closed is last */
bool ari_is_up(const struct ari_client *c);

/* path: "channels/%s/answer" already percent-encoded where needed, without leading slash, query included. json_body may be TEXT_NONE.
 * err 0: status and body are set. A status of 400 or more is an answer, not an error. Runs once. */
typedef void ari_on_answer(int err, int status, struct text body, void *arg);
/* 0, -ENOBUFS (256 under way), -ENOMEM. on_answer and out may be NULL when the outcome does not matter. */
int ari_send(struct ari_request **out, struct ari_client *c, const char *method, const char *path, struct text json_body,
             ari_on_answer *on_answer, void *arg) MUST_USE;
/* Before on_answer only: the request goes on, but the handler does not run. NULL passes. */
void ari_forget(struct ari_request *r);
