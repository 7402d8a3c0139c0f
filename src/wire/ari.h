/* ARI's event JSON as checked values, and the few request paths we use. Pure (cJSON inside, not in the header).
 * Facts: Asterisk 22.10.1; key order is not fixed, unknown types and fields are ignored. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum { ARI_ARGS_MAX = 16, ARI_FAULT_MAX = 160 };

enum ari_event_kind {
    ARI_OTHER,                     /* a type we do not act on; `type` tells which */
    ARI_STASIS_START,
    ARI_STASIS_END,
    ARI_CHANNEL_DESTROYED,
    ARI_CHANNEL_HANGUP_REQUEST,
    ARI_CHANNEL_STATE_CHANGE,
    ARI_CHANNEL_DTMF,
    ARI_CHANNEL_ENTERED_BRIDGE,
    ARI_CHANNEL_LEFT_BRIDGE,
    ARI_BRIDGE_DESTROYED,
    ARI_APPLICATION_REPLACED,
    ARI_APPLICATION_REGISTERED,
    ARI_CALL_BROADCAST,            /* StasisBroadcast(): the channel waits for whoever claims it */
};

struct ari_channel {
    struct text id, name, state, caller_name, caller_number, protocol_id;
    struct text context, exten;
    int64_t priority;
};

struct ari_event {
    enum ari_event_kind kind;
    struct text type, application, timestamp;
    struct ari_channel channel;    /* .id is TEXT_NONE when the event has none */
    struct text bridge_id;
    struct text args[ARI_ARGS_MAX];
    size_t arg_count;
    struct text digit;
    int64_t duration_ms;
    int64_t cause;                 /* -1 absent */
    struct text cause_txt;
    void *memory;                  /* internal: all texts live in it */
    char fault[ARI_FAULT_MAX];
};

/* 0: *out is set, free it; -EPROTO with a sentence in out->fault (not JSON, no type, a field of the wrong kind, no id where
 * the event needs one); -ENOMEM. After an error nothing is to be freed. Agreed depth and size: nesting over 32 or more than
 * 1 MiB is -EPROTO. ARI_OTHER is read leniently: fields of a wrong kind are absent. Arguments past the 16th are dropped.
 * Texts may be invalid UTF-8, but hold no NUL; of equal names the first counts. */
int ari_event_parse(struct ari_event *out, struct text json) MUST_USE;
void ari_event_free(struct ari_event *e);

/* The "message" (or "error") of an error body, else TEXT_NONE... copied into out, cut if needed. Returns its length. */
size_t ari_error_text(struct text json, char *out, size_t size);

/* The value of a channel variable in the "channelvars" of a channel. 0, -ENOENT (absent, no text, longer than size), -EPROTO, -ENOMEM. */
int ari_channelvar(struct text json, const char *name, char *out, size_t size) MUST_USE;

/* What GET /applications/{app} says is inside. Lists are malloc'ed copies, NULL-terminated; ari_list_free each.
 * 0, -EPROTO or -ENOMEM; outputs are untouched on error. */
int ari_application_parse(struct text json, char ***channel_ids, char ***bridge_ids) MUST_USE;
/* What GET /applications says is inside `app`, and inside those of one call ("app:..."). As above; malloc'ed, never NULL. */
int ari_applications_parse(struct text json, struct text app, char ***channel_ids) MUST_USE;
/* The "id" of every element of a JSON array (GET /bridges, GET /channels). */
int ari_ids_parse(struct text json, char ***ids) MUST_USE;
void ari_list_free(char **list);

/* ---- REST over the event WebSocket (22.10.1; older nodes read such a message and say nothing) ---- */

/* Asterisk takes 65,535 bytes a frame: more ends the connection with 1009. */
enum { ARI_REQUEST_MAX = 65535 };

/* Adds one RESTRequest. path: without leading slash, query included; json_body may be TEXT_NONE. 0 or out's sticky error. */
int ari_request_write(struct buf *out, uint64_t id, const char *method, const char *path, struct text json_body);

struct ari_response {
    uint64_t id;                   /* 0: it names none of ours */
    int status;
    struct text body;              /* TEXT_NONE: none. Lives in memory */
    void *memory;                  /* internal */
};

/* 0: *out is set, free it. -ENOENT: no RESTResponse, so an event. -EPROTO: one without a status from 100 to 599, or over 16 MiB. -ENOMEM. */
int ari_response_parse(struct ari_response *out, struct text json) MUST_USE;
void ari_response_free(struct ari_response *r);
