/* Deepgram's Voice Agent: it hears, thinks with a model of the configuration's choice, and speaks, over one WebSocket a talk. Turn-taking is the
 * service's. mu-law at 8 kHz goes through unchanged; `pcm` is 16 kHz. There is no message that says how much was heard: what was not is cut from the
 * words that we keep. The line that breaks is opened once more, with the words said so far; then the talk ends with an error. */
#pragma once

#include "ai/deepgram_write.h"
#include "ai/provider.h"
#include "net/dialer.h"

struct deepgram_options {
    const struct deepgram_settings *settings;  /* outlive the provider */
    const char *key;               /* copied, wiped at the end; NULL: none is sent */
    struct dialer *dialer;
    /* 0 = the usual */
    int64_t setup_ms;              /* from the start to SettingsApplied: 6 s */
    int64_t stall_ms;              /* an answer that is owed, and nothing comes: 5 s */
    int64_t ping_ms;               /* 3 s; two unanswered mean that the line is dead */
    int64_t retry_ms;              /* after "too many at a time": 300 */
    int64_t alive_ms;              /* KeepAlive when no audio was sent for so long: 4 s (the service waits about 10 s) */
};

int deepgram_agent_new(struct provider **out, struct loop *l, const struct deepgram_options *opt, const struct log *log) MUST_USE;
