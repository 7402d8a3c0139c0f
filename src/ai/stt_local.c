/* The embedded recogniser as the ears of a pipeline. */
#include "ai/stt.h"

#include <errno.h>
#include <stdlib.h>

#include "ai/grammar.h"
#include "ai/stt_own.h"

struct stt_local {
    struct stt_own own;            /* first */
    const struct agent_file *agent;
    struct recogniser *recogniser;
};

/* A closed grammar makes a phrase of any sound; the score tells. */
static void on_result(int err, int intent, const char *words, double score, void *arg)
{
    struct stt_local *s = arg;
    const bool is_understood = !err && intent != RECOGNISED_NOTHING && score >= s->agent->confirm_above;
    const struct text name = is_understood && intent >= 0 ? s->agent->intents[intent].name : TEXT_NONE;

    if (err)
        log_warn(&s->own.core.log, "recogniser_failed", kv_err(err));
    stt_own_understood(&s->own, is_understood ? text_of(words) : TEXT(""), name, score);
}

static int understand(struct stt_own *o, const int16_t *pcm, size_t n)
{
    struct stt_local *s = (struct stt_local *)o;

    return recogniser_submit(s->recogniser, pcm, n, on_result, s);
}

static void close_local(struct stt *base)
{
    struct stt_local *s = (struct stt_local *)base;

    if (!stt_own_close(&s->own))
        return;
    recogniser_close(s->recogniser);
    s->recogniser = NULL;
}

static void destroy(struct stt_core *c)
{
    struct stt_local *s = (struct stt_local *)c;

    recogniser_close(s->recogniser);
    stt_own_free(&s->own);
    free(s);
}

static const struct stt_ops ops = { .start = stt_own_start, .hear = stt_own_hear, .discard = stt_own_discard, .close = close_local };

int stt_local_new(struct stt **out, struct loop *l, struct grammar *g, struct worker_pool *pool, const struct stt_handlers *on, void *arg)
{
    struct stt_local *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->agent = grammar_agent(g);
    err = stt_core_init(&s->own.core, l, loop_log(l), &ops, on, arg, destroy);
    if (!err)
        err = stt_own_init(&s->own, NULL, understand);
    if (!err)
        err = recogniser_new(&s->recogniser, g, pool, l);
    if (err) {
        destroy(&s->own.core);
        return err;
    }
    *out = &s->own.core.base;
    return 0;
}
