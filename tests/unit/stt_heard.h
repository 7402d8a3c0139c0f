/* What a test hears of a pipeline's ears, with the promises of ai/stt.h checked at each word. Include after cmocka.h. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/speech.h"
#include "ai/stt.h"

enum { HEARD_MAX = 16, HEARD_MS = 8, HEARD_PIECE = 20 * HEARD_MS };

struct heard_turn {
    char words[400], intent[40];
    double score;
};

struct heard {
    struct stt *ears;
    unsigned ready, starts, stops, partials, turns, resumed, faults, closed;
    int64_t onset_us, end_us;
    char partial[400];
    struct heard_turn turn[HEARD_MAX];
    enum provider_error kind;
    char detail[300];
    bool is_inside;                /* of a call into the ears */
    bool closes_at_turn, discards_at_start;
};

static inline void heard_check(const struct heard *h)
{
    assert_false(h->is_inside);
    assert_int_equal(h->closed, 0);
    assert_int_equal(h->faults, 0);
}

static inline void heard_on_ready(void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    h->ready++;
}

static inline void heard_on_started(int64_t onset_us, void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    assert_int_equal(h->ready, 1);
    h->starts++;
    h->onset_us = onset_us;
    if (h->discards_at_start)
        stt_discard(h->ears);
}

static inline void heard_on_stopped(int64_t end_us, void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    h->stops++;
    assert_true(h->stops <= h->starts + h->resumed);
    assert_true(end_us >= h->onset_us);
    h->end_us = end_us;
}

static inline void heard_on_partial(struct text words, void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    assert_true(words.n > 0);
    h->partials++;
    text_copy(h->partial, sizeof h->partial, words);
}

static inline void heard_on_turn(struct text words, struct text intent, double score, void *arg)
{
    struct heard *h = arg;
    struct heard_turn *t = &h->turn[h->turns];

    heard_check(h);
    assert_true(h->turns < HEARD_MAX);
    assert_non_null(words.p);
    h->turns++;
    text_copy(t->words, sizeof t->words, words);
    text_copy(t->intent, sizeof t->intent, intent);
    t->score = score;
    if (h->closes_at_turn)
        stt_close(h->ears);
}

static inline void heard_on_resumed(void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    assert_true(h->turns > 0);
    h->resumed++;
}

static inline void heard_on_fault(enum provider_error kind, struct text detail, void *arg)
{
    struct heard *h = arg;

    heard_check(h);
    assert_true(detail.n > 0);
    h->faults++;
    h->kind = kind;
    text_copy(h->detail, sizeof h->detail, detail);
}

static inline void heard_on_closed(void *arg)
{
    struct heard *h = arg;

    assert_false(h->is_inside);
    assert_int_equal(h->closed, 0);
    h->closed++;
    h->ears = NULL;
}

static const struct stt_handlers heard_on = {
    .on_ready = heard_on_ready, .on_speech_started = heard_on_started, .on_speech_stopped = heard_on_stopped, .on_partial = heard_on_partial,
    .on_turn = heard_on_turn, .on_resumed = heard_on_resumed, .on_fault = heard_on_fault, .on_closed = heard_on_closed,
};

static inline void heard_feed(struct heard *h, const int16_t *pcm, size_t n, int64_t at_us)
{
    h->is_inside = true;
    if (h->ears)
        stt_hear(h->ears, pcm, n, at_us);
    h->is_inside = false;
}

/* What a caller says: silence, then the words, which begin with a sound. malloc'ed. */
static inline int16_t *heard_words(const char *words, int lead_ms, int tail_ms, size_t *n)
{
    const size_t lead = (size_t)(lead_ms * HEARD_MS), tail = (size_t)(tail_ms * HEARD_MS);
    int16_t *clip = NULL, *out;
    size_t count = 0, from = 0;

    assert_int_equal(speech_make("rms", words, &clip, &count), 0);
    while (from < count && abs(clip[from]) < 300)
        from++;
    *n = lead + count - from + tail;
    out = calloc(*n, sizeof *out);
    assert_non_null(out);
    memcpy(out + lead, clip + from, (count - from) * sizeof *clip);
    free(clip);
    return out;
}
