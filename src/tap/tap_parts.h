/* What tap.c, tap_node.c and tap_resync.c share; nobody else includes this. Tap loop, but where it is said. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/dialer.h"
#include "pbx/ami_client.h"
#include "tap/tap.h"
#include "tap/tap_filter.h"

struct tap_node;
struct tap_resync;

/* ---- resynchronising one node (tap_resync.c) ---- */

struct tap_resync_options {
    int64_t control_ms;         /* longest wait for the control session */
    int64_t settle_ms;          /* between the list and the judgement */
};

int tap_resync_new(struct tap_resync **out, struct tap_node *n, const struct tap_resync_options *opt) MUST_USE;
void tap_resync_free(struct tap_resync *r);     /* NULL passes */
/* Asks what there is; under way already: once more afterwards. */
void tap_resync_begin(struct tap_resync *r);
/* The session is down: forget it all. */
void tap_resync_stop(struct tap_resync *r);
/* The control session came up, or went. */
void tap_resync_control(struct tap_resync *r, bool is_up);
/* Every event, in order, before it goes into the queue. */
void tap_resync_event(struct tap_resync *r, const struct tap_event *e);
bool tap_resync_is_active(const struct tap_resync *r);

/* ---- one node (tap_node.c) ---- */

struct tap_node_counts {        /* any thread reads */
    atomic_uint_least64_t connects, events, bytes, forged, duplicates, cut, resyncs, filter_misses;
    atomic_int_least64_t up_since_us, last_event_us;
    atomic_bool is_up, has_times, filters_hold;
};

struct tap_node {
    struct tap *tap;
    uint32_t index;
    char *label;                /* for logs: says when certificates are not verified */
    char *events;               /* NULL: all */
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    struct ami_client *ami;     /* the tap's own session: reads, and pings */
    struct ami_client *control; /* NULL: none */
    struct tap_queue *queue;
    struct tap_filters *filters;
    struct tap_resync *resync;
    unsigned open;              /* sessions not yet closed */

    int64_t session;
    uint64_t seq;
    struct tap_event *held;     /* the last event, until what follows shows that it was no forger's */
    int64_t held_ms;
    struct timer *hold;
    unsigned tainted;           /* events yet to be distrusted behind one that was cut in two */
    int64_t tainted_ms;

    struct timer *chores;       /* clock pings, resynchronising that was put off */
    unsigned clock_pings;       /* since the login */
    bool is_pinging;
    int64_t ping_sent_us, ping_at_ms;

    uint64_t lost_seen, events_up;      /* events_up: on this connection */
    bool wants_resync, has_told_times, has_told_quiet, has_told_filter;
    int64_t resync_at_ms, forged_told_ms;
    size_t filters_due;         /* Filter actions not yet answered */

    struct tap_node_counts counts;
    pthread_mutex_t lock;       /* of the texts */
    char asterisk[64], last_problem[160];
};

int tap_node_open(struct tap_node *n, const struct tap_node_options *opt, const struct tap_options *all, char **problem) MUST_USE;
/* Logs off; tap_on_node_closed follows. */
void tap_node_close(struct tap_node *n);
void tap_node_free(struct tap_node *n); /* after that, or when open failed and the loop has turned */
/* The event that is held back, if one is, goes on now. */
void tap_node_release(struct tap_node *n);
/* Takes ownership: node, session, seq and recv_us are set here. */
void tap_node_put_note(struct tap_node *n, struct tap_event *e);
/* A note with one text. */
void tap_node_note(struct tap_node *n, enum tap_kind kind, const char *cause, const char *reason);
void tap_node_figures(struct tap_node *n, struct tap_node_figures *out);       /* any thread */

/* ---- tap.c ---- */

struct tap {
    struct log log;
    struct loop *loop;
    pthread_t thread;
    bool is_started, is_closing;
    struct tap_node *nodes;
    size_t count, open;
    void (*on_clock)(uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us, void *arg);
    void *arg;
};

void tap_on_node_closed(struct tap *t);
