/* What a node's tap hands on: one event with its place in the order, in one block of memory; or a note of the tap itself (up, down, lost).
 * Made on the tap loop, owned by whoever holds it, passed between threads. No locks, no references. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "tap/names.h"
#include "wire/ami.h"

#define TAP_NO_TIME INT64_MIN

enum tap_kind {
    TAP_EVENT,          /* Asterisk's */
    TAP_FORGED,         /* a block that Asterisk never writes: somebody broke in (wire/ami.h); fields are what stood in it */
    TAP_UP,             /* the session is logged in; nothing came before it */
    TAP_DOWN,           /* the session ended; "Reason" says why, "Cause" is one of tap_cause's words */
    TAP_LOST,           /* the queue was full: what stood between two events was dropped; lost says how many */
    TAP_PRESENT,        /* resynchronising: a channel that exists now (CoreShowChannel), without a time of its own */
    TAP_PRESENT_END,    /* that was all of them; a channel of this node that was not named exists no more */
    TAP_PRESENT_NONE,   /* the list cannot be had (no control user, refused, timed out); "Reason" says why */
};

enum tap_flags {
    TAP_SUSPECT = 1,    /* stands beside a forged block, or carries a header twice: do not believe what ends a call */
    TAP_CUT = 2,        /* over a ceiling: some headers are missing */
    TAP_LATE = 4,       /* came after younger ones of other nodes had been handed on */
};

struct tap_field {
    uint16_t header;    /* enum tap_header; TAP_H_OTHER: its name stands at name_at */
    uint16_t name_n;
    uint32_t name_at, value_at, value_n;   /* from tap_event_bytes */
};

struct tap_event {
    struct tap_event *next;     /* the holder's own use */
    uint32_t node;              /* index of the node, as the tap was opened with */
    uint8_t kind;               /* enum tap_kind */
    uint8_t flags;              /* enum tap_flags */
    uint16_t name;              /* enum tap_name of the event */
    int64_t session;            /* wall microseconds of this login: grows over reconnects and restarts */
    uint64_t seq;               /* 1, 2, ... within the session, as they arrived, notes included. (node, session, seq) is the key of all stores */
    int64_t recv_us;            /* wall clock at arrival */
    int64_t emit_us;            /* Asterisk's Timestamp by its own clock, or TAP_NO_TIME (timestampevents is off) */
    int64_t order_us;           /* emit_us by our clock, as far as known; else recv_us. Set by the merge */
    uint64_t lost;              /* TAP_LOST */
    uint32_t bytes;             /* size of the whole block */
    uint32_t count;             /* fields */
    struct tap_field fields[];  /* then their text */
};

/* From a message (AMI_EVENT or AMI_FORGED). node, session, seq, recv_us are the caller's to set; emit_us is read from Timestamp.
 * Sets TAP_SUSPECT for repeated headers, TAP_CUT. 0 or -ENOMEM. */
int tap_event_of(struct tap_event **out, enum tap_kind kind, const struct ami_message *m) MUST_USE;
/* From names and values (notes; events read back from a store or a file). */
struct tap_pair {
    struct text name, value;
};
int tap_event_new(struct tap_event **out, enum tap_kind kind, struct text name, const struct tap_pair *pairs, size_t count) MUST_USE;
void tap_event_free(struct tap_event *e);      /* NULL passes */

/* The first header of that name: TEXT_NONE when absent. */
struct text tap_get(const struct tap_event *e, enum tap_header h);
/* A header that may not be in names_list.h. */
struct text tap_get_named(const struct tap_event *e, struct text name);
/* The i-th; false past the end. */
bool tap_at(const struct tap_event *e, size_t i, struct text *name, struct text *value);
/* The event's name as Asterisk wrote it ("" of a note). */
struct text tap_event_name(const struct tap_event *e);
/* "1795378410.343314" in microseconds, or TAP_NO_TIME. */
int64_t tap_time_of(struct text timestamp);
/* Why a session ended or events are missing; the words stand in the gap ledger. */
#define TAP_CAUSE_CONNECTION "connection"      /* the connection broke, or the node was silent */
#define TAP_CAUSE_SHUTDOWN "shutdown"          /* Asterisk said Shutdown */
#define TAP_CAUSE_REFUSED "refused"            /* the login was refused */
#define TAP_CAUSE_OVERFLOW "overflow"          /* our queue was full */
#define TAP_CAUSE_RESTART "restart"            /* our own: between the last stored event of an earlier run and this login */
#define TAP_CAUSE_RETENTION "retention"        /* events were deleted before a sink had read them */
