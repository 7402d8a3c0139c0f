/* What the files of asyncagi share; nobody else includes this.
 *
 *   control loop: entry (one a channel)                     call loop: line (the carrier of one agi_session)
 *        DATA, CLOSED (once, last)        ---posts--->
 *                                         <---posts---      SEND, CLOSE (once, last)
 *
 * Whoever has not said its last word when the other's arrives says it in answer. After both, neither posts, and each frees its own. */
#pragma once

#include <uthash.h>
#include <utlist.h>

#include "base/buf.h"
#include "pbx/asyncagi.h"

enum { ASYNC_CHANNEL_MAX = 160, ASYNC_ID_MAX = 160 };

struct async_entry;
struct async_line;

/* A message between the loops. Freed when it has run. */
struct async_post {
    struct async_post *next;
    void (*run)(struct async_post *p);
    struct async_entry *entry;
    struct async_line *line;
    int err;
    bool is_abort;
    struct text bytes;             /* behind the struct */
};

/* Posts that leave in order; those that find the other loop's queue full wait here and are tried again. */
struct async_box {
    struct loop *to;
    struct async_post *first, *last;
};

struct async_post *async_post_new(void (*run)(struct async_post *p), struct text bytes);
bool async_box_send(struct async_box *b, struct async_post *p);  /* false: something waits; call async_box_flush later */
bool async_box_flush(struct async_box *b);
void async_box_free(struct async_box *b);

/* One channel in AsyncAGI, as the control loop knows it. */
struct async_entry {
    struct asyncagi *home;
    char id[ASYNC_ID_MAX + 1];     /* Uniqueid: key of the table */
    char channel[ASYNC_CHANNEL_MAX + 1];
    UT_hash_handle hh;             /* while it is in the table */
    struct async_entry *prev, *next; /* all entries */
    bool in_table;
    bool is_orphan;                /* the AMI session ended while it waited: given back once we are up again */
    bool is_leaving;               /* BREAK was sent, or is due */
    const char *due_status, *due_reason; /* BREAK could not be sent yet */
    struct async_line *line;       /* NULL: none, or both have said their last word */
    struct async_post *closed;     /* the last word to the line, ready made; NULL once said */
    bool close_heard;
    struct async_box box;
    struct ami_request *asked;     /* the last action for this channel, while it is outstanding */
    /* What the session's present command, or the environment, is answered with. */
    uint64_t wait;                 /* CommandID; 0: none */
    struct buf gather;
    unsigned pumps;                /* NOOPs that fetched more of it */
    bool has_env;
};

struct async_stray {               /* found in a list of channels */
    struct async_stray *next;
    char id[ASYNC_ID_MAX + 1], channel[ASYNC_CHANNEL_MAX + 1];
};

struct asyncagi {
    struct log log;
    struct loop *loop;
    struct ami_client *ami;
    struct asyncagi_places places;
    struct async_entry *table, *list;
    struct async_stray *strays;
    struct timer *tick;            /* what waits to be sent */
    struct timer *sync;            /* strays are looked at once more */
    struct timer *linger;
    size_t channels_max, count;
    uint64_t commands;
    char prefix[40];               /* of CommandIDs: nobody can guess it */
    struct asyncagi_figures figures;
    bool is_closing, ami_closed, has_told_no_list;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* ---- asyncagi.c ---- */
/* Sets the status variables and ends AsyncAGI on that channel; e may be NULL. 0 or what kept us from it: then nothing or a part was sent. */
int async_break(struct asyncagi *a, struct async_entry *e, const char *channel, const char *id, const char *status,
                const char *reason) MUST_USE;
void async_entry_give_back(struct async_entry *e, const char *status, const char *reason);
void async_entry_end(struct async_entry *e, int err, bool hung_up); /* the channel has left; frees when nothing holds it */
/* On the control loop, by posts of the line. */
void async_on_send(struct async_post *p);
void async_on_close(struct async_post *p);

/* ---- asyncagi_line.c ---- */
/* Control loop: makes a line and sends it on its way, with its environment. */
int async_line_start(struct async_line **out, struct async_entry *e, struct loop *l, void *place, struct text env) MUST_USE;
void async_on_data(struct async_post *p);
void async_on_closed(struct async_post *p);

/* ---- asyncagi_sync.c ---- */
void async_sync_start(struct asyncagi *a);       /* just logged in: who waits that nobody serves? */
void async_sync_on_time(void *arg);
void async_strays_free(struct asyncagi *a);

/* ---- asyncagi_env.c ---- */
/* Checks a whole environment and writes it as FastAGI would: the first argument becomes agi_network_script, the others move down.
 * 0; -EPROTO when it is not what Asterisk alone would write (a caller's text has put lines in); -ENOBUFS, -ENOMEM. */
int async_env_write(struct buf *out, struct text env) MUST_USE;
