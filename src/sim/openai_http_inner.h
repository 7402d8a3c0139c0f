/* What the parts of the stand-in for OpenAI's HTTP endpoints share; only src/sim includes this. */
#pragma once

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "sim/http_peer.h"
#include "sim/mouth.h"
#include "sim/openai_http_check.h"
#include "sim/service_inner.h"

enum { OH_FAULT_AT_MS = 300, OH_MODEL_MAX = 100 };

struct oh_client {                 /* one connection; counted */
    struct sim_client base;        /* its number and fault are of the request that is being answered */
    struct http_peer *peer;
    const char *path;              /* of that request; NULL: none */
    struct timer *tick;
    void (*go)(struct oh_client *c); /* at the next tick */
    struct buf out;                /* the answer in the making: a whole body, or events */
    const char *type;              /* of a whole body */
    size_t at;                     /* so much of the events is gone */
    struct mouth mouth;
    bool is_wav;
};

static inline bool oh_fault(const struct oh_client *c, enum sim_fault f) { return c->base.fault == f; }

/* An answer begins: now, or late if the fault says so. */
void oh_go(struct oh_client *c, void (*go)(struct oh_client *c));
/* go of a whole body in out, and of events in out, each with an empty line at its end. */
void oh_whole_send(struct oh_client *c);
void oh_events_send(struct oh_client *c);
/* All was sent. */
void oh_end(struct oh_client *c);
/* An answer that is an error. param NULL: none. */
void oh_refuse(struct oh_client *c, int status, const char *code, const char *param, const char *message);
/* A request that is the client's fault. */
void oh_complain(struct oh_client *c, const struct shape_complaint *complaint);
/* The faults of an answer that are told by an HTTP status. True: it has been told. */
bool oh_fails(struct oh_client *c);
/* The client will not get its answer: what was asked is asked again. */
bool oh_is_ruined(const struct oh_client *c);
/* The faults in the middle of one. True: nothing more is sent. */
bool oh_strike(struct oh_client *c);

void oh_chat(struct oh_client *c, const struct http_ask *ask);          /* openai_http_chat.c */
void oh_speech(struct oh_client *c, const struct http_ask *ask);        /* openai_http_sound.c */
void oh_transcription(struct oh_client *c, const struct http_ask *ask);
