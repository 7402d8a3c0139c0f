/* What an AGI session talks over: FastAGI's connection, or a channel that waits in AsyncAGI. Thread: the session's loop. */
#pragma once

#include <stdbool.h>

#include "net/loop.h"
#include "base/text.h"

struct agi_session;
struct agi_carrier;

struct agi_carrier_type {
    int (*send)(struct agi_carrier *c, struct text line);   /* one whole line with its LF, or nothing */
    /* The same, with our end of stream right behind it: nothing more is sent, replies are still taken. NULL: no such thing. */
    int (*send_last)(struct agi_carrier *c, struct text line);
    void (*confirm)(struct agi_carrier *c);                 /* more of an answer is to come: the peer need not wait for us. May be NULL */
    void (*close)(struct agi_carrier *c, int64_t linger_ms);/* in order, after what was sent; agi_session_take_closed follows */
    void (*abort)(struct agi_carrier *c);                   /* at once; agi_session_take_closed follows */
    const char *(*peer)(const struct agi_carrier *c);
    void (*release)(struct agi_carrier *c);                 /* the session needs it no more; after take_closed */
    size_t line_max;               /* bytes of a command without its LF */
    bool is_queue;                 /* commands wait for each other: nothing is cut short, and lines may follow without replies */
};

struct agi_carrier {
    const struct agi_carrier_type *type;
    struct loop *loop;
    struct agi_session *session;   /* set by agi_session_over */
};

/* What the carrier tells its session; never from inside one of its own functions. */
void agi_session_take_bytes(struct agi_session *s, struct text bytes);
void agi_session_take_hangup(struct agi_session *s);
void agi_session_take_end(struct agi_session *s);              /* the peer sends no more */
void agi_session_take_closed(struct agi_session *s, int err);  /* last, once */
