/* What ami_client.c and ami_request.c share; nobody else includes this. */
#pragma once

#include <utlist.h>

#include "base/ref.h"
#include "pbx/ami_client.h"

enum ami_state { AMI_WAITING, AMI_CONNECTING, AMI_GREETING, AMI_CHALLENGED, AMI_LOGGING_IN, AMI_UP, AMI_DROPPING, AMI_CLOSING, AMI_CLOSED };

struct ami_request {
    struct ami_request *prev, *next;
    struct ami_client *client;
    uint64_t number;               /* its ActionID is the connection's prefix and this */
    int64_t until_ms;
    bool is_list, has_begun;       /* "EventList: start" was seen */
    size_t items;
    ami_on_item *on_item;
    ami_on_answer *on_answer;      /* NULL: nobody asks */
    void *arg;
};

enum { AMI_PREFIX_MAX = 40 };

struct ami_client {
    enum ami_state state;
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    struct dial *dial;             /* CONNECTING */
    struct stream *stream;         /* from GREETING until its on_closed */
    struct timer *timer;           /* the state's: next attempt, login, ping, farewell */
    struct timer *deadline;        /* the oldest request's */
    struct ami_reader reader;
    char *node, *url, *user, *secret, *events;
    struct secret_again again;
    bool is_plain, is_booted, is_shutting_down, has_told_down;
    int64_t connect_ms, login_ms, action_ms, ping_ms, retry_max_ms, pause_ms;
    size_t actions_max, list_max;
    unsigned failures;             /* attempts in a row */
    int down_err;                  /* why the connection is being dropped */
    char down_why[200];
    char prefix[AMI_PREFIX_MAX + 1]; /* of ActionIDs; fresh for each connection */
    uint64_t numbers;
    struct ami_request *requests;  /* in order of sending, so of deadline too */
    struct ami_figures figures;
    struct ami_handlers on;
    void *arg;
};

/* Sends without asking for the state; priority requests pass the ceiling. */
int ami_request_send(struct ami_request **out, struct ami_client *c, struct ami_writer *w, ami_on_item *on_item,
                     ami_on_answer *on_answer, void *arg, bool has_priority) MUST_USE;
/* True when the message belongs to a request; its handlers have run then. */
bool ami_request_take(struct ami_client *c, const struct ami_message *m);
void ami_requests_end(struct ami_client *c, int err);
void ami_requests_on_time(void *arg);
