/* What the files of a conversation share; nobody else includes this.
 *   conversation.c        its life: states, the leg, the end
 *   conversation_party.c  the providers that talk in it, one after the other
 *   conversation_ear.c    what the caller says
 *   conversation_wait.c   what is said when nobody else does
 *   conversation_parting.c  the end that a tool asks for */
#pragma once

#include "call/barge_in.h"
#include "call/conversation.h"
#include "call/look_back.h"
#include "call/memory.h"
#include "call/patience.h"
#include "call/toolbox.h"
#include "call/voice.h"

enum talk_state { TALK_TALKING, TALK_WISHED, TALK_CLOSING, TALK_ENDED };

enum { TALK_REASON_MAX = 200 };
enum { TALK_WISH_MS = 30 * 1000 }; /* longest farewell */

/* Asked for by a built-in tool, and waiting for the last words. */
struct talk_parting {
    bool is_set;
    char agent[64];                /* who takes over; "": nobody, the talk ends */
    enum talk_end how;
    char reason[TALK_REASON_MAX];
};

/* One provider's time on the line. What belongs to it goes with it: its tools, the conversion to its rate. Freed when it has closed. */
struct party {
    struct conversation *talk;     /* held */
    struct provider *provider;
    struct resampler *resampler;   /* caller to provider; NULL: same rate */
    struct toolbox *tools;
    struct timer *leave;           /* 0 ms: closed in a turn of its own, for it may be its own handler that parts with it */
    bool is_closing;               /* provider_close was called */
};

struct conversation {
    enum talk_state state;
    struct log log;
    struct loop *loop;
    struct leg *leg;               /* NULL once closed */
    struct party *party;           /* who talks now; NULL: nobody (any more) */
    unsigned sides;                /* not closed yet: leg, parties */
    struct voice *voice;           /* provider to caller */
    char *call, *context;
    const struct timeline *timeline;
    const struct tools *tools;
    int64_t tool_ms;
    const struct talk_manner *manner; /* never NULL */
    struct patience patience;
    struct timer *step;            /* of patience */
    bool caller_talks;             /* as the provider says */
    struct barge_in ear;           /* ours */
    bool ear_is_on;                /* somebody wants to know what it hears */
    struct look_back *before;      /* what the provider has not heard; NULL: nothing was ever withheld */
    bool withholds;
    struct memory memory;          /* what was said, for an agent that takes over */
    conversation_next *next;
    void *next_arg;
    struct timer *longest, *farewell; /* farewell: of a wish, then of closing */

    struct keeper *keeper;
    const struct talk_meters *meters;
    bool is_counted;
    const char *counted;           /* under which provider this talk is counted now */
    uint64_t underruns_told;
    int64_t began_us;              /* of the agent's last answer */

    int64_t started_us;
    bool has_dropped;              /* logged once */
    enum talk_end how;
    char reason[TALK_REASON_MAX];
    struct talk_parting parting;
    struct conversation_figures figures;
    struct leg_figures media;      /* known once the leg has closed */
    conversation_on_ended *on_ended;
    void *arg;
};

/* ---- conversation.c ---- */
bool talk_is_on(const struct conversation *c);
struct text talk_call(const struct conversation *c);
/* Ends it; nothing when it is ending already. */
void talk_end(struct conversation *c, enum talk_end how, struct text reason);
/* Ends it so, once what waits has been heard. The first wish counts. */
void talk_wish(struct conversation *c, enum talk_end how, struct text reason);
/* Throws away what the agent still wanted to say, and tells the provider how much of it was heard. */
void talk_interrupt(struct conversation *c, const char *by, int64_t onset_us);
/* The leg or a party has closed: the last of them ends the talk. Drops one reference. */
void talk_side_closed(struct conversation *c);

/* ---- conversation_parting.c ---- */
/* What call `id` of a tool of p asks for: 0, or -EALREADY when the talk is parting or ending already. */
int talk_part_for_good(struct conversation *c, struct party *p, uint32_t id, enum builtin how, struct text reason) MUST_USE;
int talk_part_to(struct conversation *c, struct party *p, uint32_t id, struct text agent) MUST_USE;
/* When parting is set: the provider has said its last words; all was heard; it took too long. */
void talk_parting_go(struct conversation *c);
void talk_parting_silent(struct conversation *c);
void talk_parting_late(struct conversation *c);

/* ---- conversation_party.c ---- */
/* -ENOMEM, -EINVAL for rates too far apart. The provider is taken over on success, not started. */
int party_new(struct party **out, struct conversation *c, struct provider *provider) MUST_USE;
void party_free(struct party *p);                 /* one that was never started */
/* Puts it on the line. */
void party_start(struct party *p);
/* Closes it; its events are not heard any more once it is not c->party. */
void party_close(struct party *p);
void party_hear(struct party *p, const int16_t *pcm, size_t n, int64_t at_us);

/* ---- conversation_ear.c ---- */
void talk_ear_init(struct conversation *c);
void talk_hear(struct conversation *c, const int16_t *pcm, size_t n, int64_t at_us);
bool talk_caller_talks(const struct conversation *c);

/* ---- conversation_wait.c ---- */
int wait_new(struct conversation *c) MUST_USE;
/* From the start to talk_end. */
void wait_start(struct conversation *c);
void wait_stop(struct conversation *c);
/* Tells the meters who talks; "": nobody any more. */
void wait_count(struct conversation *c, const char *provider);
/* Says a phrase, when there is one; why: for the fact. */
void wait_say(struct conversation *c, const struct phrase *phrase, const char *why);
/* Somebody else has to be fetched: the caller hears of it at once, in the words of who failed. */
void wait_failed(struct conversation *c, const struct phrase *sorry);
int64_t wait_now_ms(const struct conversation *c);
