/* How a connection to Deepgram ended: what that means, and whether another one makes sense. Pure. */
#pragma once

#include "ai/provider.h"

struct deepgram_verdict {
    enum provider_error kind;
    bool may_retry;
};

/* As websocket_handlers.on_closed tells it. */
struct deepgram_verdict deepgram_verdict_of(int err, int status, struct text detail);
