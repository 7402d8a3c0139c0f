/* What the files of the stand-in for Deepgram share; nobody else includes this. */
#pragma once

#include <cjson/cJSON.h>

#include "audio/vad.h"
#include "sim/deepgram_check.h"
#include "sim/mouth.h"
#include "sim/service_inner.h"

enum {
    DG_MARKS = 64,                 /* flushes whose audio is still on its way */
    DG_SPEAK_MAX = 2000,           /* characters of one Speak */
    DG_TEXT_MAX = 8000,            /* waiting for a Flush */
    DG_FAULT_AT_MS = 800,          /* into speech, theirs or ours: mid-word */
    DG_ID = 40,
};

struct dg_client;

struct dg_endpoint {
    const char *path;
    const struct dg_parameter *parameters;
    /* Query and defaults are in; NULL: nothing more to know. */
    void (*on_target)(struct dg_client *c, const struct dg_query *q);
    void (*on_hello)(struct dg_client *c);
    void (*on_text)(struct dg_client *c, const cJSON *message);
    void (*on_audio)(struct dg_client *c, struct text bytes);
    /* After each 20 ms of what the caller says. NULL: it has no ear. */
    void (*on_heard)(struct dg_client *c, enum vad_event e);
    /* Nothing came for idle_ms. NULL: there is no such limit. */
    void (*on_idle)(struct dg_client *c);
    int64_t idle_ms;
    const struct shape_field *(*fields_of)(const char *type);   /* of a client's message; NULL: no such type */
};
extern const struct dg_endpoint dg_listen, dg_flux, dg_speak, dg_agent;

struct dg_client {
    struct sim_client base;
    const struct dg_endpoint *endpoint;
    struct timer *hello, *idle;
    struct mouth mouth;
    bool is_struck;                /* the fault is done: nothing more comes */
    bool is_ready;                 /* messages may be bent */
    uint64_t sent;                 /* messages */

    /* the ear */
    enum sim_coding in, out;
    unsigned in_hz, out_hz;
    struct vad vad;
    uint64_t samples;              /* heard */
    size_t heard;                  /* lines of the script used */
    const char *words;             /* of the turn under way; NULL: none */
    uint64_t turn_at;              /* where it began, in samples */
    uint64_t told_at;              /* latest interim */

    union {
        struct {
            int64_t endpointing_ms;   /* -1: off */
            int64_t utterance_end_ms; /* 0: off */
            bool has_interim, has_vad_events;
            uint64_t utterance_end_at;
        } listen;
        struct {
            bool is_eager;
            unsigned turn;
            uint64_t silent_at;       /* 0: the caller speaks */
            int64_t timeout_ms;
        } flux;
        struct {
            char text[DG_TEXT_MAX + 1];
            size_t n;
            size_t marks[DG_MARKS], mark_count;
            unsigned flushes, clears;
            int64_t minute_ms;        /* when the present minute of flushes began */
            unsigned in_minute;
        } speak;
        struct {
            bool has_settings;
            size_t answer;
            const struct scripted_answer *said;
            char call[DG_ID];         /* waits for its answer */
            char call_name[80];
            unsigned calls;
            uint64_t said_bytes;
        } agent;
    };
};

/* deepgram_session.c */
/* A message {"type":..., and what fmt adds}: fmt begins behind a comma, or is "". Bent by the faults that bend. */
void dg_send(struct dg_client *c, const char *type, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Closes with a code of the documentation: "NET-0001", in its words. */
void dg_close(struct dg_client *c, int status, const char *code, const char *why);
void dg_complain(struct dg_client *c, const char *code, const char *about, const char *why);
/* The moment of mid-word has come. True: nothing more is said. */
bool dg_strike(struct dg_client *c);
/* Hears coded audio. */
void dg_hear(struct dg_client *c, struct text bytes);
/* Begins to hear: formats are known. hangover_ms: silence that ends speech. */
void dg_ear_open(struct dg_client *c, int64_t hangover_ms);
/* What the caller will have said, of the next line of the script. */
const char *dg_words_next(struct dg_client *c);
/* So much of the words as fits into so many ms of speech: at least one word. */
struct text dg_words_until(const struct dg_client *c, int64_t ms);
static inline double dg_seconds(const struct dg_client *c, uint64_t samples) { return (double)samples / c->in_hz; }
void dg_mouth_open(struct dg_client *c);
/* Speaks text with the stand-in's voice into the mouth. */
bool dg_speech_add(struct dg_client *c, const char *words);
