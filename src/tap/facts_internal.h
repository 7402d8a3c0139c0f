/* What the files facts*.c share: the open calls, their channels, legs and bridges. One thread owns all of it. */
#pragma once

#include "base/buf.h"
#include "tap/facts.h"
#include "tap/facts_map.h"
#include "tap/facts_table.h"

enum { LEG_NONE = 0xffff, ITEM_NONE = -1, STATE_RINGING = 5, STATE_UP = 6 };

/* What a call's lists hold (call_record.details), in the order in which it happened. */
enum item_kind { ITEM_TRANSFER, ITEM_RECORDING, ITEM_AGI, ITEM_STASIS, ITEM_QUEUE, ITEM_PARK, ITEM_CONFERENCE, ITEM_KINDS };

struct item {
    enum item_kind kind;
    int64_t at_us, until_us;            /* until: 0 while it lasts */
    int32_t number;                     /* position in the queue, commands of a script */
    int32_t first_number;               /* original position */
    char what[CALL_TEXT_MAX];           /* transfer: blind, attended; file; script; app; queue; space; conference */
    char who[CALL_TEXT_MAX];            /* transfer: by; queue: agent */
    char to[CALL_TEXT_MAX];             /* transfer */
    char result[24];
};

struct bridge {
    struct named key;
    struct channel *members;
    size_t count;
    bool is_holding;                    /* parking lots and the like: nobody talks there */
};

struct channel {
    struct named key;                   /* Uniqueid */
    struct call *call;
    struct channel *prev, *next;        /* of the call */
    struct channel *mate;               /* the other half of a Local channel */
    struct bridge *bridge;
    struct channel *bridge_prev, *bridge_next;
    struct channel *held_next;
    uint16_t leg;                       /* index in call->legs, or LEG_NONE */
    uint8_t state;
    bool is_dialled, is_holding, is_outbound, is_second_half;
    bool is_doubted;                    /* a Hangup of it was not believed */
    bool is_soiled;                     /* its events carry lines that somebody put in, between a head and a tail that agree */
    bool queue_left;                    /* QueueCallerLeave was seen; why is not known yet */
    bool queue_abandoned;               /* so was QueueCallerAbandon: the caller hung up, or its time was over (seen) */
    uint8_t app;                        /* enum app of what runs on it */
    uint32_t generation;                /* last gap of the node after which it was heard of */
    const char *next_role;              /* of the next leg that is dialled for it; NULL: as usual */
    int64_t hold_at;
    uint64_t place;                     /* of the AGI application in the dialplan: what it runs itself stands at the same place */
    int item[ITEM_KINDS];               /* the one that is open, or ITEM_NONE */
    char linkedid[CALL_ID_MAX], name[CALL_TEXT_MAX], number[64], file[CALL_TEXT_MAX];
};

struct leg {
    struct call_leg pub;
    uint16_t channels;                  /* running: a Local channel has two */
    uint16_t via;                       /* the hidden leg that dialled it, or LEG_NONE */
    bool is_hidden;                     /* a Local channel that only leads to another leg */
    bool is_rung, is_agent;
};

enum attempt { ATTEMPT_NONE, ATTEMPT_DIAL, ATTEMPT_QUEUE };
enum dial_result { DIAL_NONE, DIAL_ANSWER, DIAL_BUSY, DIAL_NO_ANSWER, DIAL_CANCEL, DIAL_FAILED };

struct call {
    struct named key;                   /* Linkedid */
    struct call *older, *newer;         /* by the last event */
    struct call *dirty_next, *doubted_next;
    struct call_record r;
    struct leg *legs;
    size_t leg_count, leg_room;
    struct item *items;
    size_t item_count, item_room;
    size_t item_counts[ITEM_KINDS];
    struct channel *channels;
    struct channel *primary;            /* the caller's; NULL: it is gone */
    uint16_t primary_leg;
    int64_t last_us;                    /* order_us of the last event */
    int64_t touched_us;                 /* recv_us of it: nobody's header can move it */
    /* What goes on now, for the sums of time; since_us: added up to there. */
    int64_t since_us;
    unsigned dials, holds, waits;
    bool is_connected, is_with_app, is_with_weak_app;
    /* What the outcome is made of. */
    enum attempt attempt;
    enum dial_result dial;
    int64_t dial_answered_us;
    char weak_app[32], dial_string[64];
    int64_t weak_at, weak_us;
    bool was_up, is_originate, is_rung, is_dirty, is_hostile, is_unobserved, is_doubted;
    char joined[CALL_ID_MAX];           /* the call that took its legs */
};

/* A Hangup that waits for the event behind it: nothing forged may follow. */
struct held_hangup {
    struct channel *channel;            /* NULL: none */
    struct call_fact stamp;             /* session, seq, at_us */
    int64_t recv_us;
    int32_t cause;
    char cause_text[64];
};

/* The first part of an event that a caller's text broke in two. */
struct broken_head {
    uint16_t name;                      /* enum tap_name; TAP_E_OTHER: none is open */
    unsigned left;                      /* blocks that may still bring its end */
    unsigned state;
    char channel[CALL_TEXT_MAX], bridge[CALL_TEXT_MAX];
};

struct break_in {
    uint64_t blocks, disbelieved;       /* not told yet */
    int64_t told_us;
    char call[CALL_ID_MAX], channel[CALL_TEXT_MAX], sample[96];
};

struct node {
    uint32_t generation;                /* grows with each gap */
    bool is_unsettled;                  /* a gap, and nobody said yet what is left */
    bool is_listing;                    /* TAP_PRESENT notes are coming */
    bool has_envelope, has_times, has_system;   /* what the session's first event carried */
    unsigned contrary;                  /* events in a row that carried something else */
    struct held_hangup held;
    struct broken_head head;
    struct break_in break_in;
};

enum { ENDED_SLOTS = 8192 };

struct facts {
    struct facts_options opt;
    struct facts_handlers on;
    void *arg;
    struct map channels, calls, bridges;
    struct channel *spare_channels;
    struct bridge *spare_bridges;
    struct call *spare_calls;
    size_t spare_call_count;
    struct call *oldest, *newest, *dirty, *doubted;
    struct node *nodes;
    uint64_t *ended;                    /* hashes of Uniqueids that hung up; what comes late opens nothing */
    struct call_leg *scratch;           /* legs of the record that is being told */
    struct buf json, details;
    struct call_fact stamp;             /* of the event at hand */
    int64_t recv_us;
    bool opens_partial;                 /* what is opened now was under way before */
    struct facts_figures figures;
    int err;
};

/* The fields that most events share, found in one walk. */
struct snapshot {
    struct text privilege, system, action_id;
    struct text uniqueid, linkedid, channel, number, name, state, context, exten;
    struct text last_uniqueid, last_linkedid;   /* nothing of a caller can stand behind Asterisk's own (trust.c) */
    bool is_whole;                      /* every header of a channel's snapshot is there */
};

/* facts.c */
void facts_mark_ended(struct facts *f, uint64_t hash);
bool facts_was_ended(const struct facts *f, uint64_t hash);
struct text facts_known(struct text t);         /* "<unknown>" is absent */
struct text facts_base(struct text channel);    /* "PJSIP/101" of "PJSIP/101-0000000a" */
int64_t facts_number(struct text t, int64_t otherwise);

/* facts_detail.c */
/* The next fact: fields in the order of the table, written by facts_field..., then told by facts_tell. */
void facts_begin(struct facts *f);
void facts_text(struct facts *f, const char *name, struct text value);
void facts_str(struct facts *f, const char *name, const char *value);
void facts_int(struct facts *f, const char *name, int64_t value);
void facts_bool(struct facts *f, const char *name, bool value);
void facts_tell(struct facts *f, enum fact kind, const struct call *c);
/* About a call that may not be open (any more). */
void facts_tell_id(struct facts *f, enum fact kind, const char *call);
void facts_tell_call(struct facts *f, struct call *c);
void facts_tell_ended(struct facts *f, struct call *c);

/* facts_outcome.c */
/* How the call went, when it is over; may fill in who answered. */
enum call_outcome outcome_of(const struct facts *f, struct call *c);

/* facts_call.c */
struct call *call_find(struct facts *f, uint32_t node, struct text linkedid);
/* NULL: full, or no memory (f->err). */
struct call *call_open(struct facts *f, uint32_t node, struct text linkedid);
void call_touch(struct facts *f, struct call *c);
void call_dirty(struct facts *f, struct call *c);
/* Adds the time since the last change to what was going on: before what goes on changes. */
void call_settle(struct facts *f, struct call *c);
void call_refresh_connected(struct facts *f, struct call *c);
void call_answer(struct facts *f, struct call *c, struct text by, struct text channel);
void call_end(struct facts *f, struct call *c);
void call_end_if_empty(struct facts *f, struct call *c);
void call_free(struct facts *f, struct call *c);
/* Ends as unobserved, with all its channels. */
void call_close_unobserved(struct facts *f, struct call *c);
struct item *call_item_add(struct facts *f, struct call *c, enum item_kind kind, struct text what);
void call_party(const struct call *c, uint16_t leg, struct text *by, struct text *channel);

/* facts_leg.c */
uint16_t leg_add(struct facts *f, struct call *c, const struct snapshot *s, const char *role);
struct leg *leg_of(const struct channel *ch);
/* channel, number, role. */
void leg_tell(struct facts *f, enum fact kind, struct call *c, const struct leg *l);
void leg_end(struct facts *f, struct call *c, struct leg *l);
struct text leg_label(const struct call *c, const struct leg *l);

/* facts_snapshot.c */
void snapshot_of(const struct tap_event *e, struct snapshot *s);

/* facts_rekey.c */
void channel_rekey(struct facts *f, struct channel *ch, struct text linkedid);

/* facts_channel.c */
void channel_link(struct call *c, struct channel *ch);
void channel_unlink(struct channel *ch);
void channel_drop_visits(struct facts *f, struct channel *ch);
struct channel *channel_find(struct facts *f, uint32_t node, struct text uniqueid);
struct channel *channel_open(struct facts *f, uint32_t node, const struct snapshot *s);
void channel_release(struct facts *f, struct channel *ch);     /* without a word: hung up, or vanished */
void channel_hang_up(struct facts *f, struct channel *ch, int32_t cause, struct text cause_text);
void channel_pair(struct facts *f, struct channel *one, struct channel *two);
void channel_set_state(struct facts *f, struct channel *ch, unsigned state);
void channel_update(struct facts *f, struct channel *ch, const struct snapshot *s);

/* facts_bridge.c */
void bridge_event(struct facts *f, const struct tap_event *e, struct channel *ch);
void bridge_enter(struct facts *f, struct channel *ch, struct text id, bool is_holding);
void bridge_leave(struct facts *f, struct channel *ch);
void bridge_destroy(struct facts *f, const struct tap_event *e);
void hold_start(struct facts *f, struct channel *ch);
void hold_end(struct facts *f, struct channel *ch);

/* facts_dial.c */
void dial_event(struct facts *f, const struct tap_event *e);
void dial_over(struct facts *f, struct channel *ch);
void originate_event(struct facts *f, const struct tap_event *e);

/* facts_queue.c */
void queue_event(struct facts *f, const struct tap_event *e, struct channel *ch);
void queue_member_event(struct facts *f, const struct tap_event *e);
/* What the caller does next, or QUEUESTATUS, tells why it left. */
void queue_resolve(struct facts *f, struct channel *ch, struct text status, bool is_gone);
/* QUEUESTATUS of a queue that did not take the caller. */
void queue_refused(struct facts *f, struct channel *ch, struct text status);
void dial_status(struct facts *f, struct channel *ch, struct text status);

/* facts_transfer.c */
void transfer_event(struct facts *f, const struct tap_event *e);

/* facts_park.c */
void unpark(struct facts *f, struct channel *ch, const char *outcome);
void park_event(struct facts *f, const struct tap_event *e);
void conference_event(struct facts *f, const struct tap_event *e, struct channel *ch);

/* facts_app.c */
void app_begin(struct facts *f, const struct tap_event *e, struct channel *ch, const struct snapshot *s);
void app_up(struct facts *f, struct channel *ch);
void app_over(struct facts *f, struct channel *ch);
void app_event(struct facts *f, const struct tap_event *e, struct channel *ch);
void variable_event(struct facts *f, const struct tap_event *e, struct channel *ch);
void call_note_dialled(struct facts *f, struct call *c, struct text exten, struct text context);

/* facts_gap.c */
void gap_note(struct facts *f, const struct tap_event *e);

/* facts_trust.c */
/* Whether the event may change anything; *s is filled for those that carry a channel. */
bool trust_take(struct facts *f, const struct tap_event *e, struct snapshot *s);
/* A Hangup: held when it is believed so far, counted when not. */
void trust_hang_up(struct facts *f, const struct tap_event *e, struct channel *ch, const struct snapshot *s);
void trust_doubt(struct facts *f, struct channel *ch);
/* An event with lines that somebody put in: whether its head and tail name one channel, and that is this. */
bool trust_is_own(const struct channel *ch, const struct snapshot *s);
/* The held one counts: nothing forged followed. */
void trust_release(struct facts *f, struct node *n);
void trust_forget(struct facts *f, struct node *n, const struct channel *ch);
/* Calls that only doubted Hangups are known of, long ago. */
void trust_sweep(struct facts *f);
/* The break-ins of a node that are counted and not told yet. */
void trust_tell(struct facts *f, uint32_t node);
