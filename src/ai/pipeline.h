/* An agent put together from an ear (ai/stt.h), a language model (ai/llm.h) and a voice (ai/tts.h). Whose turn it is, the ear says; what the model
 * writes is spoken sentence by sentence, each an item of its own, and of what was cut off the model is told only what was heard.
 * Ear and voice are made anew when they fail once; then the talk ends with an error. */
#pragma once

#include "ai/llm.h"
#include "ai/provider.h"
#include "ai/stt.h"
#include "ai/tts.h"

/* What ears and voices live on. Copied; all of it outlives the provider. */
struct pipeline_ground {
    struct loop *loop;
    struct dialer *dialer;
    struct synthesiser *voice;
    struct worker_pool *speech;
    const struct log *log;
};

/* Which ears and which voice. settings: those of pipeline_options. */
struct pipeline_parts {
    int (*ear)(struct stt **out, const void *settings, const struct pipeline_ground *g, const struct stt_handlers *on, void *arg);
    int (*voice)(struct tts **out, const void *settings, const struct pipeline_ground *g, const struct tts_handlers *on, void *arg);
    /* Speaks on when the voice has failed for good; NULL: nobody does. */
    int (*spare)(struct tts **out, const void *settings, const struct pipeline_ground *g, const struct tts_handlers *on, void *arg);
};

struct pipeline_options {          /* what it points to outlives the provider */
    const struct pipeline_parts *parts;
    const void *settings;
    struct pipeline_ground ground;
    const struct llm_settings *llm;
    const struct llm_options *thinking;  /* NULL: the usual */
    const char *greeting;          /* NULL: the model begins */
    /* 0 = the usual */
    int64_t setup_ms;              /* until the ear is ready: 8 s */
    int64_t keys_ms;               /* between two digits: 1.5 s */
    int64_t retry_ms;              /* before an ear that failed is made anew: 300 */
    int64_t turn_ms;               /* from the end of the caller's voice to his words: 12 s */
    int64_t tools_ms;              /* for what the conversation's own deadlines missed: 70 s */
};

int pipeline_new(struct provider **out, const struct pipeline_options *opt, const struct log *log) MUST_USE;
