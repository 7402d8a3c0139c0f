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
/* The file without its first line (a comment). Freed by the caller; aborts the test program when it cannot be read. */
char *play_file(const char *path, size_t *n);
