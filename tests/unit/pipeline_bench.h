/* A pipeline on a bench: ears and a voice that the test moves by hand, a model server that says what the test wrote down, and a list of what
 * the conversation was told. Include after cmocka.h. */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "ai/pipeline.h"
#include "base/buf.h"

enum { BENCH_REQUESTS = 12, BENCH_REQUEST_MAX = 16384, BENCH_EARS = 4 };

/* Of answers: one string a connection. \f waits for bench_go; \v holds the connection until the client is gone. */
#define BENCH_SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define BENCH_SAYS(words) "data: {\"choices\":[{\"delta\":{\"content\":\"" words "\"}}]}\n\n"
#define BENCH_CALLS(list) "data: {\"choices\":[{\"delta\":{\"tool_calls\":[" list "]}}]}\n\n"
#define BENCH_CALL(index, id, name, args) "{\"index\":" index ",\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}}"
#define BENCH_DONE "data: [DONE]\n\n"
#define BENCH_ANSWER(words) BENCH_SSE BENCH_SAYS(words) BENCH_DONE
#define BENCH_GREETING "Good morning."
/* Of requests. */
#define BENCH_USER(words) "{\"role\":\"user\",\"content\":\"" words "\"}"
#define BENCH_AGENT(words) "{\"role\":\"assistant\",\"content\":\"" words "\"}"
#define BENCH_REFUSES(status, body) "HTTP/1.1 " status " No\r\nConnection: close\r\n\r\n" body

struct bench_ear {
    struct stt base;               /* first */
    struct bench *bench;
    struct timer *closing;
    bool is_started, is_closed;
    unsigned frames, discards;
};

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct provider *agent;
    struct pipeline_options opt;
    struct llm_settings llm;
    struct llm_options thinking;
    char url[64];

    /* the model's server */
    const char *answers[BENCH_REQUESTS];
    char requests[BENCH_REQUESTS][BENCH_REQUEST_MAX];
    _Atomic unsigned asked;        /* requests that are there, whole */
    sem_t go;
    int listener;
    pthread_t server;

    /* the ears */
    struct bench_ear *ear;         /* the latest */
    unsigned ears, ears_closed;
    int ear_err;
    bool is_deaf;                  /* the ears are never ready */

    /* the voice */
    struct tts voice;
    struct timer *speaks;
    bool by_hand;                  /* the test gives the sound, */
    unsigned hand_from;            /* or from this text on; 0: never */
    bool is_saying, is_freed, is_spare;
    char words[1000];              /* being said */
    unsigned said, stops;
    unsigned voice_faults;         /* of the texts that come next */
    bool voice_may_retry, faults_late; /* late: after a piece of sound */

    /* what the conversation was told */
    struct buf log;
    bool is_started, is_closed, cuts, hears, closes_at_audio, closes_at_text, closes_at_call, closes_at_words, closes_at_speech, answers_inside, parts;
    uint32_t item, calls[16];      /* the item told last */
    size_t call_count;
    unsigned errors, wishes;
    enum provider_error kind;
    char detail[200];
    bool was_farewell;
};

/* answers: set before. greeting as in the options. */
void bench_open(struct bench *b, const char *greeting);
void bench_close(struct bench *b);
/* Starts without the greeting's being waited for. */
void bench_start(struct bench *b);
void bench_go(struct bench *b);
/* Turns the loop until the log has this; fails the test otherwise. */
void bench_until(struct bench *b, const char *logged);
/* ... until so many requests have come. */
void bench_until_asked(struct bench *b, unsigned requests);
void bench_clear(struct bench *b);
const char *bench_log(struct bench *b);
/* The "messages" of a request, from 0. */
const char *bench_messages(struct bench *b, unsigned request);
/* The caller's whole turn. */
void bench_turn(struct bench *b, const char *words);
void bench_expect_log(struct bench *b, const char *expected);
/* The request's messages begin so. */
void bench_expect_messages(struct bench *b, unsigned request, const char *expected);
