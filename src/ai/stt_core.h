/* What all ears of a pipeline share: what they tell waits here, and is told from a timer, never from inside a call of the pipeline. */
#pragma once

#include <stdbool.h>

#include "ai/stt.h"

enum { STT_EVENTS = 64, STT_WORDS_MAX = 4000, STT_DETAIL_MAX = 200 };

enum stt_event_kind { STT_READY, STT_STARTED, STT_STOPPED, STT_PARTIAL, STT_TURN, STT_RESUMED };

struct stt_event {
    enum stt_event_kind kind;
    int64_t at_us;
    char *words;                   /* malloc'ed; NULL: none */
    struct text intent;
    double score;
};

struct stt_core {                  /* first member of each implementation */
    struct stt base;               /* first */
    struct log log;
    struct loop *loop;
    struct timer *pump;
    struct stt_event events[STT_EVENTS];
    size_t first, count;
    bool is_started, is_over, is_closed;
    bool has_fault;                /* to be told after the events */
    enum provider_error fault;
    char detail[STT_DETAIL_MAX];
    void (*destroy)(struct stt_core *c); /* all of it, itself too */
};

/* c is zeroed. -ENOMEM: stt_core_free is still due, as after success. */
int stt_core_init(struct stt_core *c, struct loop *l, const struct log *log, const struct stt_ops *ops, const struct stt_handlers *on, void *arg,
                  void (*destroy)(struct stt_core *c)) MUST_USE;
void stt_core_free(struct stt_core *c);
/* Nothing is told any more but on_closed, in a later turn of the loop; destroy follows. False: it was closed before. */
bool stt_core_close(struct stt_core *c);

void stt_tell(struct stt_core *c, enum stt_event_kind kind, int64_t at_us);
/* A partial takes the place of one that waits. Words over the ceiling are cut. */
void stt_tell_partial(struct stt_core *c, struct text words);
/* intent lives as long as the ears. Words that find no memory: nothing was understood. */
void stt_tell_turn(struct stt_core *c, struct text words, struct text intent, double score);
/* Turns that wait lose their words. */
void stt_core_discard(struct stt_core *c);
/* The end. key: is not in what is told, whatever the server says; NULL: none. */
void stt_core_fail(struct stt_core *c, enum provider_error kind, const char *key, const char *detail);

static inline bool stt_core_is_on(const struct stt_core *c) { return c->is_started && !c->is_over && !c->is_closed; }
