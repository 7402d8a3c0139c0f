/* What passed on one session, in order: environment, commands, replies, hang-ups, the time of each. Bounded; pure but for growing memory.
 * Thread: one loop. Counted (base/ref.h).
 *
 * Written down, an entry is `KIND US LENGTH BYTES LF`, so that any byte passes: "c 1042 20 GET VARIABLE \"EXTEN\"". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/agi.h"

enum { TAPE_BYTES_MAX = 256 * 1024, TAPE_ENTRIES_MAX = 8192 };

enum tape_kind {
    TAPE_ENV = 'e',      /* "name: value" */
    TAPE_COMMAND = 'c',  /* a line without its LF */
    TAPE_REPLY = 'r',    /* all its lines, without the last LF */
    TAPE_HANGUP = 'h',
    TAPE_ASKED = 'q',    /* of store or http, see route/asked.h; its answer is next */
    TAPE_TOLD = 'a',
    TAPE_NO_REPLY = 'n', /* the last command got none: time was up, or the connection ended */
    TAPE_END = 'x',      /* "STATUS reason" */
};

struct tape_entry {
    enum tape_kind kind;
    int64_t us;                   /* since the beginning */
    struct text text;             /* borrowed until the next change */
};

struct tape;

/* max: bytes; 0 = TAPE_BYTES_MAX. NULL when memory is short. */
struct tape *tape_new(size_t max) MUST_USE;
/* What does not fit is left out, and so is all that follows: the tape is cut. */
void tape_add(struct tape *t, enum tape_kind kind, int64_t us, struct text text);
void tape_add_env(struct tape *t, const struct agi_env *env);
bool tape_is_cut(const struct tape *t);
bool tape_has_ended(const struct tape *t);  /* TAPE_END is there, or the tape is cut */
size_t tape_count(const struct tape *t);
unsigned tape_commands(const struct tape *t);
/* False past the end. */
bool tape_at(const struct tape *t, size_t i, struct tape_entry *out);
/* The first value of an environment line; TEXT_NONE when absent. */
struct text tape_env(const struct tape *t, struct text name);
/* Told after each change; one listener. NULL: none. */
void tape_listen(struct tape *t, void (*on_change)(void *arg), void *arg);

/* The written form, added to out. */
int tape_write(const struct tape *t, struct buf *out) MUST_USE;
/* -EINVAL when this is no tape, -ENOMEM. */
int tape_read(struct tape **out, struct text bytes) MUST_USE;
