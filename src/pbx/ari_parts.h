/* What ari_client.c and ari_request.c share; nobody else includes this. */
#pragma once

#include "pbx/ari_client.h"
#include "pbx/ari_link.h"

enum { ARI_URL_MAX = 4000 /* Asterisk's own limit is 4096 bytes a line */ };

enum ari_state { ARI_WAITING, ARI_CONNECTING, ARI_UP, ARI_REPLACED, ARI_CLOSING, ARI_CLOSED };

struct ari_request {
    struct ari_request *prev, *next;
    struct ari_client *client;
    struct http_request *http;     /* NULL: it went over a WebSocket */
    char *method, *path, *body;    /* of one that went over HTTP, to be sent once more after a 401; body NULL: none */
    unsigned passwords;            /* how many the client had had when it was sent */
    bool was_refused;
    ari_on_answer *on_answer;      /* NULL: nobody asks */
    void *arg;
};

/* One connection, whoever opened it. */
struct ari_line {
    struct ari_line *prev, *next;
    struct ari_client *client;
    struct ari_link *link;
    char peer[80];
};

struct ari_client {
    enum ari_state state;
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    struct listener *listener;     /* NULL: we open the connection */
    struct ari_line *lines, *events;   /* events: the one of the application itself; NULL: none */
    struct timer *timer;           /* the next attempt; in REPLACED the next look; in CLOSING the farewell */
    char *node, *base_url, *events_url, *app, *user, *password, *credentials;
    struct secret_again again;
    enum ari_rest rest;
    bool per_call;
    int64_t connect_ms, request_ms, retry_max_ms, pause_ms;
    int64_t up_since_ms;
    unsigned failures;             /* attempts in a row */
    unsigned passwords;            /* exchanged so far */
    unsigned strangers;            /* connections without our credentials */
    bool is_taken, is_asking;      /* the name was another program's when we looked last; and we are looking */
    struct ari_request *requests;
    size_t count;
    struct ari_handlers on;
    void *arg;
};

bool ari_is_ending(const struct ari_client *c);
/* After a refusal: is there another password now? Then it is the client's from here. */
bool ari_password_again(struct ari_client *c);

/* ari_request.c. A request that was begun is sent, or freed by who began it; it is linked once it is on its way. */
int ari_request_begin(struct ari_request **out, struct ari_client *c, ari_on_answer *on_answer, void *arg) MUST_USE;
void ari_request_link(struct ari_request *r);
/* Unlinks it, frees it, then tells its handler. */
void ari_request_end(struct ari_request *r, int err, int status, struct text body);
/* Of one that is not linked. */
void ari_request_free(struct ari_request *r);
int ari_request_http(struct ari_request *r, const char *method, const char *path, struct text json_body) MUST_USE;
