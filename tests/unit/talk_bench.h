/* A conversation between a fake leg and fake providers, turned by hand: for tests of what happens between them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/conversation.h"

enum { TALK_FRAME = 160, TALK_FACTS_MAX = 256, TALK_PROVIDERS_MAX = 4 };

struct talk_bench;

struct talk_leg {
    struct leg leg;
    struct talk_bench *b;
    struct timer *closing;
    bool started, closed;
};

struct talk_provider {
    struct provider provider;
    struct talk_bench *b;
    struct timer *closing;
    bool started, closed, gone;    /* gone: it has told on_closed */
    unsigned hears, hear_samples, digits, interruptions, heard_count, results;
    int16_t hear_peak;
    unsigned loud_samples;         /* beyond 1000 */
    uint32_t interrupted_item, heard_item, result_id;
    unsigned played_ms;
    int result_err;
    char before[400];              /* what it was told: "agent: words / caller: words" */
};

struct talk_bench {
    struct loop *loop;
    struct talk_leg *leg;
    struct talk_provider *providers[TALK_PROVIDERS_MAX]; /* freed ones stay to be looked at: freed with the bench */
    size_t provider_count;
    struct fact *facts[TALK_FACTS_MAX];
    size_t fact_count;
    struct timeline timeline;
    struct tools tools;
    tool_on_result *tool_answer;
    void *tool_arg;
    unsigned tool_runs, tool_stops;
    int64_t now_us;                /* of the audio clock */
    struct conversation *talk;
    unsigned ended;
    enum talk_end how;
    char reason[200];
    struct conversation_figures figures;
};

struct talk_bench *talk_bench_new(void);
/* Each provider closes in a turn of its own. */
struct provider *talk_bench_provider(struct talk_bench *b, unsigned rate_hz);
/* Makes leg (8 kHz) and first provider, and starts; opt->timeline and tools become the bench's. */
void talk_bench_start(struct talk_bench *b, unsigned provider_hz, const struct conversation_options *opt);
struct conversation_options talk_bench_options(void);
/* What provider i says: samples of value 1000 + item. */
void talk_bench_says(struct talk_bench *b, size_t i, uint32_t item, size_t samples, bool last);
void talk_bench_fails(struct talk_bench *b, size_t i, enum provider_error kind);
/* Waits until provider i has closed. */
void talk_bench_gone(struct talk_bench *b, size_t i);
/* One tick of the audio clock; returns how many samples were not silence. out: TALK_FRAME samples, or NULL. */
size_t talk_bench_tick(struct talk_bench *b, int16_t *out);
/* What the caller says. */
void talk_bench_caller(struct talk_bench *b, const int16_t *pcm, size_t n);
/* The n-th fact of that kind, from 0; NULL: not so many. */
const struct fact *talk_bench_fact(const struct talk_bench *b, const char *kind, size_t n);
/* Waits for the end, checks it, and that all sides were let go; frees everything. */
void talk_bench_end(struct talk_bench *b, enum talk_end how, const char *reason);
