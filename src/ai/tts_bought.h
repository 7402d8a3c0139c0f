/* What voices of services have in common: the text that is being said, its sound as it comes, what was kept, deadlines and the end. Only the voices
 * themselves include this. */
#pragma once

#include "ai/tts.h"
#include "ai/tts_sound.h"
#include "base/buf.h"
#include "base/log.h"

struct tts_bought {                /* first member of each; counted (base/ref.h), for a handler may free it */
    struct tts base;
    struct loop *loop;
    struct log log;
    const struct tts_settings *settings;
    struct timer *watch;           /* the next sound */
    struct timer *pump;            /* what is at hand, not from inside a call of the owner */
    struct tts_sound sound;
    struct buf words, kept;        /* of this text: its words and, for the cache, its samples */
    bool keeps;
    int16_t *ready;                /* from the cache */
    size_t ready_n;
    bool is_saying, has_sound;
    bool is_at_hand;               /* the service is not asked for this text */
    unsigned turn;                 /* grows with each text and each stop */
    /* What is under way at the service is given up. */
    void (*drop)(struct tts_bought *b);
};

/* Of a zeroed object; bought_end copes with half of it. */
int bought_begin(struct tts_bought *b, struct loop *l, const struct tts_settings *settings, const struct log *log, const char *module,
                 const struct tts_handlers *on, void *arg) MUST_USE;
void bought_end(struct tts_bought *b);

/* A text begins: -EBUSY, -EINVAL, -ENOMEM. rate_hz: of headerless samples. Then the service is asked, unless b->is_at_hand. */
int bought_say(struct tts_bought *b, struct text words, unsigned rate_hz) MUST_USE;
/* The service was asked: from here its first sound is due. */
void bought_await(struct tts_bought *b);
/* No text is being said any more; nothing is told. */
void bought_hush(struct tts_bought *b);
/* Sound of this text. The voice may be gone when this returns, or say another text. */
void bought_hear(struct tts_bought *b, struct text bytes);
/* The service has sent all of it; likewise. */
void bought_done(struct tts_bought *b);
/* The text will not come; likewise. */
void bought_fault(struct tts_bought *b, enum provider_error kind, bool may_retry, const char *detail);
/* The most bytes that a text's sound may have. */
size_t bought_bytes_max(const struct tts_bought *b);
