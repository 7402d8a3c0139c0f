/* The talk itself: a leg and a provider on one loop, playout between them, barge-in, tools, and a defined end.
 * Thread: its loop. on_ended runs once, last, never from inside a call. */
#pragma once

#include "ai/provider.h"
#include "base/hist.h"
#include "call/keeper.h"
#include "call/manner.h"
#include "call/talk_meters.h"
#include "call/timeline.h"
#include "call/tools.h"
#include "net/loop.h"
#include "pbx/leg.h"

struct conversation;

enum talk_end {
    TALK_HAND_BACK,      /* the provider wished so: SIDETONE_STATUS OK, reason from the provider */
    TALK_HANG_UP,        /* the provider wished to end the call */
    TALK_LEG_LOST,       /* the carrier ended: usually the caller hung up */
    TALK_ERROR,          /* provider or leg cannot go on */
    TALK_TIMEOUT,        /* max_ms reached */
    TALK_STOPPED,        /* conversation_stop */
};

/* Makes the provider that talks in place of one that failed (not started). -ENOENT: none is left. Runs from inside the conversation: it may
 * not end it. */
typedef int conversation_next(struct provider **out, void *arg);

struct conversation_options {
    struct text call;              /* Uniqueid; copied */
    struct text context;           /* JSON object handed to tools; copied */
    const struct timeline *timeline;
    const struct tools *tools;     /* may be NULL: every tool call fails with a sentence */
    int64_t tool_ms;               /* 0 = 5000 */
    int64_t max_ms;                /* longest talk; 0 = 30 min */
    struct keeper *keeper;         /* gets the sound of both sides until on_ended; NULL: none */
    const struct talk_meters *meters; /* NULL: nobody counts */
    const struct talk_manner *manner; /* NULL: nothing cuts the agent off, and nothing is said but the provider's words */
    conversation_next *next;       /* NULL: a provider that fails ends the talk */
    void *next_arg;
};

struct conversation_figures {
    unsigned turns, barge_ins, tools;
    int64_t first_audio_ms;        /* from start to the first spoken sample handed to the leg; -1 none */
    int64_t cut_max_us;            /* longest from detected onset to the last agent sample */
    uint64_t underruns;
};

typedef void conversation_on_ended(enum talk_end how, struct text reason, const struct conversation_figures *f, void *arg);

/* Takes over leg and provider (closes both, whatever happens, but not when it returns an error). Rates are matched by resampling. */
int conversation_start(struct conversation **out, struct loop *l, struct leg *leg, struct provider *provider,
                       const struct conversation_options *opt, const struct log *log,
                       conversation_on_ended *on_ended, void *arg) MUST_USE;
/* Another provider takes over the same leg, from now on: what the old one still says or wishes is not heard, its tools are stopped, and it is
 * closed in order. Takes `next` over (not started yet), but not when it returns an error: -ESHUTDOWN when the talk is ending, -EINVAL for rates
 * too far apart, -ENOMEM; then the old one goes on. May be called from inside a handler or a tool of the old one. */
int conversation_switch(struct conversation *c, struct provider *next) MUST_USE;
/* For who talks from now on; see conversation_switch. m outlives the talk; NULL as in the options. */
void conversation_set_manner(struct conversation *c, const struct talk_manner *m);
/* Ends it now; on_ended follows with TALK_STOPPED. Safe to call twice. */
void conversation_stop(struct conversation *c);
