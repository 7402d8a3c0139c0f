/* The embedded voice: flite in worker threads, with a cache of what was said before. */
#include "ai/speech.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <flite/flite.h>
#include <uthash.h>
#include <utlist.h>

#include "audio/resample.h"

enum { LINE_HZ = 8000, CACHED_TEXT_MAX = 1000, TEXT_MAX_BYTES = 4000 };

/* flite installs no header for its voices. */
cst_voice *register_cmu_us_slt(const char *voxdir);
cst_voice *register_cmu_us_rms(const char *voxdir);
cst_voice *register_cmu_us_awb(const char *voxdir);
cst_voice *register_cmu_us_kal16(const char *voxdir);
cst_voice *register_cmu_us_kal(const char *voxdir);

static const struct {
    const char *name;
    cst_voice *(*open)(const char *voxdir);
} voices[] = {
    {"slt", register_cmu_us_slt},     {"rms", register_cmu_us_rms}, {"awb", register_cmu_us_awb},
    {"kal16", register_cmu_us_kal16}, {"kal", register_cmu_us_kal},
};

enum { VOICES = sizeof voices / sizeof voices[0] };

/* ---- flite ---- */

/* flite keeps its lexicon and open voices in statics of its own, and nobody promises that two threads may speak at once: one at
 * a time. A second of speech costs 12 ms. */
static pthread_mutex_t flite_lock = PTHREAD_MUTEX_INITIALIZER;

static int voice_find(struct text name)
{
    for (int i = 0; i < VOICES; i++)
        if (text_eq(name, text_of(voices[i].name)))
            return i;
    return -1;
}

bool speech_has_voice(struct text voice)
{
    return voice_find(voice) >= 0;
}

/* flite knows ASCII: typographic apostrophes become plain ones, any other foreign byte a blank. */
static char *words_plain(struct text words)
{
    char *plain = malloc(words.n + 1);
    size_t n = 0;

    if (!plain)
        return NULL;
    while (words.n > 0) {
        const unsigned char c = (unsigned char)*words.p;
        if (text_starts(words, TEXT("\xe2\x80\x99"))) {
            plain[n++] = '\'';
            words = text_skip(words, 3);
            continue;
        }
        plain[n++] = c < 0x20 || c >= 0x7f ? ' ' : (char)c;
        words = text_skip(words, 1);
    }
    plain[n] = '\0';
    return plain;
}

/* The wave belongs to the caller. */
static cst_wave *flite_speak(int voice, const char *words)
{
    static bool is_ready; /* both under the lock */
    static cst_voice *open[VOICES];
    cst_wave *wave = NULL;

    pthread_mutex_lock(&flite_lock);
    if (!is_ready)
        flite_init();
    is_ready = true;
    if (!open[voice])
        open[voice] = voices[voice].open(NULL);
    if (open[voice])
        wave = flite_text_to_wave(words, open[voice]);
    pthread_mutex_unlock(&flite_lock);
    return wave;
}

static int make(int voice, struct text words, int16_t **pcm, size_t *n)
{
    if (text_trim(words).n == 0) {
        *pcm = calloc(1, sizeof **pcm);
        *n = 0;
        return *pcm ? 0 : -ENOMEM;
    }
    char *plain = words_plain(words);
    if (!plain)
        return -ENOMEM;
    cst_wave *wave = flite_speak(voice, plain);
    free(plain);
    if (!wave || wave->num_samples < 0 || wave->num_channels != 1) {
        if (wave)
            delete_wave(wave);
        return -EIO;
    }
    const int err = resample_clip(wave->samples, (size_t)wave->num_samples, (unsigned)wave->sample_rate, LINE_HZ, pcm, n);
    delete_wave(wave);
    return err;
}

int speech_make(const char *voice, const char *words, int16_t **pcm, size_t *n)
{
    const int v = voice_find(text_of(voice));

    if (v < 0 || strlen(words) > TEXT_MAX_BYTES)
        return -EINVAL;
    return make(v, text_of(words), pcm, n);
}

/* ---- cache: clips are shared between loops and workers, so their counts change under its lock only ---- */

struct clip {
    UT_hash_handle hh;
    struct clip *prev, *next; /* least recently used first */
    unsigned users;
    bool is_cached;
    int16_t *pcm;
    size_t n;
    size_t key_n;
    char key[]; /* a byte for the voice, then the words */
};

struct synthesiser {
    struct worker_pool *pool;
    pthread_mutex_t lock;
    struct clip *by_key, *by_use;
    size_t bytes, bytes_max;
};

static size_t clip_bytes(const struct clip *c)
{
    return sizeof *c + c->key_n + c->n * sizeof *c->pcm;
}

static void clip_free(struct clip *c)
{
    free(c->pcm);
    free(c);
}

static void cache_remove(struct synthesiser *s, struct clip *c)
{
    HASH_DEL(s->by_key, c);
    DL_DELETE(s->by_use, c);
    s->bytes -= clip_bytes(c);
    c->is_cached = false;
    if (c->users == 0)
        clip_free(c);
}

static struct clip *clip_hold(struct synthesiser *s, const char *key, size_t key_n)
{
    struct clip *c = NULL;

    pthread_mutex_lock(&s->lock);
    HASH_FIND(hh, s->by_key, key, key_n, c);
    if (c) {
        c->users++;
        DL_DELETE(s->by_use, c);
        DL_APPEND(s->by_use, c);
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static void clip_drop(struct synthesiser *s, struct clip *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&s->lock);
    if (--c->users == 0 && !c->is_cached)
        clip_free(c);
    pthread_mutex_unlock(&s->lock);
}

/* Takes the new clip in, or another's of the same key that was quicker; the result is held. */
static struct clip *clip_share(struct synthesiser *s, struct clip *c)
{
    struct clip *twin = NULL;

    pthread_mutex_lock(&s->lock);
    HASH_FIND(hh, s->by_key, c->key, c->key_n, twin);
    if (twin) {
        twin->users++;
        clip_free(c);
        c = twin;
    } else if (c->key_n <= CACHED_TEXT_MAX + 1 && clip_bytes(c) <= s->bytes_max) {
        while (s->bytes + clip_bytes(c) > s->bytes_max)
            cache_remove(s, s->by_use);
        HASH_ADD_KEYPTR(hh, s->by_key, c->key, c->key_n, c);
        DL_APPEND(s->by_use, c);
        s->bytes += clip_bytes(c);
        c->is_cached = true;
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

int synthesiser_new(struct synthesiser **out, struct worker_pool *pool, size_t cache_bytes)
{
    struct synthesiser *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->pool = pool;
    s->bytes_max = cache_bytes;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return 0;
}

void synthesiser_free(struct synthesiser *s)
{
    if (!s)
        return;
    while (s->by_use)
        cache_remove(s, s->by_use);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- jobs ---- */

struct speech_job {
    struct synthesiser *s;
    speech_on_done *on_done; /* NULL: forgotten */
    void *arg;
    int voice, err;
    struct clip *clip; /* held */
    size_t key_n;
    char key[];
};

static void job_run(void *arg)
{
    struct speech_job *j = arg;

    j->clip = clip_hold(j->s, j->key, j->key_n); /* made meanwhile by a job before this one */
    if (j->clip)
        return;
    struct clip *c = calloc(1, sizeof *c + j->key_n);
    if (!c) {
        j->err = -ENOMEM;
        return;
    }
    c->users = 1;
    c->key_n = j->key_n;
    memcpy(c->key, j->key, j->key_n);
    j->err = make(j->voice, text_make(j->key + 1, j->key_n - 1), &c->pcm, &c->n);
    if (j->err)
        clip_free(c);
    else
        j->clip = clip_share(j->s, c);
}

static void job_done(void *arg)
{
    struct speech_job *j = arg;

    if (j->on_done)
        j->on_done(j->err, j->clip ? j->clip->pcm : NULL, j->clip ? j->clip->n : 0, j->arg);
    clip_drop(j->s, j->clip);
    free(j);
}

int synthesiser_say(struct speech_job **out, struct synthesiser *s, struct loop *l, struct text voice, struct text words,
                    speech_on_done *on_done, void *arg)
{
    const int v = voice_find(voice);

    if (v < 0 || words.n > TEXT_MAX_BYTES)
        return -EINVAL;
    struct speech_job *j = calloc(1, sizeof *j + 1 + words.n);
    if (!j)
        return -ENOMEM;
    j->s = s;
    j->on_done = on_done;
    j->arg = arg;
    j->voice = v;
    j->key_n = 1 + words.n;
    j->key[0] = (char)v;
    if (words.n > 0)
        memcpy(j->key + 1, words.p, words.n);
    j->clip = clip_hold(s, j->key, j->key_n);
    const int err = j->clip ? loop_post(l, job_done, j) : worker_submit(s->pool, l, job_run, job_done, j);
    if (err) {
        clip_drop(s, j->clip);
        free(j);
        return err;
    }
    *out = j;
    return 0;
}

void speech_forget(struct speech_job *j)
{
    if (j)
        j->on_done = NULL;
}
