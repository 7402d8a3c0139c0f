/* One call's way through our Stasis application, and back. Internal to src/call; see stasis.h. Control loop. */
#pragma once

#include <uthash.h>

#include "call/stasis.h"

struct stasis_call;

/* What the calls of one node share. */
struct stasis_ground {
    struct loop *loop;
    struct ari_client *ari;
    struct audiosocket_door *door;
    struct stasis_talks talks;
    const struct timeline *timeline;
    struct log log;
    char *app, *media_host;
    struct address rtp;
    unsigned rtp_ports, rtp_next;  /* rtp_next: which port is tried next */
    enum leg_rtp_format rtp_format;
    unsigned audiosocket_hz;
    struct stasis_websocket websocket;  /* .client is the ground's own copy */
    struct dialer *dialer;         /* to this node */
    char *base_url;                /* of its HTTP server */
    int64_t step_ms, again_ms;
    bool is_listening;             /* Asterisk opens the connections, perhaps one for each call */
    /* The call is over and nothing of it is left: the handler unlinks it and drops its reference. Never runs from inside
     * stasis_call_new; it may from inside all others. */
    void (*on_over)(struct stasis_call *c, void *arg);
    /* A channel or bridge may have been left behind: look for it later. */
    void (*on_residue)(void *arg);
    /* Gives the call a new external channel id, and finds it by that from now on. 0 or -ENOMEM. */
    int (*rename)(struct stasis_call *c, void *arg);
    void *arg;
};

enum { STASIS_VARIABLES = 3 };

enum call_state {
    CALL_NEW,
    CALL_ANSWER, CALL_BRIDGE, CALL_MEDIA, CALL_SWITCH, CALL_JOIN, CALL_TALK,       /* the way in */
    CALL_STATUS, CALL_DROP_MEDIA, CALL_DROP_BRIDGE, CALL_LEAVE,       /* the way out */
    CALL_SETTLE,                   /* the caller is back: what was deleted has yet to be seen going */
    CALL_OVER,
};

struct stasis_call {               /* counted; the members up to `state` are for stasis.c */
    struct stasis_call *prev, *next;
    UT_hash_handle by_channel, by_media;
    bool is_indexed;               /* found by its channel: not any more when that channel has come again */
    char *channel;                 /* the caller's, as Asterisk names it */
    char *app;                     /* whose events tell of it: ours, or that of this call alone ("sidetone:PJSIP/a-1") */
    char *media, *bridge;          /* ours */
    int64_t began_ms, cut_ms;      /* cut_ms: since when the connection of this call alone is gone */

    enum call_state state;
    struct stasis_ground *ground;
    char *channel_path, *media_path, *bridge_path;  /* "channels/..." percent-encoded */
    char *agent, *number, *name;
    struct uuid id;
    char id_text[UUID_TEXT + 1];
    struct ari_request *request;
    struct timer *deadline;        /* of the present step */
    struct timer *again;           /* the present request once more */
    unsigned tries;                /* answers that did not help, in this step */
    unsigned variable;             /* in CALL_STATUS: which */
    struct door_ticket *ticket;    /* somebody is expected at a door */
    struct media_connect *connecting; /* to Asterisk's WebSocket channel */
    struct stasis_way way;         /* to Asterisk, until the talk has it; .fd is -1 without one */
    enum stasis_media kinds[STASIS_MEDIA_COUNT];
    size_t kind_count, kind_at;    /* kinds[kind_at] is tried or in use */
    struct address here;           /* RTP: our port */
    void *talk;
    bool is_talking, is_ending, is_up, caller_lives, hang_up;
    bool bridge_asked, media_asked, media_answered, media_inside;
    bool join_answered, caller_joined, media_joined;  /* CALL_JOIN: 204 says that it was asked for, the events that it is so */
    bool leave_answered;           /* CALL_LEAVE: 204 came; StasisEnd is what we wait for */
    bool media_going, bridge_going;                   /* deleted (204), and not seen going */
    const char *status;
    char reason[STASIS_REASON_MAX];
    struct talk_after *after;      /* what the talk left for the dialplan; NULL: nothing */
    bool place_checked;            /* Asterisk was asked whether its place exists */
};

/* Ids of our own external channels and bridges are "<app>-x-<uuid>" and "<app>-b-<uuid>": two daemons beside one Asterisk
 * have two application names, and leave each other's alone. kind: 'x' or 'b'. */
bool stasis_is_ours(const char *app, char kind, struct text id);

/* stasis_request.c: gives the call its names; sends the present step's request into c->request (0, or as ari_send). */
int stasis_call_name(struct stasis_call *c, struct text channel, const struct ari_event *start) MUST_USE;
/* A new id for the next external channel. 0 or -ENOMEM: the old one stays. */
int stasis_call_rename(struct stasis_call *c) MUST_USE;
/* In CALL_STATUS, first of all: does the place exist where the talk sends the call? For Asterisk hangs up what is sent nowhere. */
bool stasis_call_asks_place(const struct stasis_call *c);
/* Its answer says that there is none. */
bool stasis_call_place_is_missing(struct text body);
/* How many variables the call goes on with. */
unsigned stasis_call_variables(const struct stasis_call *c);
int stasis_call_ask(struct stasis_call *c, ari_on_answer *on_answer) MUST_USE;

void stasis_json_field(struct buf *b, const char *name, const char *value);

/* start: NULL when the channel was found inside after a restart. One reference is the caller's. */
int stasis_call_new(struct stasis_call **out, struct stasis_ground *g, struct text channel, const struct ari_event *start)
    MUST_USE;
/* Answers, bridges, connects and starts the talk. */
void stasis_call_begin(struct stasis_call *c);
/* Gives the call back (again and again, if need be), from whatever step. The first reason given counts. */
void stasis_call_give_back(struct stasis_call *c, const char *status, const char *reason);
/* The caller's channel has left Stasis or is no more. */
void stasis_call_lost(struct stasis_call *c);
/* The way to Asterisk may be there now; or err: it cannot be had. */
void stasis_call_media_open(struct stasis_call *c, int err);
void stasis_call_media_inside(struct stasis_call *c);
void stasis_call_media_lost(struct stasis_call *c);
/* One of its two channels is in a bridge now. */
void stasis_call_joined(struct stasis_call *c, struct text channel, struct text bridge);
void stasis_call_bridge_gone(struct stasis_call *c);
/* Lets go of everything at once, without a word to Asterisk; on_over does not run. */
void stasis_call_abandon(struct stasis_call *c);
