/* The parts of the embedded agent among themselves: local.c hears and hands on, local_turn.c decides, local_voice.c says. */
#pragma once

#include <stdbool.h>

#include "ai/ear.h"
#include "ai/local.h"
#include "base/buf.h"

enum {
    PER_MS = EAR_HZ / 1000,
    PIECE = 100 * PER_MS,           /* of audio handed on at a time */
    WORDS_MAX = 1000,               /* bytes of one answer: about a minute, what a conversation's playout holds */
    EVENTS = 64, DIGITS_MAX = 16,   /* waiting for the pump */
    NOISE_MS = 250,                 /* a sound this short that means nothing is not worth a reprompt */
    GAP_MS = 500,                   /* the line gave nothing for so long: silence is fed instead */
    TOOL_MAX_MS = 20000,            /* the conversation's own deadline is shorter; this one is for its faults */
    SOUNDING_SLACK_MS = 70000,      /* likewise: the playout holds 60 s */
    REJECTIONS_MAX = 3, SILENCES_MAX = 3,
};

enum event_kind { EVENT_READY, EVENT_STARTED, EVENT_STOPPED, EVENT_DIGIT, EVENT_UNHEARD, EVENT_SAID, EVENT_FAILED };

struct event {
    enum event_kind kind;
    char digit;
    int64_t at_us;
};

struct local {
    struct provider base;           /* first */
    struct loop *loop;
    const struct agent_file *agent;
    struct synthesiser *voice;
    struct log log;
    struct ear *ear;
    struct recogniser *recogniser;
    struct timer *pump, *gap;
    struct event events[EVENTS];
    size_t event_first, event_count, digits_waiting;

    bool ready;                     /* started */
    bool over;                      /* a wish or an error was told: only the end follows */
    bool closed;

    struct buf words;               /* being said */
    struct speech_job *job;         /* one at a time: no flood of digits fills the pool */
    bool is_dropped;                /* its words are not wanted any more */
    bool is_waiting;                /* words are to be said when it has ended */
    bool is_parting;                /* these are the last words, whatever the caller does */
    bool has_wish;                  /* after these words */
    enum provider_wish wish;
    struct text reason;
    enum provider_error fault;      /* for EVENT_FAILED */
    const char *fault_text;

    uint32_t item;                  /* last one */
    uint32_t sounding;              /* the one that the caller is hearing, or 0 */
    int64_t sounding_left;          /* samples until we stop to believe it */
    bool was_cut;                   /* the present speech interrupted us */

    uint32_t turn, asked_turn;      /* of the utterance at the recogniser: an older answer is stale */
    bool recognising;
    int voiced_ms;
    int asked;                      /* intent in "Did you say ...?", or -1 */
    unsigned rejections, silences;

    uint32_t tool_id;
    int tool_intent;                /* or -1 */
    int64_t tool_left;              /* samples */
    int64_t idle;                   /* samples of both being silent */
    int64_t heard_until_us;
    bool was_fed;                   /* since the gap timer ran */
};

bool local_is_live(const struct local *p);
/* Told by the pump: what cannot be told from inside a call of the conversation. */
void local_event_add(struct local *p, struct event e);
void local_drain(struct local *p);

/* Voice. What was being prepared before is dropped, its wish too. */
struct buf *local_words_begin(struct local *p); /* fill it, then local_say */
void local_say(struct local *p);
void local_say_text(struct local *p, struct text words);
void local_say_then(struct local *p, struct text words, enum provider_wish wish, struct text reason);
void local_speech_drop(struct local *p);
void local_wish_tell(struct local *p);

/* Turns. */
void local_judge(struct local *p, int intent, struct text words, double score);
void local_digit(struct local *p, char c);
void local_answer(struct local *p, const struct agent_intent *in, struct text words);
void local_reject(struct local *p);
void local_give_up(struct local *p, struct text reason);
