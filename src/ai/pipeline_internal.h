/* What the parts of the pipeline share; nobody else includes this. */
#pragma once

#include "ai/pipeline.h"
#include "ai/sentence.h"
#include "base/log.h"

enum {
    PIPELINE_QUEUE = 16,           /* sentences that wait for the voice; more stay with the model's words */
    PIPELINE_ITEMS = 32,           /* sentences whose length is known: all that wait, and all that can be cut */
    PIPELINE_TOOLS_MAX = CHAT_CALLS_MAX,
    PIPELINE_DIGITS_MAX = 32,
    PIPELINE_HZ = STT_HZ,
    PIPELINE_PER_MS = PIPELINE_HZ / 1000,
};

struct pipeline_item {             /* one sentence */
    uint32_t number;               /* 0: free */
    uint64_t samples;              /* that the voice gave */
    size_t words;                  /* bytes */
    bool is_done;
};

struct pipeline_sentence {
    uint32_t item;
    char *words;
};

struct pipeline_tool_call {
    uint32_t number;               /* the conversation's; 0: free */
    char *id, *name, *arguments;
};

struct pipeline_figures {
    unsigned turns, answers, sentences, cuts, tools, reprompts, ear_retries, voice_retries, mute;
    uint64_t unheard_frames;       /* of the caller, while there was no ear */
    int64_t words_ms_max, sound_ms_max;    /* from the question to the model's first word, to the first sample */
};

enum pipeline_state { PIPELINE_IDLE, PIPELINE_LIVE, PIPELINE_OVER, PIPELINE_CLOSED };

struct pipeline {
    struct provider base;
    struct log log;
    const struct pipeline_options *opt;    /* &own */
    struct pipeline_options own;
    enum pipeline_state state;
    struct timer *pump;            /* 0 ms: what may not run inside a call of the conversation */
    struct timer *keys;            /* digits belong together */
    struct timer *setup;           /* the ear's: ready, then made anew */
    struct timer *turn;            /* the caller's turn must end */
    struct timer *tools_late;
    struct timer *ahead;           /* what is ahead of the caller's ear must be heard */
    bool has_begun;                /* on_ready has been told */
    enum provider_error fault;
    char fault_text[200];
    bool has_fault;

    /* the ear */
    struct stt *ear;               /* NULL: none */
    unsigned ears;                 /* whose on_closed has not run */
    unsigned ear_retries_left;
    int64_t ear_since_us;
    unsigned turns_open;           /* from the caller's first sound to his words; he may begin the next before these have come */
    bool has_stopped;              /* his voice has; his words have not come */
    unsigned turns_discarded;      /* of those that are open: a digit came */
    unsigned misheard;             /* turns of no words, one after the other */
    char digits[PIPELINE_DIGITS_MAX + 1];
    size_t digit_count;

    /* the model */
    struct llm *llm;
    struct chat_history history;
    struct sentence sentence;      /* its words that are in no sentence yet */
    bool wants_answer;             /* as soon as it is the agent's turn */
    bool owes_answer;              /* the caller's sound took one away before a word of it was heard */
    bool is_greeting;              /* the present answer is the greeting */
    bool was_cut;                  /* by the present turn */
    bool is_asked_again;           /* because there was nothing in the answer */
    unsigned rounds;               /* of tools in this turn */
    uint32_t turn_first;           /* the turn's first item */
    uint32_t answer_first;
    int64_t asked_us;              /* 0: the first sample has come */
    bool has_words;                /* of the present answer */

    /* the voice */
    struct tts *voice;
    bool is_spare;
    struct pipeline_sentence queue[PIPELINE_QUEUE];
    size_t queue_first, queue_count;
    struct pipeline_sentence saying;       /* item 0: nothing */
    bool is_said_again;
    struct pipeline_item items[PIPELINE_ITEMS];
    uint32_t newest, given, heard; /* last sentence; last that has sound; last that was heard, or cut */

    /* tools */
    struct pipeline_tool_call tools[PIPELINE_TOOLS_MAX];
    uint32_t tool_number;
    unsigned tools_open;
    bool is_taking_calls;          /* of one answer, one after the other */

    bool is_parting;               /* nothing but the last words */
    bool has_wish, is_wish_told;   /* once they are spoken */

    struct pipeline_figures figures;
};

static inline bool pipeline_is_on(const struct pipeline *p) { return p->state == PIPELINE_LIVE; }

/* pipeline.c */
/* May be called from anywhere: the conversation is told from the pump. */
void pipeline_fail(struct pipeline *p, enum provider_error kind, const char *detail);

/* pipeline_ear.c: the caller. */
/* Makes an ear; what goes wrong is told by pipeline_fail. */
void pipeline_ear_open(struct pipeline *p);
void pipeline_ear_close(struct pipeline *p);
void pipeline_on_setup(struct pipeline *p);
void pipeline_on_turn_late(struct pipeline *p);
void pipeline_digit(struct pipeline *p, char c);
void pipeline_on_keys(struct pipeline *p);

/* pipeline_turn.c: the model. */
extern const struct llm_handlers pipeline_llm_on;
void pipeline_greet(struct pipeline *p);
/* Asks the model as soon as it is its turn. */
void pipeline_ask(struct pipeline *p);
/* The caller's words, or what stands for them: the model is to answer. */
void pipeline_say_to(struct pipeline *p, struct text words);
/* What is still to come of the present answer does not. */
void pipeline_answer_drop(struct pipeline *p);
/* The caller speaks and hears nothing: an answer that is under way would talk over him. */
void pipeline_answer_hold(struct pipeline *p);
void pipeline_interrupted(struct pipeline *p, uint32_t item, unsigned played_ms);

/* pipeline_voice.c: the sentences. */
extern const struct tts_handlers pipeline_voice_on;
/* Cuts the words that have come into sentences. is_end: no more of them come. */
void pipeline_sentences_take(struct pipeline *p, bool is_end);
void pipeline_speak(struct pipeline *p);
void pipeline_voice_drop(struct pipeline *p);
bool pipeline_is_audible(const struct pipeline *p);
bool pipeline_is_speaking(const struct pipeline *p);       /* sentences wait, or one is being made */
struct pipeline_item *pipeline_item(struct pipeline *p, uint32_t number);
/* Of the whole sentence, at least 1; estimated from its words while it is not there. */
uint64_t pipeline_item_ms(const struct pipeline_item *it);
void pipeline_heard(struct pipeline *p, uint32_t item);

/* pipeline_tools.c */
void pipeline_calls_take(struct pipeline *p, const struct chat_call *calls, size_t count);
void pipeline_tool_answer(struct pipeline *p, uint32_t number, int err, struct text result);
bool pipeline_farewell(struct pipeline *p, uint32_t number);
void pipeline_on_tools_late(struct pipeline *p);
void pipeline_tools_free(struct pipeline *p);
