/* The voice of a pipeline: words in, 8 kHz samples out, one text at a time. Loop thread.
 * Handlers never run from inside a call you make; inside of them tts_stop, tts_say and tts_free are allowed. */
#pragma once

#include "ai/provider.h"
#include "ai/speech.h"
#include "ai/tts_cache.h"
#include "net/dialer.h"

enum { TTS_HZ = 8000, TTS_WORDS_MAX = 2000 };

struct tts_handlers {
    void (*on_audio)(const int16_t *pcm, size_t n, void *arg);
    void (*on_done)(void *arg);
    /* This text, or the rest of it, will not come. may_retry: another try can work. */
    void (*on_fault)(enum provider_error kind, bool may_retry, struct text detail, void *arg);
};

struct tts_ops;

struct tts {                       /* first member of each implementation */
    const struct tts_ops *ops;
    const struct tts_handlers *on; /* outlive it */
    void *arg;
};

struct tts_ops {                   /* for implementations only */
    int (*say)(struct tts *t, struct text words);
    void (*stop)(struct tts *t);
    void (*free)(struct tts *t);
};

/* 0, -EBUSY (one is being said), -EINVAL (over TTS_WORDS_MAX bytes, or the address is none), -ENOMEM, -ENOBUFS. */
static inline int tts_say(struct tts *t, struct text words) { return t->ops->say(t, words); }
/* No handler runs of what was being said. */
static inline void tts_stop(struct tts *t) { t->ops->stop(t); }
static inline void tts_free(struct tts *t)
{
    if (t)
        t->ops->free(t);
}

struct tts_settings {              /* outlive the voice */
    const char *url;               /* base; NULL: the service's own */
    const char *key, *model, *voice;   /* NULL: none, the usual, the usual */
    unsigned rate_hz;              /* of a server's headerless samples; 0 = 24,000 */
    int64_t first_ms, gap_ms;      /* until its first sound, between two pieces; 0 = 5 s, 3 s */
    struct tts_cache *cache;       /* NULL: none */
};
#define TTS_OPENAI_URL "https://api.openai.com/v1"
#define TTS_OPENAI_MODEL "gpt-4o-mini-tts"
#define TTS_OPENAI_VOICE "alloy"
#define TTS_AURA_URL "wss://api.deepgram.com"
#define TTS_AURA_MODEL "aura-2-thalia-en"

/* The embedded voice (flite). name: NULL = slt, -EINVAL when there is none of that name. */
int tts_local_new(struct tts **out, struct loop *l, struct synthesiser *voice, const char *name, const struct tts_handlers *on, void *arg) MUST_USE;
/* OpenAI's /audio/speech, and servers like it. */
int tts_openai_new(struct tts **out, struct loop *l, struct dialer *d, const struct tts_settings *s, const struct log *log,
                   const struct tts_handlers *on, void *arg) MUST_USE;
/* Deepgram's /v1/speak: one WebSocket for the whole call, opened at once. */
int tts_aura_new(struct tts **out, struct loop *l, struct dialer *d, const struct tts_settings *s, const struct log *log,
                 const struct tts_handlers *on, void *arg) MUST_USE;
