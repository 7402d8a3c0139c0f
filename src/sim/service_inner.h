/* What a stand-in for a service shares with its clients; only src/sim includes this. */
#pragma once

#include "ai/tts_cache.h"
#include "net/tls_server.h"
#include "sim/service.h"

enum { SIM_SLOW_MS = 30000 };

struct sim_service {
    struct loop *loop;
    const struct sim_service_kind *kind;
    struct listener *listener, *http_listener; /* the second may be NULL */
    struct tts_cache *said;        /* over HTTP: what was spoken once */
    size_t heard;                  /* lines of the script that were understood over HTTP */
    struct service_script script;
    struct sim_service_options opt;
    char *key;
    struct tls_server *tls;        /* NULL: ws:// */
    unsigned sessions;             /* so far */
    struct sim_client *first;
    size_t live;
    sim_service_on_moment *on_moment;
    void *arg;
};

struct sim_client {                /* first member of each kind's; counted (base/ref.h) */
    struct sim_service *server;    /* NULL: the server is gone */
    struct sim_client *next, **link;
    struct websocket *ws;          /* NULL: over HTTP */
    void (*end)(struct sim_client *c); /* NULL: as the kind has it */
    unsigned number;
    enum sim_fault fault;
};

/* Counts it, gives it its fault, and shakes hands. The stream is the client's from here, also on error. */
int sim_client_enter(struct sim_client *c, struct sim_service *server, struct stream *stream, websocket_on_request *on_request,
                     const struct websocket_handlers *on);
/* The parts of that, for clients without a WebSocket: a session begins; the server knows it. */
void sim_client_begin(struct sim_client *c, struct sim_service *server);
void sim_client_join(struct sim_client *c, struct sim_service *server);
/* No more moments of it; its connection ends. */
void sim_client_leave(struct sim_client *c);
/* For on_closed: lets go of the WebSocket; kind's end and the last ref_drop are the caller's. */
void sim_client_closed(struct sim_client *c);

void sim_client_moment(struct sim_client *c, const char *what, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A text message. A full queue is a moment. */
void sim_client_send(struct sim_client *c, struct text message);
/* The answer to an upgrade that fails by the fault or for its key: status, 0 when it may go on. scheme: "Bearer ", "Token ". */
int sim_client_judge(const struct sim_client *c, struct text authorization, struct text scheme);
/* The faults that any connection can have, once it is mid-word. True: nothing more is said. */
bool sim_client_strike(struct sim_client *c);
/* words as the inside of a JSON string, cut to fit. */
void sim_json(char *out, size_t size, struct text words);

/* openai_http.c: a client of the endpoints over HTTP. */
int sim_openai_http_accept(struct sim_service *server, struct stream *stream);
