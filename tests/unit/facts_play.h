/* Plays a recorded AMI stream into the facts core and writes down what it tells, one line a fact. */
#pragma once

#include "base/buf.h"
#include "tap/facts.h"

struct play {
    struct facts *facts;
    struct ami_reader reader;
    struct buf told;            /* "+2.503 call.answered a-1.0 {...}" */
    int64_t first_us, last_us;  /* the node's own clock */
    uint64_t seq;
    uint32_t node;
    size_t open_records;        /* on_call with outcome open, not written down */
    uint64_t kinds[64];         /* facts told, by place in facts_kinds */
    uint64_t ended;
    uint64_t strays;            /* facts whose fields are not those of the table */
    int64_t clock_us;           /* of play_says */
    int err;
};

/* 0 or -ENOMEM. */
int play_open(struct play *p) MUST_USE;
void play_close(struct play *p);
/* Bytes of a stream, from its banner on, in pieces of any size. */
void play_bytes(struct play *p, struct text bytes);
/* A note of the tap itself, with one header or none. */
void play_note(struct play *p, enum tap_kind kind, const struct tap_pair *pairs, size_t count);
/* The connection broke, and another banner follows. */
void play_reconnect(struct play *p);
void play_flush(struct play *p);
/* A party's channel, for events that are made up. */
struct who {
    const char *channel, *id, *linkedid, *number;
    int state;
};
/* The banner, and one whole event of Asterisk that is about nobody. */
void play_hello(struct play *p);
/* One whole event about a channel, a millisecond after the last; extra: more header lines, each ended by CR LF. */
void play_says(struct play *p, const char *event, const struct who *w, const char *extra);
/* A call: a channel that exists, rings in, and is up. */
void play_call(struct play *p, const struct who *w);
void play_hangup(struct play *p, const struct who *w);
size_t play_open_calls(const struct play *p);
/* How many facts of that kind were told. */
uint64_t play_told(const struct play *p, const char *kind);

/* The file without its first line (a comment). Freed by the caller; aborts the test program when it cannot be read. */
char *play_file(const char *path, size_t *n);
