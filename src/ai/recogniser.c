/* The embedded recogniser: pocketsphinx decoders that work in worker threads. */
#include "ai/speech.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ai/grammar.h"
#include "audio/resample.h"
#include "base/ref.h"

enum { LINE_HZ = 8000, MODEL_HZ = 16000, UTTERANCE_MAX = 30 * LINE_HZ };

struct recogniser { /* counted; the decoder is the job's while one is under way */
    const struct grammar *grammar;
    struct worker_pool *pool;
    struct loop *loop;
    ps_decoder_t *decoder;
    bool busy, closed;
};

struct utterance {
    struct recogniser *r;
    recogniser_on_result *on_result;
    void *arg;
    int err, intent;
    double score;
    char *words;
    size_t n;
    int16_t pcm[];
};

static void recogniser_destroy(void *obj)
{
    struct recogniser *r = obj;

    if (r->decoder)
        ps_free(r->decoder);
}

int recogniser_new(struct recogniser **out, struct grammar *g, struct worker_pool *pool, struct loop *l)
{
    struct recogniser *r = ref_new(sizeof *r, recogniser_destroy);

    if (!r)
        return -ENOMEM;
    r->grammar = g;
    r->pool = pool;
    r->loop = l;
    *out = r;
    return 0;
}

static int decode(struct recogniser *r, const int16_t *pcm, size_t n, struct utterance *u)
{
    ps_decoder_t *ps = r->decoder;
    int32 score = 0;

    if (ps_start_utt(ps) < 0)
        return -EIO;
    const int done = ps_process_raw(ps, pcm, n, FALSE, TRUE);
    if (ps_end_utt(ps) < 0 || done < 0)
        return -EIO;
    const char *words = ps_get_hyp(ps, &score);
    if (!words || !*words)
        return 0;
    u->words = strdup(words);
    if (!u->words)
        return -ENOMEM;
    u->intent = grammar_intent(r->grammar, words);
    u->score = (double)score * LINE_HZ / (double)u->n;
    return 0;
}

/* In a worker. The decoder is opened with the first utterance: 12 ms are too long for the loop. */
static void utterance_run(void *arg)
{
    struct utterance *u = arg;
    int16_t *wide = NULL;
    size_t n = 0;

    if (!u->r->decoder)
        u->err = grammar_decoder(&u->r->decoder, u->r->grammar);
    if (!u->err)
        u->err = resample_clip(u->pcm, u->n, LINE_HZ, MODEL_HZ, &wide, &n);
    if (!u->err)
        u->err = decode(u->r, wide, n, u);
    free(wide);
}

static void utterance_done(void *arg)
{
    struct utterance *u = arg;
    struct recogniser *r = u->r;

    r->busy = false;
    if (!r->closed)
        u->on_result(u->err, u->intent, u->words ? u->words : "", u->score, u->arg);
    free(u->words);
    free(u);
    ref_drop(r);
}

int recogniser_submit(struct recogniser *r, const int16_t *pcm, size_t n, recogniser_on_result *on_result, void *arg)
{
    if (n == 0 || n > UTTERANCE_MAX)
        return -EINVAL;
    if (r->busy)
        return -EBUSY;
    struct utterance *u = calloc(1, sizeof *u + n * sizeof *pcm);
    if (!u)
        return -ENOMEM;
    *u = (struct utterance){.r = r, .on_result = on_result, .arg = arg, .intent = RECOGNISED_NOTHING, .n = n};
    memcpy(u->pcm, pcm, n * sizeof *pcm);
    r->busy = true;
    ref_hold(r);
    const int err = worker_submit(r->pool, r->loop, utterance_run, utterance_done, u);
    if (!err)
        return 0;
    r->busy = false;
    ref_drop(r);
    free(u);
    return err;
}

void recogniser_close(struct recogniser *r)
{
    if (!r)
        return;
    r->closed = true;
    ref_drop(r);
}
