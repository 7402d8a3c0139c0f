/* What the parts of the Realtime provider share; nobody else includes this. */
#pragma once

#include "ai/openai_event.h"
#include "ai/openai_realtime.h"
#include "ai/talk_words.h"
#include "net/websocket.h"

enum {
    OPENAI_ITEMS = 32,             /* answers that can still be cut: as many as the playout holds */
    OPENAI_TOOLS_MAX = 8,          /* calls of one answer */
    OPENAI_ID_MAX = 127,
    OPENAI_DIGITS_MAX = 32,
};

struct openai_item {               /* one spoken answer */
    uint32_t number;               /* the conversation's; 0: free */
    char id[OPENAI_ID_MAX + 1];    /* the service's */
    uint64_t samples;              /* received */
    unsigned heard_ms;             /* once cut */
    bool is_done, is_dead;         /* dead: cut, or of a session that is gone */
};

struct openai_tool_call {
    uint32_t number;               /* the conversation's; 0: free */
    char *call_id;
};

struct openai_figures {
    uint64_t sent_frames, dropped_frames;      /* dropped: the line's queue was full, or the session not ready for long */
    uint64_t events, bad_events, bad_audio, late_audio, errors;
    unsigned responses, failed, truncations, reconnects;
};

enum openai_state { OPENAI_IDLE, OPENAI_CONNECTING, OPENAI_SETTING_UP, OPENAI_LIVE, OPENAI_OVER, OPENAI_CLOSED };

struct openai {
    struct provider base;
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    const struct openai_settings *settings;
    char *key;
    enum openai_state state;
    struct websocket *ws;          /* NULL: none. It holds a reference to us until its on_closed */
    struct timer *pump;            /* 0 ms: what may not run inside a call of the conversation */
    struct timer *watch;           /* set-up, then an answer that is owed */
    struct timer *retry;           /* an answer that failed, once more */
    struct timer *keys;            /* digits belong together */
    struct timer *lifetime;        /* the service ends sessions */
    int64_t setup_ms, stall_ms, ping_ms, retry_ms;
    struct buf out;                /* the message in the making */
    struct buf early;              /* audio from before the session was ready */

    bool has_begun;                /* on_ready has been told */
    unsigned reconnects_left;
    enum provider_error fault;
    char fault_text[200];
    bool has_fault;

    /* answers */
    bool is_owed;                  /* the caller waits: silence from the service is a fault */
    bool wants_response;           /* asked for as soon as none is under way */
    bool is_answering;             /* between response.created and response.done */
    char response[OPENAI_ID_MAX + 1];
    char muted[OPENAI_ID_MAX + 1]; /* response whose late audio is thrown away */
    bool has_sounded;              /* the present response brought audio */
    bool is_retried;               /* the failed answer has been asked for again */
    bool in_speech_started;        /* the service cancels by itself */
    struct openai_item items[OPENAI_ITEMS];
    uint32_t newest;               /* number of the latest item */
    uint32_t open;                 /* item that is still coming; 0 none */
    uint32_t heard;                /* highest item that the caller has heard to its end */

    struct openai_tool_call tools[OPENAI_TOOLS_MAX];
    uint32_t tool_number;
    unsigned tools_open;
    bool is_taking_calls;          /* of one answer, one after the other */

    char digits[OPENAI_DIGITS_MAX + 1];
    size_t digit_count;

    struct talk_words words;

    int64_t fed_us;                /* when the first sample of this session was heard by us */
    struct openai_figures figures;
};

/* openai_link.c: the line. */
void openai_connect(struct openai *p);
/* Sends p->out and clears it. A message that finds no room is dropped; of audio that is counted, of anything else it ends the line. */
void openai_send(struct openai *p);
/* The line is of no more use: again if that makes sense, else the talk ends with this. */
void openai_lost(struct openai *p, enum provider_error kind, bool may_retry, const char *detail);
void openai_fail(struct openai *p, enum provider_error kind, const char *detail);
void openai_drop_line(struct openai *p, int status);
/* Session ready: sends what waited. */
void openai_begin(struct openai *p);

/* openai_turn.c: what the service says. */
void openai_on_event(struct openai *p, const struct openai_event *e);
void openai_response_ask(struct openai *p);
void openai_owe(struct openai *p, bool is_owed);
/* No more of the item that was coming. */
void openai_item_close(struct openai *p);
void openai_interrupted(struct openai *p, uint32_t item, unsigned played_ms);
void openai_tool_answer(struct openai *p, uint32_t number, int err, struct text result);

static inline bool openai_is_on(const struct openai *p) { return p->state != OPENAI_OVER && p->state != OPENAI_CLOSED; }
