/* Tells a pipeline what its ears heard, in order, from a timer. */
#include "ai/stt_core.h"

#include <stdlib.h>

#include "ai/service.h"

static void event_act(struct stt_core *c, const struct stt_event *e)
{
    const struct stt_handlers *on = c->base.on;
    const struct text words = e->words ? text_of(e->words) : TEXT("");

    switch (e->kind) {
    case STT_READY:
        on->on_ready(c->base.arg);
        break;
    case STT_STARTED:
        on->on_speech_started(e->at_us, c->base.arg);
        break;
    case STT_STOPPED:
        on->on_speech_stopped(e->at_us, c->base.arg);
        break;
    case STT_PARTIAL:
        if (words.n > 0)           /* else they were discarded */
            on->on_partial(words, c->base.arg);
        break;
    case STT_TURN:
        on->on_turn(words, e->intent, e->score, c->base.arg);
        break;
    case STT_RESUMED:
        on->on_resumed(c->base.arg);
        break;
    }
}

/* close starts the timer again, so what it leads to is not inside of any handler. */
static void on_pump(void *arg)
{
    struct stt_core *c = arg;

    if (c->is_closed) {
        c->base.on->on_closed(c->base.arg);
        c->destroy(c);
        return;
    }
    while (c->count > 0 && !c->is_closed) {
        const struct stt_event e = c->events[c->first];

        c->first = (c->first + 1) % STT_EVENTS;
        c->count--;
        event_act(c, &e);
        free(e.words);
    }
    if (c->has_fault && !c->is_closed) {
        c->has_fault = false;
        c->base.on->on_fault(c->fault, text_of(c->detail), c->base.arg);
    }
}

void stt_core_fail(struct stt_core *c, enum provider_error kind, const char *key, const char *detail)
{
    if (c->is_over || c->is_closed)
        return;
    c->is_over = c->has_fault = true;
    c->fault = kind;
    service_detail(c->detail, sizeof c->detail, key, detail);
    timer_start(c->pump, 0);
}

static struct stt_event *event_add(struct stt_core *c, enum stt_event_kind kind)
{
    struct stt_event *e;

    if (c->is_over || c->is_closed)
        return NULL;
    if (c->count == STT_EVENTS) {  /* only a service that floods us comes here */
        stt_core_fail(c, PROVIDER_SERVER, NULL, "more is heard at once than can be told");
        return NULL;
    }
    e = &c->events[(c->first + c->count++) % STT_EVENTS];
    *e = (struct stt_event){ .kind = kind };
    timer_start(c->pump, 0);
    return e;
}

void stt_tell(struct stt_core *c, enum stt_event_kind kind, int64_t at_us)
{
    struct stt_event *e = event_add(c, kind);

    if (e)
        e->at_us = at_us;
}

static char *words_keep(struct text words)
{
    return words.n > 0 ? text_dup(text_head(words, STT_WORDS_MAX)) : NULL;
}

void stt_tell_partial(struct stt_core *c, struct text words)
{
    struct stt_event *e = c->count > 0 ? &c->events[(c->first + c->count - 1) % STT_EVENTS] : NULL;

    if (!e || e->kind != STT_PARTIAL)
        e = event_add(c, STT_PARTIAL);
    if (!e)
        return;
    free(e->words);
    e->words = words_keep(words);
}

void stt_tell_turn(struct stt_core *c, struct text words, struct text intent, double score)
{
    struct stt_event *e = event_add(c, STT_TURN);

    if (!e)
        return;
    e->words = words_keep(words);
    e->intent = e->words ? intent : TEXT_NONE;
    e->score = score;
}

void stt_core_discard(struct stt_core *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct stt_event *e = &c->events[(c->first + i) % STT_EVENTS];

        free(e->words);
        e->words = NULL;
        e->intent = TEXT_NONE;
    }
}

bool stt_core_close(struct stt_core *c)
{
    if (c->is_closed)
        return false;
    c->is_closed = true;
    timer_start(c->pump, 0);
    return true;
}

int stt_core_init(struct stt_core *c, struct loop *l, const struct log *log, const struct stt_ops *ops, const struct stt_handlers *on, void *arg,
                  void (*destroy)(struct stt_core *c))
{
    c->base.ops = ops;
    c->base.on = on;
    c->base.arg = arg;
    c->loop = l;
    c->log = log_for(log, "stt");
    c->destroy = destroy;
    return timer_new(&c->pump, l, on_pump, c);
}

void stt_core_free(struct stt_core *c)
{
    timer_free(c->pump);
    stt_core_discard(c);
}
