/* The embedded voice (flite) as a pipeline's. */
#include "ai/tts.h"

#include <errno.h>

#include "base/ref.h"

struct tts_local {                 /* counted: a handler may free it */
    struct tts base;
    struct loop *loop;
    struct synthesiser *voice;
    const char *name;
    struct speech_job *job;
    bool is_saying;
    unsigned turn;                 /* grows with each text: a handler that stops, or says the next, is noticed */
};

static struct tts_local *local_of(struct tts *t)
{
    return (struct tts_local *)t;
}

static void on_spoken(int err, const int16_t *pcm, size_t n, void *arg)
{
    struct tts_local *t = arg;
    const unsigned turn = t->turn;

    t->job = NULL;
    ref_hold(t);
    if (err) {
        t->is_saying = false;
        t->base.on->on_fault(PROVIDER_SERVER, true, text_of(err_text(err)), t->base.arg);
    } else {
        if (n > 0)
            t->base.on->on_audio(pcm, n, t->base.arg);
        if (t->is_saying && t->turn == turn) {
            t->is_saying = false;
            t->base.on->on_done(t->base.arg);
        }
    }
    ref_drop(t);
}

static int say(struct tts *base, struct text words)
{
    struct tts_local *t = local_of(base);

    if (t->is_saying)
        return -EBUSY;
    if (words.n > TTS_WORDS_MAX)
        return -EINVAL;
    const int err = synthesiser_say(&t->job, t->voice, t->loop, text_of(t->name), words, on_spoken, t);

    t->is_saying = !err;
    t->turn++;
    return err;
}

static void stop(struct tts *base)
{
    struct tts_local *t = local_of(base);

    speech_forget(t->job);
    t->job = NULL;
    t->is_saying = false;
}

static void free_voice(struct tts *base)
{
    stop(base);
    ref_drop(base);
}

static const struct tts_ops ops = { .say = say, .stop = stop, .free = free_voice };

int tts_local_new(struct tts **out, struct loop *l, struct synthesiser *voice, const char *name, const struct tts_handlers *on, void *arg)
{
    struct tts_local *t;

    if (name && !speech_has_voice(text_of(name)))
        return -EINVAL;
    t = ref_new(sizeof *t, NULL);
    if (!t)
        return -ENOMEM;
    t->base = (struct tts){ .ops = &ops, .on = on, .arg = arg };
    t->loop = l;
    t->voice = voice;
    t->name = name ? name : "slt";
    *out = &t->base;
    return 0;
}
