/* One AMI session: logged in and kept up with back-off; actions matched to their answers; events handed on as parsed.
 * Thread: the loop it was opened on, and any loop will do: whoever reads much (the tap) gives it one of its own. Counted by the client
 * itself. Handlers never run from inside a call you make. */
#pragma once

#include "net/dialer.h"
#include "pbx/secret_again.h"
#include "wire/ami.h"

struct ami_client;
struct ami_request;

struct ami_options {
    const char *node;              /* for logs */
    const char *url;               /* "tcp://host:port" or "tls://host:port" */
    const char *user, *secret;
    struct secret_again again;     /* asked after a refused login; zeros: nobody is */
    const char *events;            /* "on", "off", or classes: "agi,call". An unknown class silently stops all events */
    bool is_plain;                 /* log in with the secret itself instead of MD5 of a challenge */
    int64_t connect_ms;            /* 0 = 3000 */
    int64_t login_ms;              /* banner to accepted: 0 = 5000 (Asterisk takes 1 s to refuse) */
    int64_t action_ms;             /* longest wait for an answer, or a list's end: 0 = 5000 */
    int64_t ping_ms;               /* 0 = 15,000; a ping unanswered for action_ms ends the connection */
    int64_t retry_max_ms;          /* ceiling of the back-off, with jitter: 0 = 10,000 */
    size_t actions_max;            /* outstanding at one time: 0 = 256 */
    size_t list_max;               /* items of one list: 0 = 10,000 */
};

struct ami_handlers {
    /* Logged in (again). Asterisk replays nothing: ask what there is. It may still be booting: FullyBooted comes as an event. */
    void (*on_up)(void *arg);
    /* Was up and is not, or an attempt failed for the first time in a row. err: -EACCES for a refused login, -ESHUTDOWN after
     * Asterisk's Shutdown event, else the network's. Outstanding requests have ended with -EPIPE before. */
    void (*on_down)(int err, const char *why, void *arg);
    /* AMI_EVENT, or AMI_FORGED; borrowed for the call. List items do not come here. */
    void (*on_event)(const struct ami_message *m, void *arg);
    void (*on_closed)(void *arg);  /* after ami_close, last */
};

struct ami_figures {
    uint64_t connects, events, forged, cut, duplicates, timeouts, strays; /* strays: answers nobody waits for */
    size_t outstanding;
};

int ami_open(struct ami_client **out, struct loop *l, struct dialer *d, const struct ami_options *opt,
             const struct ami_handlers *on, void *arg, const struct log *log) MUST_USE;
/* Logs off; outstanding requests end with -ECANCELED; on_closed is last. Safe to call twice. */
void ami_close(struct ami_client *c);
bool ami_is_up(const struct ami_client *c);
bool ami_is_booted(const struct ami_client *c);   /* FullyBooted was seen on this connection (needs read=system) */
void ami_figures(const struct ami_client *c, struct ami_figures *out);

/* err 0 and the response, or of a list its completion event (an Error response when it was refused: see ami_succeeded);
 * -ETIMEDOUT; -EPIPE: the connection ended; -EMSGSIZE: more than list_max items; -ECANCELED. Runs once. */
typedef void ami_on_answer(int err, const struct ami_message *m, void *arg);
typedef void ami_on_item(const struct ami_message *m, void *arg);

/* Adds an ActionID nobody can guess, and sends. w is finished by this; on_answer may be NULL. on_item not NULL: a list is expected.
 * 0, -EPIPE (not up), -ENOBUFS (actions_max outstanding, or the peer does not read), -ENOMEM, or the writer's error. */
int ami_send(struct ami_request **out, struct ami_client *c, struct ami_writer *w, ami_on_item *on_item,
             ami_on_answer *on_answer, void *arg) MUST_USE;
/* Before on_answer only: the action goes on, but handlers do not run. NULL passes. */
void ami_forget(struct ami_request *r);
/* "Response: Success" or a list's end. */
bool ami_succeeded(const struct ami_message *m);
