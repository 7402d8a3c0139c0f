/* What openai_server.c, openai_session.c and openai_answer.c share; nobody else includes this. */
#pragma once

#include <cjson/cJSON.h>

#include "audio/vad.h"
#include "net/websocket.h"
#include "sim/openai_script.h"
#include "sim/openai_server.h"

enum { SIM_ITEMS = 512, SIM_ID = 40, SIM_SESSIONS_MAX = 1000 };

struct sim_item {                  /* a spoken answer, as far as it was sent */
    char id[SIM_ID];
    uint64_t bytes;
};

struct openai_server {
    struct loop *loop;
    struct listener *listener;
    struct openai_script script;
    struct openai_server_options opt;
    char *key;
    unsigned sessions;             /* so far */
    struct sim_session *first;
    size_t live;
    openai_server_on_moment *on_moment;
    void *arg;
};

struct sim_session {
    struct openai_server *server;  /* NULL: the server is gone */
    struct sim_session *next, **link;
    struct websocket *ws;
    struct timer *tick;            /* audio leaves */
    struct timer *hello;           /* session.created, and the end of a lingering one */
    unsigned number;
    enum sim_fault fault;
    uint64_t events, ids;
    bool is_configured, has_audio;
    /* as configured */
    bool in_is_ulaw, out_is_ulaw, has_vad, creates, interrupts, transcribes;
    int64_t silence_ms, padding_ms;
    struct vad vad;
    uint64_t samples;              /* heard */
    size_t heard;                  /* lines of the script used */
    char user_item[SIM_ID];
    /* the answer under way */
    size_t answer;                 /* lines of the script used */
    const struct scripted_answer *said; /* the last spoken one */
    const struct scripted_answer *now;
    char response[SIM_ID];
    unsigned char *audio;          /* coded as the client wants it */
    size_t audio_n, audio_at;
    struct sim_item *item;
    struct sim_item items[SIM_ITEMS];
    size_t item_count;
    char open_call[SIM_ID];        /* call_id without its output */
};

/* openai_session.c */
void sim_send(struct sim_session *s, const char *type, const char *rest, ...) PRINTF_LIKE(3, 4);
void sim_error(struct sim_session *s, const char *code, const char *cause, const char *param, const char *message);
void sim_moment(struct sim_session *s, const char *what, const char *fmt, ...) PRINTF_LIKE(3, 4);
void sim_id(struct sim_session *s, const char *kind, char out[SIM_ID]);
int sim_session_open(struct openai_server *server, struct stream *stream);
void sim_session_end(struct sim_session *s);

/* openai_answer.c */
void sim_answer_begin(struct sim_session *s);
/* status "cancelled", reason "turn_detected" or "client_cancelled". */
void sim_answer_cancel(struct sim_session *s, const char *reason);
void sim_answer_tick(struct sim_session *s);
