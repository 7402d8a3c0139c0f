/* What the agent says, on its way to the caller: converted to the leg's rate, waiting in the playout, taken by the audio clock,
 * and cut off when the caller speaks. Internal to src/call. Thread: the conversation's loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct voice;

struct voice_cut {
    uint32_t item;                 /* what was being said */
    unsigned played_ms;            /* how much of it was heard */
    const char *by;                /* "voice" or "digit" */
    int64_t onset_us;              /* when the caller began */
    int64_t cut_us;                /* from there to the agent's last sample */
};

/* None runs in the audio tick: the loop's next turn calls them. */
struct voice_handlers {
    void (*on_heard)(uint32_t item, void *arg);                    /* the whole of it */
    void (*on_cut)(const struct voice_cut *cut, void *arg);        /* measured */
    void (*on_silent)(void *arg);                                  /* after voice_await_silence, once */
    void (*on_began)(int64_t at_us, void *arg);                    /* the provider's words are on the wire, after a silence */
};

struct voice_figures {
    int64_t first_us;              /* grid time of the first spoken sample; 0 none */
    uint64_t dropped;              /* samples for which there was no place */
    uint64_t underruns;
};

/* -EINVAL for rates more than a factor of 6 apart. */
int voice_new(struct voice **out, struct loop *l, unsigned leg_hz, unsigned provider_hz, const struct voice_handlers *on,
              void *arg) MUST_USE;
void voice_free(struct voice *v); /* NULL passes */
/* False when samples had to be dropped: more than 60 s are waiting, or too many items. */
bool voice_add(struct voice *v, uint32_t item, const int16_t *pcm, size_t n, bool last);
/* Says a phrase of ours now (8 kHz, borrowed until it has been said); the provider's words wait meanwhile, and are not told of it.
 * One that is being said is cut. -ENOMEM; -ESHUTDOWN after voice_stop. */
int voice_say(struct voice *v, const int16_t *pcm, size_t n) MUST_USE;
/* Is quiet from the next tick on, and keeps what it had to say. False when nothing was being said. */
bool voice_hold(struct voice *v);
/* Goes on where it was held. */
void voice_resume(struct voice *v);
/* Throws away what waits, and what still comes of the items begun so far. False when nothing was being said. *item is 0 when that was a phrase.
 * unheard_ms: what the leg had taken and threw away unplayed. */
bool voice_interrupt(struct voice *v, const char *by, int64_t onset_us, unsigned unheard_ms, uint32_t *item, unsigned *played_ms);
/* In the audio tick: no allocation, lock, log or formatting. */
void voice_take(struct voice *v, int16_t *out, size_t n, int64_t at_us);
/* No more comes of the item that is being said. */
void voice_finish(struct voice *v);
/* Throws away what waits of the provider's, who does not hear of it any more. A phrase goes on. */
void voice_drop(struct voice *v);
/* voice_drop, for a provider of another rate whose items count from 1 again. -EINVAL, -ENOMEM: all stays as it was. */
int voice_switch(struct voice *v, unsigned provider_hz) MUST_USE;
void voice_await_silence(struct voice *v);
/* Tells a cut that is not measured yet; no handler runs later. */
void voice_stop(struct voice *v);
bool voice_is_talking(const struct voice *v);   /* something is there to be said: held, too */
bool voice_is_dry(const struct voice *v);       /* it has begun to say something whose rest has not come */
void voice_figures(const struct voice *v, struct voice_figures *out);
