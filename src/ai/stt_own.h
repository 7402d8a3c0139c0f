/* Ears of a pipeline that cut utterances themselves (ai/ear.h) and have them understood one after the other. */
#pragma once

#include "ai/ear.h"
#include "ai/stt_core.h"

enum { STT_WAITING = 2 };          /* utterances behind the one that is being understood */

struct stt_utterance {
    int16_t *pcm;                  /* malloc'ed; NULL: there is nothing to understand */
    size_t n;
};

struct stt_own;
/* Begins to understand (the samples are borrowed for the call); stt_own_understood follows, not from inside. Negative: it will not. */
typedef int stt_own_understand(struct stt_own *o, const int16_t *pcm, size_t n);

struct stt_own {
    struct stt_core core;          /* first */
    struct ear *ear;
    struct timer *gap;
    stt_own_understand *understand;
    int least_ms;                  /* of speech: less is not worth to be understood */
    bool is_busy;
    bool is_stale;                 /* what is being understood is not wanted any more */
    bool was_fed;                  /* since the gap timer ran */
    int64_t heard_until_us;
    struct stt_utterance waiting[STT_WAITING];
    size_t waiting_count;
    uint64_t dropped;              /* utterances for which there was no room */
};

/* core is initialised, understand set. -EINVAL (options), -ENOMEM: stt_own_free is still due. */
int stt_own_init(struct stt_own *o, const struct ear_options *opt, stt_own_understand *understand) MUST_USE;
void stt_own_free(struct stt_own *o); /* the core, too */
void stt_own_understood(struct stt_own *o, struct text words, struct text intent, double score);

/* For stt_ops; start tells on_ready. */
void stt_own_start(struct stt *s);
void stt_own_hear(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us);
void stt_own_discard(struct stt *s);
/* Stops listening. False: it was closed before. */
bool stt_own_close(struct stt_own *o);
