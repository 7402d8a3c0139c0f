/* What answers the caller: one small interface for the embedded agent and for every cloud service.
 * Thread: the loop of the conversation. Handlers never run from inside a call you make; on_audio alone may, from inside provider_hear
 * and provider_digit (an echo does so).
 * Audio both ways: 16-bit linear mono at the provider's rate. */
#pragma once

#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

#include "ai/talk_words.h"
#include "base/err.h"
#include "base/text.h"

struct provider;

enum provider_error { PROVIDER_AUTH, PROVIDER_QUOTA, PROVIDER_RATE, PROVIDER_CONFIG, PROVIDER_NET, PROVIDER_SERVER, PROVIDER_EXPIRED };
const char *provider_error_name(enum provider_error e);

enum provider_wish { PROVIDER_HAND_BACK, PROVIDER_HANG_UP };

struct provider_handlers {
    void (*on_ready)(void *arg);
    /* A piece of answer `item` (ids grow from 1). last: no more of it. */
    void (*on_audio)(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg);
    /* The words of that item, before or with its audio. */
    void (*on_agent_text)(uint32_t item, struct text words, void *arg);
    /* The caller began to speak (long enough to count), onset_us: when the sound began, as fed to provider_hear. */
    void (*on_speech_started)(int64_t onset_us, void *arg);
    void (*on_speech_stopped)(int64_t end_us, void *arg);
    /* What was understood. intent: name or absent; score: provider's own measure; accepted: acted upon. words absent: nothing was, and no
     * answer to it will come. */
    void (*on_caller_text)(struct text words, struct text intent, double score, bool accepted, void *arg);
    /* Run this tool, whatever its name (also those that are built in) and its arguments as they came, and answer with provider_tool_result(id). args: JSON, perhaps broken. The answer may come from inside,
     * and instead of it may come provider_farewell. */
    void (*on_tool_call)(uint32_t id, struct text name, struct text args, void *arg);
    /* The talk should end so, once what was said has been heard. reason: for SIDETONE_REASON. */
    void (*on_wish)(enum provider_wish wish, struct text reason, void *arg);
    /* Cannot go on. Only provider_close may follow. */
    void (*on_error)(enum provider_error kind, struct text detail, void *arg);
    void (*on_closed)(void *arg);                       /* after provider_close, last */
};

struct provider_ops {          /* for implementations only */
    void (*start)(struct provider *p);
    void (*hear)(struct provider *p, const int16_t *pcm, size_t n, int64_t at_us);
    void (*digit)(struct provider *p, char digit);
    void (*interrupted)(struct provider *p, uint32_t item, unsigned played_ms);
    void (*heard)(struct provider *p, uint32_t item);
    void (*tool_result)(struct provider *p, uint32_t id, int err, struct text result);
    bool (*farewell)(struct provider *p, uint32_t id);     /* NULL: has no last words */
    void (*close)(struct provider *p);
    void (*remember)(struct provider *p, const struct talk_words *before); /* NULL: does not care */
};

struct provider {              /* first member of each implementation */
    const struct provider_ops *ops;
    const struct provider_handlers *on;
    void *arg;
    unsigned rate_hz;
};

/* Before the start: what was said in this talk before this provider takes over. Copied. */
void provider_remember(struct provider *p, const struct talk_words *before);
void provider_start(struct provider *p, const struct provider_handlers *on, void *arg);
void provider_hear(struct provider *p, const int16_t *pcm, size_t n, int64_t at_us);
void provider_digit(struct provider *p, char digit);
/* The caller cut in: of `item` only played_ms were heard; everything later was thrown away. */
void provider_interrupted(struct provider *p, uint32_t item, unsigned played_ms);
/* The whole of `item` has been heard. */
void provider_heard(struct provider *p, uint32_t item);
/* err 0: result is a JSON value. Negative: the tool failed, result is one sentence. */
void provider_tool_result(struct provider *p, uint32_t id, int err, struct text result);
/* The tool call ends the provider's part in the talk; no result follows. True: last words follow, then on_wish. False: what it has said so
 * far was its last. */
bool provider_farewell(struct provider *p, uint32_t id);
/* Drops the reference; on_closed follows, also while workers still hold jobs of it. */
void provider_close(struct provider *p);
