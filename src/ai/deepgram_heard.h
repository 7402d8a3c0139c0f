/* What Deepgram's /v1/listen and /v2/listen (Flux) say: one JSON message becomes one value with the few fields that a turn needs. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

enum deepgram_heard_kind {
    HEARD_OTHER,                   /* unknown or of no interest: passed over */
    HEARD_RESULTS,                 /* words, start, duration, is_final, is_speech_final, is_from_finalize, confidence */
    HEARD_SPEECH,                  /* SpeechStarted: start */
    HEARD_UTTERANCE_END,
    HEARD_CONNECTED,
    HEARD_TURN,                    /* TurnInfo: turn, words, start, confidence */
    HEARD_ERROR,                   /* message */
};

enum deepgram_turn { TURN_OTHER, TURN_START, TURN_UPDATE, TURN_EAGER, TURN_RESUMED, TURN_END };

/* Texts live until deepgram_heard_free. */
struct deepgram_heard {
    enum deepgram_heard_kind kind;
    enum deepgram_turn turn;
    struct text words, message;
    double start, duration;        /* seconds of the sound of this connection; start -1: not told */
    double confidence;
    bool is_final, is_speech_final, is_from_finalize;
    void *tree;
};

/* 0, or -EINVAL: not a JSON object with a type, or a field of a known message has another type than it should. */
int deepgram_heard_read(struct deepgram_heard *out, struct text message) MUST_USE;
void deepgram_heard_free(struct deepgram_heard *h);
