/* What a stream has in common whatever carries it, and the few calls that differ (stream_tcp.c, stream_curl.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/address_internal.h"
#include "net/loop_internal.h"
#include "net/out_queue.h"
#include "net/stream.h"

enum {
    STREAM_QUEUE_MAX = 256 * 1024,
    STREAM_END_LINGER_MS = 2000,  /* when nobody wanted to know of the peer's end */
};

/* OPEN -> CLOSING (stream_close: sends the rest, discards input) -> ENDING (descriptor given back) -> CLOSED (on_closed) */
enum stream_state { STREAM_OPEN, STREAM_CLOSING, STREAM_ENDING, STREAM_CLOSED };

/* None of these may call a handler of the stream. */
struct stream_backend {
    /* Takes all parts (their sum is below the ceiling), now or into s->out. 0 or -ENOMEM (nothing taken). */
    int (*send)(struct stream *s, const struct text *parts, size_t count, size_t total);
    /* stream_wants_read(s) may have changed. */
    void (*read_adjust)(struct stream *s);
    /* Takes what fits of the last bytes, and tells the peer at once that no more comes. Returns how many left: fewer than t.n, then the end
     * was not told, or -EPIPE... NULL: reading could not go on. */
    ssize_t (*send_last)(struct stream *s, struct text t);
    void (*confirm)(struct stream *s);   /* NULL: no effect */
    int (*copy_fd)(struct stream *s, int *fd); /* a second descriptor; NULL: the connection is more than its descriptor */
    /* Everything is sent: tells the peer that no more comes. Then stream_end by whoever sees the peer's end. */
    void (*finish)(struct stream *s);
    /* Gives the descriptor back; stream_gone(s) follows on a later turn. */
    void (*end)(struct stream *s);
};

/* How many streams of one listener are alive. Counted; outlives the listener. */
struct stream_tally {
    size_t live;
};

struct stream {
    const struct stream_backend *backend;
    struct loop *loop;
    struct stream_handlers on;
    void *arg;
    enum stream_state state;
    bool is_handled;       /* somebody has said what to do with its bytes */
    bool is_paused;
    bool has_peer_ended;
    bool has_ended;        /* stream_send_last: nothing more is taken */
    bool is_refused;       /* a send was refused: on_drain is owed */
    int broken;            /* sending failed; what the peer had sent before is still read */
    int err;               /* for on_closed */
    size_t queue_max;
    struct out_queue out;
    struct timer *linger;
    struct stream_tally *tally;
    struct sockaddr_storage from; /* AF_UNSPEC: peer is the text already */
    char peer[ADDRESS_TEXT];      /* "" until stream_peer is asked: most streams are never named */
};

/* For those who make streams. A stream starts with two references: the maker's, and the loop's, dropped by stream_gone. */
void stream_init(struct stream *s, struct loop *l, const struct stream_backend *b, const struct stream_options *opt);
void stream_clear(struct stream *s);   /* the common part of the destructor */

/* For users inside net: on_drain is owed, as if a send had been refused. */
void stream_want_drain(struct stream *s);

/* For backends; all on the loop, each holds a reference to s meanwhile. */
bool stream_wants_read(const struct stream *s);
void stream_got(struct stream *s, struct text bytes);
void stream_got_end(struct stream *s);
void stream_sent(struct stream *s);                 /* s->out became shorter */
void stream_send_failed(struct stream *s, int err);
void stream_end(struct stream *s, int err);         /* calls no handler; safe to call twice */
void stream_gone(struct stream *s);                 /* calls on_closed, drops the loop's reference */
