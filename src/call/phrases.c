/* The ready sentences of all agents. */
#include "call/phrases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "ai/speech.h"
#include "audio/resample.h"
#include "audio/wav.h"

enum { PHRASE_HZ = 8000, PHRASE_MAX = PHRASE_MAX_MS * (PHRASE_HZ / 1000) };

struct kept {
    struct kept *next;
    char *voice, *words;           /* voice NULL: words is a path */
    int16_t *pcm;
    size_t n;
};

struct phrases {
    struct kept *all;
};

static void kept_free(struct kept *k)
{
    if (!k)
        return;
    free(k->voice);
    free(k->words);
    free(k->pcm);
    free(k);
}

static const struct kept *find(const struct phrases *p, const char *voice, const char *words)
{
    const struct kept *k;

    LL_FOREACH(p->all, k) {
        if (!strcmp(k->words, words) && (voice && k->voice ? !strcmp(voice, k->voice) : !voice && !k->voice))
            return k;
    }
    return NULL;
}

static int read_wav(const char *path, int16_t **out, size_t *out_n)
{
    unsigned rate_hz, channels;
    int16_t *pcm;
    size_t n;
    int err = wav_load(path, &pcm, &n, &rate_hz, &channels);

    if (err)
        return err;
    if (n > (size_t)rate_hz * (PHRASE_MAX_MS / 1000)) {
        free(pcm);
        return -EINVAL;
    }
    for (size_t i = 0; channels == 2 && i < n; i++)
        pcm[i] = (int16_t)((pcm[2 * i] + pcm[2 * i + 1]) / 2);
    err = resample_clip(pcm, n, rate_hz, PHRASE_HZ, out, out_n);
    free(pcm);
    return err;
}

static int get(struct phrases *p, const char *voice, const char *words, struct phrase *out)
{
    const struct kept *had = find(p, voice, words);
    struct kept *k;
    int err = -ENOMEM;

    if (!had) {
        k = calloc(1, sizeof *k);
        if (!k)
            return -ENOMEM;
        k->words = strdup(words);
        k->voice = voice ? strdup(voice) : NULL;
        if (k->words && (!voice || k->voice))
            err = voice ? speech_make(voice, words, &k->pcm, &k->n) : read_wav(words, &k->pcm, &k->n);
        if (!err && k->n > PHRASE_MAX)
            err = -EINVAL;
        if (err) {
            kept_free(k);
            return err;
        }
        LL_PREPEND(p->all, k);
        had = k;
    }
    *out = (struct phrase){ .pcm = had->pcm, .n = had->n, .words = had->words };
    return 0;
}

int phrases_speak(struct phrases *p, const char *voice, const char *words, struct phrase *out)
{
    return get(p, voice, words, out);
}

int phrases_load(struct phrases *p, const char *path, struct phrase *out)
{
    return get(p, NULL, path, out);
}

int phrases_new(struct phrases **out)
{
    struct phrases *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    *out = p;
    return 0;
}

void phrases_free(struct phrases *p)
{
    struct kept *k, *next;

    if (!p)
        return;
    LL_FOREACH_SAFE(p->all, k, next) {
        kept_free(k);
    }
    free(p);
}
