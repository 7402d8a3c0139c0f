/* From events to calls. Takes events in order, keeps the calls that are open, and tells facts and finished records. Pure: no clock, no I/O.
 * One call is what carries one Linkedid on one node; it is re-keyed when Linkedids are joined; both halves of a Local channel fold into one leg.
 * Owned by one thread. Memory is bounded: calls_max, legs_max, texts cut; what was refused is counted. */
#pragma once

#include "tap/event.h"

enum { CALL_ID_MAX = 160, CALL_TEXT_MAX = 128, CALL_LEGS_MAX = 64, CALL_LIST_MAX = 32 };

/* How a call ended; words as call_outcome_text gives them stand in the store. */
enum call_outcome {
    CALL_OPEN,
    CALL_ANSWERED,      /* somebody (an agent, a phone, an application: Stasis, AGI, voicemail) spoke with the caller */
    CALL_UNANSWERED, CALL_BUSY, CALL_FAILED /* congestion, no such number, ... */,
    CALL_CANCELLED,     /* the caller gave up before anybody answered */
    CALL_ABANDONED,     /* gave up in a queue */
    CALL_UNOBSERVED,    /* was open when we stopped watching: restart, gap */
};
enum queue_outcome { QUEUE_NONE, QUEUE_WAITING, QUEUE_ANSWERED, QUEUE_ABANDONED, QUEUE_TIMED_OUT, QUEUE_LEFT /* by key, full, empty */ };
const char *call_outcome_text(enum call_outcome o);
const char *queue_outcome_text(enum queue_outcome o);

struct call_leg {
    char uniqueid[CALL_ID_MAX], channel[CALL_TEXT_MAX], number[64], name[64];
    char role[16];              /* "caller" "callee" "agent" "transfer" "conference" "park" "originate" ... */
    int64_t started_us, answered_us, ended_us;   /* order_us of the event; 0: not (yet) */
    int32_t cause;              /* Q.850 of Hangup; -1: none seen */
};

/* Borrowed from the facts, valid during on_call only. Times: order_us, wall microseconds; 0: never. Durations: microseconds. */
struct call_record {
    uint32_t node;
    char id[CALL_ID_MAX];       /* Linkedid; the key is (node name, id) */
    char was[CALL_ID_MAX];      /* the Linkedid it had when it began, or "" */
    int64_t started_us, answered_us, ended_us;
    char caller[64], caller_name[64], dialled[64], context[80];
    char answered_by[CALL_TEXT_MAX];    /* number or channel of the first that spoke with the caller; "app:Stasis" for an application */
    int64_t ring_us, talk_us, hold_us, queue_us;
    char queue[64], agent[64];
    enum queue_outcome queue_outcome;
    enum call_outcome outcome;
    int32_t cause;
    char cause_text[64];
    char application[32];       /* last one that ran on the caller's channel */
    unsigned transfers, recordings, agi_visits, stasis_visits, dtmf;
    bool is_partial;            /* began before we watched, or a gap lies inside */
    bool is_suspect;            /* forged events carried its ids */
    const struct call_leg *legs;
    size_t leg_count;
    /* A JSON array each: transfers [{at_us,kind,result,by,to}], recordings [file], agi [{at_us,ran_us,script,result}], stasis [{at_us,left_us,app}],
     * queues [{queue,joined_us,left_us,outcome,agent,position}], parked [{space,at_us,outcome}], conferences [{name,at_us,left_us}]. */
    const char *details;        /* one JSON object that holds them */
};

/* One thing that happened on a call, in words an operator knows; what sinks carry. Borrowed during on_fact. */
struct call_fact {
    uint32_t node;
    int64_t session;            /* with seq and n: the key. The event it comes of */
    uint64_t seq;
    uint32_t n;                 /* 0, 1, ... facts of that one event */
    int64_t at_us;
    const char *kind;           /* static: "call.started" "call.ringing" "call.answered" "call.ended" "call.rekeyed" "leg.*" "queue.joined" "queue.answered" "queue.abandoned"
                                 * "queue.timed_out" "queue.left" "transfer.blind" "transfer.attended" "park.*" "hold.*" "conference.*" "agi.*" "stasis.*" "recording.*"
                                 * "agent.*" "break_in" ...: docs/tap.md has the list with fields, from one table */
    const char *call;           /* the call's id now; "" for facts about a node */
    const char *detail;         /* a JSON object. Of "call.ended": the whole record */
};

struct facts_handlers {
    void (*on_fact)(const struct call_fact *f, void *arg);
    /* A record is new or changed; told once per facts_flush, and when it ends. outcome CALL_OPEN: still running. */
    void (*on_call)(const struct call_record *c, void *arg);
};

struct facts_options {
    size_t nodes;
    size_t calls_max;           /* open at one time: 0 = 50,000; beyond, new ones are counted and not told */
    int64_t idle_us;            /* a call without any event for so long is closed as unobserved: 0 = 24 h (a Hangup may never come, seen) */
};

struct facts_figures {
    uint64_t events, facts, calls, unobserved, refused, forged, disbelieved;    /* disbelieved: suspect events that would have ended something */
    size_t open, channels;
};

struct facts;
int facts_new(struct facts **out, const struct facts_options *opt, const struct facts_handlers *on, void *arg) MUST_USE;
void facts_free(struct facts *f);               /* tells nothing; NULL passes */
/* Notes included: TAP_DOWN and TAP_LOST leave open calls open but partial, until TAP_PRESENT_END says which of them still exist (the others end as
 * unobserved, at the last event seen of them), or TAP_PRESENT_NONE ends all that were open before the gap and not heard of since. 0 or -ENOMEM (then the event did not count; go on). */
int facts_take(struct facts *f, const struct tap_event *e) MUST_USE;
/* Tells every record that changed since the last flush: before a batch is committed. Also lets the last Hangup of each node count: a Hangup
 * waits for the event behind it (nothing forged may follow, facts_trust.c), so call this within a second when nothing comes. */
void facts_flush(struct facts *f);
/* How many open calls a gap of that node touches. */
size_t facts_open_of(const struct facts *f, uint32_t node);
void facts_figures_of(const struct facts *f, struct facts_figures *out);

/* Every kind of fact, in the order of docs/tap.md: its name, the fields of its detail (blank between them), one sentence. */
struct fact_kind {
    const char *name, *fields, *sentence;
};
const struct fact_kind *facts_kinds(size_t *count);
