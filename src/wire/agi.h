/* AGI as a FastAGI server sees it: the environment block, command lines out, reply lines in.
 * Pure: bytes in, values out. Facts: Asterisk 22.10.1, as seen on the wire and in res/res_agi.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/text.h"

enum {
    AGI_LINE_MAX = 8190,      /* a command line without its LF; longer ones become two commands inside Asterisk */
    AGI_REPLY_MAX = 65536,    /* one reply, all its lines; GET FULL VARIABLE has no limit of its own */
    AGI_ENV_LINES_MAX = 256,
    AGI_ENV_BYTES_MAX = 65536,
    AGI_FAULT_MAX = 160,
};

/* ---- environment block ---- */

/* What Asterisk tells at the start. Values are hostile: a caller name may carry forged lines, so the first
 * occurrence of a name wins and later ones are counted in `duplicates`. Lines that are not "name: value" are counted
 * in `odd` and ignored, once the first line has proved that this is AGI (begins with "agi_").
 * First-wins does not protect what Asterisk sends after the caller's name (agi_extension, agi_arg_1 ...): a forged line
 * comes earlier. It leaves a trace: duplicates, odd or misplaced is not 0, or stray replies follow the block. */
struct agi_env {
    struct buf raw;
    struct agi_env_line {
        uint32_t name_at, name_n, value_at, value_n;
    } *lines;
    size_t count, duplicates, odd;
    size_t misplaced;              /* known names that came after a later one of Asterisk's fixed order */
    size_t line_at;                /* internal: where the unfinished line begins in raw */
    unsigned last_rank;            /* internal */
    int err;                       /* internal: sticks */
    bool done;                     /* the blank line was seen */
    char fault[AGI_FAULT_MAX];     /* one clear sentence after a negative return */
};

void agi_env_init(struct agi_env *e);
void agi_env_free(struct agi_env *e);
/* Eats bytes up to and including the blank line; returns how many were eaten (all of them, unless done), or
 * -EPROTO (not AGI), -EMSGSIZE (too many lines or bytes), -ENOMEM. After an error the reader stays in error. */
ssize_t agi_env_feed(struct agi_env *e, const void *bytes, size_t n) MUST_USE;
/* TEXT_NONE when absent. Borrowed from e. Case-sensitive, as sent. */
struct text agi_env_get(const struct agi_env *e, struct text name);
/* agi_arg_1... TEXT_NONE when absent. index counts from 1. */
struct text agi_env_arg(const struct agi_env *e, unsigned index);
/* The i-th line as it came, for copies of the block. False past the end. */
bool agi_env_at(const struct agi_env *e, size_t i, struct text *name, struct text *value);

/* ---- command lines ---- */

/* Builds one command line: words are added raw (checked: no blank, quote, control byte) or quoted.
 * Refuses, with -EINVAL, LF, CR and NUL in any argument, an empty first word, and a first word beginning with "failure"
 * (Asterisk would end the AGI); -EMSGSIZE beyond AGI_LINE_MAX. */
struct agi_command {
    struct buf line;
    int err;                       /* sticks */
};

void agi_command_init(struct agi_command *c);
void agi_command_free(struct agi_command *c);
void agi_command_word(struct agi_command *c, struct text word);     /* GET VARIABLE keywords, numbers */
void agi_command_quoted(struct agi_command *c, struct text value);  /* always in quotes; "" when empty */
void agi_command_int(struct agi_command *c, int64_t value);
/* A whole line from a script or call:command(): only checked for LF, CR, NUL, emptiness, "failure" and length. */
void agi_command_raw(struct agi_command *c, struct text line);
/* A line as a hosted script wrote it, without its LF: empty ones and CR pass, since Asterisk answers them as it always did. LF, NUL,
 * "failure" in front and length are refused as above. */
void agi_command_script(struct agi_command *c, struct text line);
/* Ends the line with LF. 0 and the line in *out (borrowed), or the sticky error. */
int agi_command_finish(struct agi_command *c, struct text *out) MUST_USE;

/* ---- replies ---- */

enum agi_reply_kind {
    AGI_REPLY_FINAL,               /* answers the outstanding command */
    AGI_REPLY_TRYING,              /* "100 ...": GOSUB only; a final line follows */
    AGI_REPLY_HANGUP,              /* "HANGUP": a flag, never an answer; may come twice */
    AGI_REPLY_STRAY,               /* a line that fits no grammar: count it, go on */
};

struct agi_reply {
    enum agi_reply_kind kind;
    int code;                      /* 200 510 511 520; 100 for TRYING */
    struct text result;            /* after "result=": "1", "-1", "" (GET DATA timeout) */
    bool has_value;                /* there was a "(...)" */
    struct text value;             /* inside the parentheses, up to the last ")"; raw, may hold LF */
    struct text extra;             /* what follows: "endpos=1234" or "digit=5 endpos=0" */
    struct text body;              /* the whole reply without its last LF; 520 usage text included */
};

/* Push reader. A value with LF inside cannot be framed for certain (no length on the wire): the reader goes on over LF
 * while a "(" is open and the line does not end in ")" or ") key=value ...", up to AGI_REPLY_MAX. */
struct agi_reply_reader {
    struct buf in;
    size_t scanned, taken, line_at;
    bool usage;                    /* inside 520- ... 520 */
    bool open;                     /* inside a value that has run over an LF */
};

void agi_reply_reader_init(struct agi_reply_reader *r);
void agi_reply_reader_free(struct agi_reply_reader *r);
/* Adds up to AGI_REPLY_MAX bytes; take all replies out before the next feed. 0, -EMSGSIZE (more than the ceiling waits
 * unread) or -ENOMEM. Errors stick. */
int agi_reply_feed(struct agi_reply_reader *r, const void *bytes, size_t n) MUST_USE;
/* Next complete reply. 1: *out is set, its texts live until the next feed or next call; 0: need more bytes;
 * -EMSGSIZE: a reply over the ceiling. */
int agi_reply_next(struct agi_reply_reader *r, struct agi_reply *out) MUST_USE;
/* result as integer; -EINVAL when it is not one. */
int agi_reply_int(const struct agi_reply *reply, int64_t *out) MUST_USE;
/* Finds key in "endpos=12 digit=5"; quotes are removed. TEXT_NONE when absent. */
struct text agi_reply_extra(const struct agi_reply *reply, struct text key);
