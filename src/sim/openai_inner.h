/* What openai_session.c and openai_answer.c share; nobody else includes this. */
#pragma once

#include <cjson/cJSON.h>

#include "audio/vad.h"
#include "sim/mouth.h"
#include "sim/service_inner.h"

enum { SIM_ITEMS = 512, SIM_ID = 40 };

struct sim_item {                  /* a spoken answer, as far as it was sent */
    char id[SIM_ID];
    uint64_t bytes;
};

struct sim_session {
    struct sim_client base;
    struct mouth mouth;
    struct timer *hello;           /* session.created, and the end of a lingering one */
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
    struct sim_item *item;
    struct sim_item items[SIM_ITEMS];
    size_t item_count;
    char open_call[SIM_ID];        /* call_id without its output */
};

/* openai_session.c */
void sim_send(struct sim_session *s, const char *type, const char *rest, ...) PRINTF_LIKE(3, 4);
void sim_error(struct sim_session *s, const char *code, const char *cause, const char *param, const char *message);
#define sim_moment(s, ...) sim_client_moment(&(s)->base, __VA_ARGS__)
void sim_id(struct sim_session *s, const char *kind, char out[SIM_ID]);

/* openai_answer.c */
void sim_answer_begin(struct sim_session *s);
/* status "cancelled", reason "turn_detected" or "client_cancelled". */
void sim_answer_cancel(struct sim_session *s, const char *reason);
/* As they came: part of the answer under way, if there is one. */
void sim_answer_echo(struct sim_session *s, const unsigned char *bytes, size_t n);
/* The mouth's handlers. */
void sim_answer_mouth(struct sim_session *s);
