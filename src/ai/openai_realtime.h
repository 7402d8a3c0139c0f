/* A voice model behind the Realtime dialect: OpenAI, Azure, and whoever speaks as they do. One WebSocket a talk; turn-taking is the
 * service's (server VAD). mu-law at 8 kHz goes through unchanged; `pcm` is 24 kHz.
 * The line that breaks is opened once more, with the words said so far; then the talk ends with an error. */
#pragma once

#include "ai/openai_write.h"
#include "ai/provider.h"
#include "net/dialer.h"

struct openai_options {
    const struct openai_settings *settings;    /* outlive the provider */
    const char *key;               /* copied, wiped at the end; NULL: none is sent */
    struct dialer *dialer;
    /* 0 = the usual */
    int64_t setup_ms;              /* from the start to session.updated: 6 s */
    int64_t stall_ms;              /* an answer that is owed, and nothing comes: 4 s */
    int64_t ping_ms;               /* 3 s; two unanswered mean that the line is dead */
    int64_t retry_ms;              /* before an answer that failed is asked for again: 500 */
};

int openai_realtime_new(struct provider **out, struct loop *l, const struct openai_options *opt, const struct log *log) MUST_USE;
