/* What the parts of the Deepgram provider share; nobody else includes this. */
#pragma once

#include "ai/deepgram_agent.h"
#include "ai/deepgram_event.h"
#include "base/log.h"
#include "net/websocket.h"

enum {
    DEEPGRAM_ITEMS = 32,           /* answers whose length is known: as many as the playout holds */
    DEEPGRAM_TOOLS_MAX = 8,
    DEEPGRAM_DIGITS_MAX = 32,
};

struct deepgram_item {             /* one spoken answer */
    uint32_t number;               /* 0: free */
    uint64_t samples;              /* received */
};

struct deepgram_tool_call {
    uint32_t number;               /* the conversation's; 0: free */
    char *id, *name;               /* the service's; id NULL: its session is gone */
    bool is_void;                  /* taken back: no answer */
};

struct deepgram_figures {
    uint64_t sent_frames, dropped_frames, events, bad_events, late_audio, warnings, keep_alives;
    unsigned answers, cuts, reconnects;
};

enum deepgram_state { DEEPGRAM_IDLE, DEEPGRAM_CONNECTING, DEEPGRAM_SETTING_UP, DEEPGRAM_LIVE, DEEPGRAM_OVER, DEEPGRAM_CLOSED };

struct deepgram {
    struct provider base;
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    const struct deepgram_settings *settings;
    char *key;
    enum deepgram_state state;
    struct websocket *ws;          /* NULL: none. It holds a reference to us until its on_closed */
    struct timer *pump;            /* 0 ms: what may not run inside a call of the conversation */
    struct timer *watch;           /* set-up, then an answer that is owed */
    struct timer *retry;           /* the line, once more */
    struct timer *keys;            /* digits belong together */
    struct timer *alive;           /* KeepAlive */
    struct timer *lifetime;        /* the service ends sessions */
    int64_t setup_ms, stall_ms, ping_ms, retry_ms, alive_ms;
    struct buf out;                /* the message in the making */
    struct buf early;              /* audio from before the session was ready */

    bool has_begun;                /* on_ready has been told */
    unsigned reconnects_left;
    enum provider_error fault;
    char fault_text[200];
    bool has_fault;
    unsigned bad_run;              /* messages behind the other that could not be read */
    bool has_sent;                 /* since the alive timer's last turn */

    bool is_owed;                  /* the caller waits: silence from the service is a fault */
    bool was_owed;                 /* when the line was lost */
    char *asked;                   /* of words that waited for a session the latest; NULL: none */
    bool is_muted;                 /* what still comes of an answer that was cut is thrown away */
    bool is_caller_speaking;
    int odd;                       /* -1, or the first half of a 16-bit sample */
    struct deepgram_item items[DEEPGRAM_ITEMS];
    uint32_t newest, open, heard;  /* open: the one that is coming; 0 none */
    struct deepgram_tool_call tools[DEEPGRAM_TOOLS_MAX];
    uint32_t tool_number;
    unsigned tools_open;
    char digits[DEEPGRAM_DIGITS_MAX + 1];
    size_t digit_count;
    struct talk_words words;
    struct deepgram_figures figures;
};

/* deepgram_link.c: the line. */
void deepgram_connect(struct deepgram *p);
/* Sends p->out and clears it; a message that finds no room ends the line. */
void deepgram_send(struct deepgram *p);
void deepgram_send_audio(struct deepgram *p, const void *bytes, size_t n);
/* The line is of no more use: again if that makes sense, else the talk ends with this. */
void deepgram_lost(struct deepgram *p, enum provider_error kind, bool may_retry, const char *detail);
void deepgram_fail(struct deepgram *p, enum provider_error kind, const char *detail);
void deepgram_drop_line(struct deepgram *p, int status);
/* Session ready: sends what waited. */
void deepgram_begin(struct deepgram *p);

/* deepgram_turn.c: what the service says. */
void deepgram_on_event(struct deepgram *p, const struct deepgram_event *e);
void deepgram_on_sound(struct deepgram *p, struct text bytes);
void deepgram_owe(struct deepgram *p, bool is_owed);
void deepgram_item_close(struct deepgram *p);
void deepgram_interrupted(struct deepgram *p, uint32_t item, unsigned played_ms);
void deepgram_tool_answer(struct deepgram *p, uint32_t number, int err, struct text result);
/* Words as if of the caller: an answer is owed. Between sessions they wait. */
void deepgram_ask(struct deepgram *p, struct text words);

static inline bool deepgram_is_on(const struct deepgram *p) { return p->state != DEEPGRAM_OVER && p->state != DEEPGRAM_CLOSED; }
