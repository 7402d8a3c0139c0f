/* What happened on a call, one fact at a time, in words an operator knows. Facts are published; whoever stores or shows them listens.
 * Thread: any; the sink takes or drops a fact at once and counts what it dropped. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/text.h"

enum { FACT_CALL_MAX = 160, FACT_KIND_MAX = 32 };

struct fact {
    int64_t wall_us;
    char call[FACT_CALL_MAX];      /* Uniqueid of the caller's channel, "" for facts about the daemon */
    char kind[FACT_KIND_MAX];      /* "agi.start" "agi.end" "talk.start" "caller.said" "agent.said" "barge_in" "tool" "talk.end" ... */
    char *detail;                  /* a JSON object, malloc'ed; NULL until fact_detail has made it */
    size_t packed_n;               /* of a fact that timeline_add made: its fields, for fact_detail */
    char packed[];
};

/* The fields as a JSON object, made when first asked: by who stores or shows the fact, not on the loop that published it. NULL: no memory. */
const char *fact_detail(struct fact *f);
void fact_free(struct fact *f);

struct timeline {
    /* Takes ownership of f, also when it returns false (dropped: full). Never blocks. */
    bool (*publish)(void *arg, struct fact *f);
    void *arg;
};

/* Packs the fields into one block (no JSON yet) and publishes. Fields use log.h's kv; numbers become JSON numbers, texts JSON strings. A NULL timeline passes. */
void timeline_add(const struct timeline *t, struct text call, const char *kind, const struct kv *fields);
#define TIMELINE(t_, call_, kind_, ...) \
    timeline_add((t_), (call_), (kind_), (const struct kv[]){ __VA_ARGS__ __VA_OPT__(, ) { .key = NULL } })
