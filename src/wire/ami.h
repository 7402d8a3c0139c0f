/* AMI messages: Asterisk's manager protocol, read in either direction and written with its limits. Pure: bytes in, values out.
 * Facts: Asterisk 22.10.1 (main/manager.c, and as seen on the wire). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum {
    AMI_LINE_MAX = 1022,          /* to Asterisk, without CR LF; a longer one makes it drop the whole message */
    AMI_LINES_MAX = 128,          /* to Asterisk, a message */
    AMI_BYTES_MAX = 1024 * 1024,  /* from Asterisk, a message: VarSet and Command output have no limit of their own */
    AMI_HEADERS_MAX = 8192,       /* from Asterisk, a message */
    AMI_BANNER_MAX = 200,
};

/* Who wrote the bytes. Asterisk ends a line with CR LF always, so a lone LF of a caller's text stays inside its value. */
enum ami_side { AMI_FROM_ASTERISK, AMI_FROM_CLIENT };

enum ami_kind {
    AMI_BANNER,                   /* "Asterisk Call Manager/11.0.0": the first line from Asterisk, without a blank line after it */
    AMI_RESPONSE,
    AMI_EVENT,
    AMI_ACTION,                   /* from a client */
    /* First header is none of these. Asterisk never writes such a block: a caller's text with CR LF has broken a message in two.
     * Both neighbours are to be distrusted. */
    AMI_FORGED,
};

struct ami_reader;

/* Borrowed from the reader and from the bytes it was given, until the next ami_read: a message that came whole is not copied. */
struct ami_message {
    enum ami_kind kind;
    struct text name;             /* value of the first header: the event's, the action's, "Success"; the banner's whole line */
    size_t count;                 /* headers, in order, repeated ones included */
    size_t duplicates;            /* names that came again, other than those Asterisk itself repeats: somebody put lines in */
    size_t odd;                   /* lines without a colon; left out */
    bool is_cut;                  /* over a ceiling: what did not fit is left out */
    const struct ami_reader *reader;
};

struct ami_reader {
    enum ami_side side;
    size_t bytes_max;
    struct buf raw;               /* the complete lines of the message, then the unfinished one */
    const char *base;             /* of the offsets: into the bytes given, for a message that came whole; NULL: into raw */
    size_t base_n;
    struct ami_header {
        uint32_t name_at, name_n, value_at, value_n, hash /* name_hash */, next;
    } *headers;
    size_t count, room, duplicates, odd;
    uint16_t heads[64];           /* the newest header of each hash, 1-based (AMI_HEADERS_MAX fits); 0: none */
    size_t line_at, line_n;       /* line_n counts also what was left out */
    char last[2];                 /* the line's last two bytes */
    bool banner_due, is_cut, is_given;
    bool first_odd;               /* the first line had no colon */
    uint64_t blanks;              /* empty lines that ended nothing, since the start */
    int err;                      /* sticks */
};

/* bytes_max: 0 = AMI_BYTES_MAX. */
void ami_reader_init(struct ami_reader *r, enum ami_side side, size_t bytes_max);
void ami_reader_free(struct ami_reader *r);
/* Takes bytes off *in, up to the end of one message. 1: *out is set; 0: more bytes are needed; -EPROTO: a first line that is no
 * banner's length; -ENOMEM. Errors stick. */
int ami_read(struct ami_reader *r, struct text *in, struct ami_message *out) MUST_USE;

/* First value of that name, whatever its case (Uniqueid, UniqueID). TEXT_NONE when absent. */
struct text ami_get(const struct ami_message *m, struct text name);
/* The i-th header; false past the end. */
bool ami_at(const struct ami_message *m, size_t i, struct text *name, struct text *value);
/* For who copies all of it at once: its text, and the i-th header as offsets into that (i < count). */
struct text ami_text(const struct ami_message *m);
const struct ami_header *ami_header_at(const struct ami_message *m, size_t i);
/* Walks repeated headers (Output, ChanVariable): start with *i = 0. False when there is no more. */
bool ami_next_of(const struct ami_message *m, struct text name, size_t *i, struct text *value);

/* ---- writing ---- */

/* One message. A name is letters, digits, '-', '_', '(', ')'. A value may hold neither CR nor LF nor NUL: -EINVAL. From a client
 * also -EMSGSIZE for a line over AMI_LINE_MAX, or more than AMI_LINES_MAX lines. Errors stick. */
struct ami_writer {
    struct buf out;
    enum ami_side side;
    unsigned lines;
    int err;
};

/* kind: "Action", "Event" or "Response". */
void ami_writer_init(struct ami_writer *w, enum ami_side side, struct text kind, struct text name);
void ami_writer_free(struct ami_writer *w);
void ami_write(struct ami_writer *w, struct text name, struct text value);
void ami_write_int(struct ami_writer *w, struct text name, int64_t value);
/* 0 and the message in *out (borrowed), or the sticky error. */
int ami_writer_finish(struct ami_writer *w, struct text *out) MUST_USE;

/* ---- AsyncAGI ---- */

enum {
    AMI_ASYNC_SLICE = 1024,       /* Asterisk reads replies in pieces of this size (res_agi.c: AGI_BUF_SIZE) */
    AMI_ASYNC_CUT = 2045,         /* encoded texts of this length or more may have lost their end (AMI_BUF_SIZE 2048) */
};

/* Undoes the percent encoding of Env and Result, adding to out. 0, -EPROTO (a broken escape), -ENOBUFS, -ENOMEM. */
int ami_uri_decode(struct buf *out, struct text t) MUST_USE;
