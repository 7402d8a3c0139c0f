/* The ears of a pipeline: the caller's sound in, turns of words out. Loop thread.
 * Handlers never run from inside a call you make; inside of them stt_close is allowed. After stt_close only on_closed runs, once, last.
 * Sound: 16-bit linear mono, 8 kHz. Times: of the sound, as given to stt_hear. */
#pragma once

#include "ai/provider.h"
#include "ai/speech.h"
#include "net/dialer.h"

enum { STT_HZ = 8000 };

struct stt_handlers {              /* all of them are set */
    void (*on_ready)(void *arg);
    /* Speech that counts; ended by on_turn, also when nothing was understood. */
    void (*on_speech_started)(int64_t onset_us, void *arg);
    void (*on_speech_stopped)(int64_t end_us, void *arg);
    /* The turn so far; it may still change. Not every service has it. */
    void (*on_partial)(struct text words, void *arg);
    /* It is the agent's turn. words empty: nothing was understood. intent: of a grammar, or absent. score: the service's own measure. */
    void (*on_turn)(struct text words, struct text intent, double score, void *arg);
    /* The caller went on after an on_turn that was only likely (Flux: TurnResumed): the words of the next on_turn begin at the same start. */
    void (*on_resumed)(void *arg);
    /* Cannot go on: only stt_close may follow. */
    void (*on_fault)(enum provider_error kind, struct text detail, void *arg);
    void (*on_closed)(void *arg);
};

struct stt_ops;

struct stt {                       /* first member of each implementation */
    const struct stt_ops *ops;
    const struct stt_handlers *on; /* outlive it */
    void *arg;
};

struct stt_ops {                   /* for implementations only */
    void (*start)(struct stt *s);
    void (*hear)(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us);
    void (*discard)(struct stt *s);
    void (*close)(struct stt *s);
};

static inline void stt_start(struct stt *s) { s->ops->start(s); }
static inline void stt_hear(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us) { s->ops->hear(s, pcm, n, at_us); }
/* What is being said now is not wanted (a digit came): no on_turn of it with words. */
static inline void stt_discard(struct stt *s) { s->ops->discard(s); }
static inline void stt_close(struct stt *s) { s->ops->close(s); }

struct stt_settings {              /* outlive the ears */
    const char *url;               /* base; NULL: the service's own */
    const char *key, *model, *language; /* NULL: none, the usual, the service's own */
    int silence_ms;                /* that ends a turn; 0 = the usual (600); 100 at least */
    const char *const *keyterms;   /* words to listen for, where the service has that */
    size_t keyterm_count;
    bool is_eager;                 /* Flux: an end that is only likely is an on_turn, too; on_resumed may take it back. Not for whose answers act */
    int64_t answer_ms;             /* the service owes something: a connection, a transcription, a word of speech that is heard; 0 = 4 s */
    int64_t retry_ms;              /* before it is tried once more; 0 = 300 */
};
#define STT_OPENAI_URL "https://api.openai.com/v1"
#define STT_OPENAI_MODEL "gpt-4o-mini-transcribe"
#define STT_DEEPGRAM_URL "wss://api.deepgram.com"
#define STT_LISTEN_MODEL "nova-3"
#define STT_FLUX_MODEL "flux-general-en"

/* OpenAI's /audio/transcriptions and servers like it: own ear, one utterance a request. */
int stt_openai_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                   const struct stt_handlers *on, void *arg) MUST_USE;
/* Deepgram's /v1/listen: streamed, end of turn by speech_final and UtteranceEnd. */
int stt_listen_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                   const struct stt_handlers *on, void *arg) MUST_USE;
/* Deepgram's /v2/listen: streamed, the service says whose turn it is. */
int stt_flux_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                 const struct stt_handlers *on, void *arg) MUST_USE;
/* The embedded recogniser: own ear, a closed grammar; no key, no network. Scores below the agent's confirm_above: nothing was understood.
 * Each utterance is one turn, so on_partial and on_resumed do not come. */
int stt_local_new(struct stt **out, struct loop *l, struct grammar *g, struct worker_pool *pool, const struct stt_handlers *on, void *arg) MUST_USE;
