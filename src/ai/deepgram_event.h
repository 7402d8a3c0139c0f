/* What Deepgram's Voice Agent says: one JSON message becomes one event with the few fields that a phone call needs. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

enum deepgram_kind {
    DEEPGRAM_OTHER,                /* unknown or of no interest: passed over */
    DEEPGRAM_WELCOME,
    DEEPGRAM_APPLIED,
    DEEPGRAM_TEXT,                 /* is_agent, words */
    DEEPGRAM_CALLER_SPEAKS,
    DEEPGRAM_THINKING,
    DEEPGRAM_SPEAKS,
    DEEPGRAM_AUDIO_DONE,
    DEEPGRAM_CALLS,                /* those that are ours */
    DEEPGRAM_CALL_CANCELLED,       /* calls, with their ids only */
    DEEPGRAM_REFUSED,              /* InjectionRefused: message */
    DEEPGRAM_WARNING,              /* code, message */
    DEEPGRAM_ERROR,                /* code, message */
};

enum { DEEPGRAM_CALLS_MAX = 8 };

struct deepgram_call {
    struct text id, name, arguments;
};

/* Texts are absent when the server did not say so; they live until deepgram_event_free. */
struct deepgram_event {
    enum deepgram_kind kind;
    bool is_agent;
    struct text words, code, message;
    struct deepgram_call calls[DEEPGRAM_CALLS_MAX];
    size_t call_count, calls_over;
    void *tree;
};

/* 0, -EINVAL (not a JSON object with a type, or a field of a known event has another type than it should), -ENOMEM never apart from it. */
int deepgram_event_read(struct deepgram_event *out, struct text message) MUST_USE;
void deepgram_event_free(struct deepgram_event *e);
