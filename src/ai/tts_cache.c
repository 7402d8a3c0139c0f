/* Keeps spoken words for all loops: one mutex, held for a copy. */
#include "ai/tts_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct entry {
    struct entry *next, *prev;
    char *words;
    int16_t *pcm;
    size_t n;
};

struct tts_cache {
    pthread_mutex_t lock;
    struct entry *entries;         /* the latest used first */
    size_t bytes, bytes_max;
};

static void entry_free(struct entry *e)
{
    if (!e)
        return;
    free(e->words);
    free(e->pcm);
    free(e);
}

int tts_cache_new(struct tts_cache **out, size_t bytes_max)
{
    struct tts_cache *c = calloc(1, sizeof *c);

    if (!c)
        return -ENOMEM;
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_max = bytes_max;
    *out = c;
    return 0;
}

void tts_cache_free(struct tts_cache *c)
{
    struct entry *e, *next;

    if (!c)
        return;
    DL_FOREACH_SAFE(c->entries, e, next)
    {
        entry_free(e);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct entry *find(struct tts_cache *c, struct text words)
{
    struct entry *e;

    DL_FOREACH(c->entries, e)
    {
        if (text_eq(text_of(e->words), words))
            return e;
    }
    return NULL;
}

int tts_cache_get(struct tts_cache *c, struct text words, int16_t **pcm, size_t *n)
{
    int16_t *copy = NULL;
    struct entry *e;
    int err = -ENOENT;

    pthread_mutex_lock(&c->lock);
    e = find(c, words);
    if (e) {
        copy = malloc(e->n * sizeof *copy);
        err = copy ? 0 : -ENOMEM;
    }
    if (copy) {
        memcpy(copy, e->pcm, e->n * sizeof *copy);
        *pcm = copy;
        *n = e->n;
        DL_DELETE(c->entries, e);
        DL_PREPEND(c->entries, e);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

static struct entry *entry_new(struct text words, const int16_t *pcm, size_t n)
{
    struct entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->words = text_dup(words);
    e->pcm = malloc(n * sizeof *pcm);
    e->n = n;
    if (!e->words || !e->pcm) {
        entry_free(e);
        return NULL;
    }
    memcpy(e->pcm, pcm, n * sizeof *pcm);
    return e;
}

void tts_cache_put(struct tts_cache *c, struct text words, const int16_t *pcm, size_t n)
{
    const size_t bytes = n * sizeof *pcm;
    struct entry *e;

    if (n == 0 || words.n > TTS_CACHE_WORDS_MAX || bytes > c->bytes_max / 4)
        return;
    e = entry_new(words, pcm, n);
    if (!e)
        return;
    pthread_mutex_lock(&c->lock);
    if (find(c, words)) {
        entry_free(e);
    } else {
        while (c->entries && c->bytes + bytes > c->bytes_max) {
            struct entry *oldest = c->entries->prev;

            DL_DELETE(c->entries, oldest);
            c->bytes -= oldest->n * sizeof *pcm;
            entry_free(oldest);
        }
        DL_PREPEND(c->entries, e);
        c->bytes += bytes;
    }
    pthread_mutex_unlock(&c->lock);
}
