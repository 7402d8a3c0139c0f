/* What the stand-ins for services have in common: a WebSocket port, its clients up to a ceiling, a script, what is told of them, and how they fail.
 * ws:// or wss:// on one loop. Which service it is, a kind says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/listener.h"
#include "net/websocket.h"
#include "sim/service_script.h"

struct sim_client;
struct sim_service;

enum sim_fault {
    SIM_FAULT_NONE, SIM_FAULT_401, SIM_FAULT_429, SIM_FAULT_QUOTA, SIM_FAULT_500,  /* answers to the upgrade */
    SIM_FAULT_SLOW,            /* the first message only after 30 s */
    SIM_FAULT_STALL,           /* mid-word nothing more, the connection lives */
    SIM_FAULT_CLOSE,           /* mid-word close 1011 */
    SIM_FAULT_LOST,            /* mid-word the connection is gone without a close frame */
    SIM_FAULT_HALF_OPEN,       /* mid-word deaf and mute: no pong either */
    SIM_FAULT_BURST,           /* the whole answer at once, in odd pieces */
    SIM_FAULT_GARBAGE,         /* what should be audio, or JSON, is not */
    SIM_FAULT_DRIFT,           /* new events, new fields, older names */
    SIM_FAULT_ALIEN,           /* fields of other types than they should have */
    SIM_FAULT_ERROR,           /* an error event in each answer */
    SIM_FAULT_FAILED,          /* an answer fails: rate limit, or its model cannot be reached */
    SIM_FAULT_NO_MONEY,        /* an answer fails: quota */
    SIM_FAULT_EXPIRED,         /* mid-word the session is too old */
    SIM_FAULT_404,             /* the upgrade is answered: no such model */
    SIM_FAULT_REFUSED,         /* the settings of the session are refused */
    SIM_FAULT_POLICY,          /* mid-word close 1008 */
    SIM_FAULT_OLD,             /* a session that ends in five minutes and two seconds (openai) */
};

/* "401" "close" ...; SIM_FAULT_NONE with *ok false for an unknown one. */
enum sim_fault sim_fault_parse(struct text name, bool *ok);
const char *sim_fault_name(size_t i);          /* NULL behind the last; i from 0 */

struct sim_service_options {
    struct text script;        /* absent: a built-in one; see service_script.h */
    const char *script_name;
    const char *voice;         /* "slt" */
    enum sim_fault fault;
    unsigned fault_count;      /* sessions that have it, the first ones; 0: all */
    unsigned speed;            /* times real time that audio leaves at; 0 = 4 */
    const char *key;           /* the right one; NULL: any */
    const char *cert_file, *key_file; /* PEM: then wss://; NULL: ws:// */
    bool echoes;               /* openai: each answer is what the caller says, at once and for ever; for measurements */
    int64_t idle_ms;           /* without audio or a message; 0 = as the service has it */
    const struct address *http; /* a second port for the endpoints over HTTP, where the service has them; NULL: none */
};

/* Which service. */
struct sim_service_kind {
    const char *name;          /* "openai" */
    const char *paths;         /* what an operator is told to connect to, each behind a blank: "/v1/realtime" */
    const char *script;        /* the built-in one */
    /* A client has connected; the stream's reference is its own. */
    int (*accept)(struct sim_service *s, struct stream *stream);
    /* The same at the port for HTTP; NULL: there is none. */
    int (*accept_http)(struct sim_service *s, struct stream *stream);
    /* Its timers stop, then sim_client_leave. */
    void (*end)(struct sim_client *c);
};
extern const struct sim_service_kind sim_service_openai;
extern const struct sim_service_kind sim_service_deepgram;

/* what: "session" "refused" "complaint" "closed" and those of each kind; detail: a JSON object. */
typedef void sim_service_on_moment(const char *what, struct text detail, void *arg);

/* Synthesises the script's sentences first: may take a while. problem: malloc'ed, of a script that cannot be read (-EINVAL). -ENOENT, -EKEYREJECTED: the
 * certificate or its key. */
int sim_service_open(struct sim_service **out, struct loop *l, const struct address *at, const struct sim_service_kind *kind,
                     const struct sim_service_options *opt, sim_service_on_moment *on_moment, void *arg, char **problem) MUST_USE;
void sim_service_address(const struct sim_service *s, struct address *out);
/* False: it has no port for HTTP. */
bool sim_service_http_address(const struct sim_service *s, struct address *out);
/* Ends all sessions; no handler runs any more. */
void sim_service_close(struct sim_service *s);
