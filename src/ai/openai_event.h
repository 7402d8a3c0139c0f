/* What a Realtime server says: one JSON message becomes one event with the few fields that a phone call needs. GA names, and those of
 * the older dialect that look-alike servers still speak. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum openai_kind {
    OPENAI_OTHER,              /* unknown or of no interest: passed over */
    OPENAI_SESSION_CREATED,    /* expires_at */
    OPENAI_SESSION_UPDATED,    /* expires_at */
    OPENAI_SPEECH_STARTED,     /* at_ms */
    OPENAI_SPEECH_STOPPED,     /* at_ms */
    OPENAI_CALLER_TEXT,        /* item, words */
    OPENAI_RESPONSE_CREATED,   /* response */
    OPENAI_AUDIO,              /* response, item, words = base64 */
    OPENAI_AUDIO_DONE,         /* response, item */
    OPENAI_AGENT_TEXT,         /* response, item, words */
    OPENAI_RESPONSE_DONE,      /* response, status, reason, code, message, calls */
    OPENAI_RATE_LIMITS,
    OPENAI_ERROR,              /* code, message, cause */
};

enum { OPENAI_CALLS_MAX = 8 };

struct openai_call {
    struct text call_id, name, arguments;
    bool is_complete;
};

/* Texts are absent when the server did not say so; they live until openai_event_free. */
struct openai_event {
    enum openai_kind kind;
    struct text type;
    struct text item, response, words, status, reason, code, message;
    struct text cause;         /* event_id of the message of ours that an error is about */
    int64_t at_ms, expires_at; /* -1: not said */
    struct openai_call calls[OPENAI_CALLS_MAX];
    size_t call_count, calls_over;
    bool has_speech;           /* response.done: its output holds a message */
    void *tree;
};

/* 0, -EINVAL (not a JSON object with a type, or a field of a known event has another type than it should), -ENOMEM never apart from it. */
int openai_event_read(struct openai_event *out, struct text message) MUST_USE;
void openai_event_free(struct openai_event *e);
