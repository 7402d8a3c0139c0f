/* A ring between the audio clock and a worker, a little text beside it, and the two files that both become. */
#include "call/keeper.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audio/wav.h"
#include "base/buf.h"
#include "base/clock.h"

enum {
    RING_MS = 3000,                /* what a slow disk may be behind */
    FLUSH_MS = 500,
    ASIDE_MS = 200,                /* of the caller's, until the agent's clock comes round */
    WORDS_MAX = 256 * 1024,        /* of a transcript that wait for the worker */
    LATE_RATE_MAX = 96000,
};

struct keeper {
    struct loop *loop;
    struct log log;
    struct worker_pool *pool;
    struct timer *flush;
    char *folder, *audio_path, *words_path, *call;
    unsigned rate_hz;
    bool masks, is_closed;
    bool is_leaving;               /* closed, but the worker took no job for it yet */
    unsigned jobs;                 /* asked of the worker and not back */
    struct timeline timeline;
    const struct timeline *to;
    int64_t began_us;

    int16_t *aside;                /* a ring of the caller's samples */
    size_t aside_max, aside_at, aside_n;
    int16_t *ring;                 /* frames of two */
    size_t ring_frames;
    atomic_size_t in, out;         /* frames ever written and read */
    uint64_t lost;
    struct buf words;              /* of the loop */
    size_t words_lost;

    /* the worker's: */
    struct buf going;              /* what it writes; handed over while no job is under way */
    struct wav_writer *wav;
    FILE *text;
    bool is_open;
    int err;                       /* the first; read by the loop when the last job is back */
};

/* ---- words ---- */

static bool may_stand_between(char c)
{
    return c == ' ' || c == '.' || c == '-' || c == '(' || c == ')' || c == '/';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How far a number reaches from here, and how many digits it has. */
static size_t number_of(const char *at, size_t *digits)
{
    size_t n = 0, end = 0;

    *digits = 0;
    while (is_digit(at[n]) || (*digits > 0 && may_stand_between(at[n]))) {
        if (is_digit(at[n])) {
            (*digits)++;
            end = n + 1;
        }
        n++;
    }
    return end;
}

void keeper_mask(char *json)
{
    bool is_inside = false;

    for (char *at = json; *at; at++) {
        size_t digits, n;

        if (*at == '\\' && at[1]) {
            at += at[1] == 'u' && strlen(at) >= 6 ? 5 : 1;
            continue;
        }
        if (*at == '"')
            is_inside = !is_inside;
        if (!is_inside || !is_digit(*at))
            continue;
        n = number_of(at, &digits);
        for (size_t i = 0; digits >= 4 && i < n; i++)
            at[i] = is_digit(at[i]) ? '*' : at[i];
        at += n - 1;
    }
}

static bool is_spoken(const char *kind)
{
    static const char *const kinds[] = { "caller.said", "agent.said", "agent.phrase", "barge_in", "barge_in.false", "agent.heard", "tool",
                                         "talk.switch", "agent.switch", "provider.failed", "talk.end" };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i]))
            return true;
    return false;
}

static void words_add(struct keeper *k, const char *kind, const char *detail)
{
    if (k->words.n + strlen(detail) + 100 > WORDS_MAX) {
        k->words_lost++;
        return;
    }
    buf_addf(&k->words, "{\"ms\":%lld,\"kind\":\"%s\"%s%s\n", (long long)((clock_mono_us() - k->began_us) / 1000), kind,
             detail[1] == '}' ? "" : ",", detail + 1);
}

static bool publish(void *arg, struct fact *f)
{
    struct keeper *k = arg;

    if (is_spoken(f->kind) && fact_detail(f)) {
        if (k->masks)
            keeper_mask(f->detail);
        if (k->words_path)
            words_add(k, f->kind, f->detail);
    }
    if (k->to)
        return k->to->publish(k->to->arg, f);
    fact_free(f);
    return true;
}

const struct timeline *keeper_timeline(struct keeper *k, const struct timeline *to)
{
    k->to = to;
    k->timeline = (struct timeline){ .publish = publish, .arg = k };
    return &k->timeline;
}

/* ---- audio ---- */

void keeper_heard(struct keeper *k, const int16_t *pcm, size_t n)
{
    for (size_t i = 0; k->ring && i < n; i++) {
        k->aside[(k->aside_at + k->aside_n) % k->aside_max] = pcm[i];
        if (k->aside_n < k->aside_max)
            k->aside_n++;
        else
            k->aside_at = (k->aside_at + 1) % k->aside_max; /* the oldest: a burst, or a clock that runs faster */
    }
}

static int16_t aside_take(struct keeper *k)
{
    int16_t s;

    if (k->aside_n == 0)
        return 0;
    s = k->aside[k->aside_at];
    k->aside_at = (k->aside_at + 1) % k->aside_max;
    k->aside_n--;
    return s;
}

void keeper_played(struct keeper *k, const int16_t *pcm, size_t n)
{
    const size_t in = atomic_load_explicit(&k->in, memory_order_relaxed), out = atomic_load_explicit(&k->out, memory_order_acquire);
    const size_t room = k->ring_frames - (in - out), fits = n < room ? n : room;

    if (!k->ring)
        return;
    for (size_t i = 0; i < n; i++) {
        const int16_t caller = aside_take(k);
        int16_t *const frame = k->ring + 2 * ((in + i) % k->ring_frames);

        if (i >= fits)
            continue;
        frame[0] = caller;
        frame[1] = pcm[i];
    }
    k->lost += n - fits;
    atomic_store_explicit(&k->in, in + fits, memory_order_release);
}

/* ---- the worker ---- */

static void files_open(struct keeper *k)
{
    if (k->is_open)
        return;
    k->is_open = true;
    if (!k->audio_path && !k->words_path)
        return;
    if (mkdir(k->folder, 0750) && errno != EEXIST)
        k->err = -errno;
    if (!k->err && k->audio_path)
        k->err = wav_create(&k->wav, k->audio_path, k->rate_hz, 2);
    if (!k->err && k->words_path) {
        k->text = fopen(k->words_path, "ae");
        k->err = k->text ? 0 : -errno;
    }
}

static void ring_drain(struct keeper *k)
{
    const size_t in = atomic_load_explicit(&k->in, memory_order_acquire);
    size_t out = atomic_load_explicit(&k->out, memory_order_relaxed);

    while (out < in) {
        const size_t at = out % k->ring_frames;
        const size_t n = in - out < k->ring_frames - at ? in - out : k->ring_frames - at;

        if (!k->err && k->wav)
            k->err = wav_write(k->wav, k->ring + 2 * at, n);
        out += n;
    }
    atomic_store_explicit(&k->out, out, memory_order_release);
    if (!k->err && k->wav)
        k->err = wav_flush(k->wav);
}

static void write_some(void *arg)
{
    struct keeper *k = arg;

    files_open(k);
    ring_drain(k);
    if (!k->err && k->text && k->going.n > 0 && (fwrite(k->going.p, 1, k->going.n, k->text) != k->going.n || fflush(k->text)))
        k->err = -EIO;
    buf_clear(&k->going);
}

static void write_last(void *arg)
{
    struct keeper *k = arg;
    int err;

    write_some(k);
    buf_add(&k->going, k->words.p, k->words.n); /* the loop has let go of it */
    if (k->words.n > 0) {
        buf_clear(&k->words);
        write_some(k);
    }
    err = wav_close(k->wav);
    if (k->text && fclose(k->text) && !err)
        err = -EIO;
    if (!k->err)
        k->err = err;
}

/* ---- back on the loop ---- */

static void destroy(struct keeper *k)
{
    if (!k)
        return;
    timer_free(k->flush);
    buf_free(&k->words);
    buf_free(&k->going);
    free(k->aside);
    free(k->ring);
    free(k->folder);
    free(k->audio_path);
    free(k->words_path);
    free(k->call);
    free(k);
}

static void on_written(void *arg)
{
    struct keeper *k = arg;

    k->jobs--;
    if (k->is_leaving) {
        k->is_leaving = false;
        keeper_close(k);
        return;
    }
    if (!k->is_closed || k->jobs > 0)
        return;
    if (k->err || k->lost || k->words_lost)
        log_error(&k->log, "not_kept_whole", kv_str("call", k->call), kv_err(k->err), kv_int("samples_lost", (int64_t)k->lost),
                  kv_int("lines_lost", (int64_t)k->words_lost));
    destroy(k);
}

static void on_flush(void *arg)
{
    struct keeper *k = arg;
    const struct buf empty = k->going;

    timer_start(k->flush, FLUSH_MS);
    if (k->jobs > 0)
        return;                    /* a slow disk: the ring waits for it */
    k->going = k->words;
    k->words = empty;
    if (worker_submit(k->pool, k->loop, write_some, on_written, k) == 0) {
        k->jobs++;
        return;
    }
    k->words = k->going;           /* tried again */
    k->going = empty;
}

void keeper_close(struct keeper *k)
{
    if (!k)
        return;
    k->is_closed = true;
    timer_stop(k->flush);
    k->jobs++;
    if (worker_submit(k->pool, k->loop, write_last, on_written, k) == 0)
        return;
    k->jobs--;
    if (k->jobs > 0) {             /* the job that is under way comes back, and tries again */
        k->is_closed = false;
        k->is_leaving = true;
        return;
    }
    k->jobs++;                     /* nobody else writes: what there is is closed here */
    write_last(k);
    on_written(k);
}

/* ---- construction ---- */

const char *keeper_audio_path(const struct keeper *k)
{
    return k->audio_path;
}

const char *keeper_words_path(const struct keeper *k)
{
    return k->words_path;
}

/* FOLDER/CALL-20261123T043000123.EXT; what has no place in a file's name becomes an underscore. */
static int make_path(char **out, const struct keeper_options *opt, const char *ext)
{
    const time_t s = (time_t)(opt->wall_us / 1000000);
    struct tm tm;
    char when[32], call[FACT_CALL_MAX];
    size_t n = 0;

    gmtime_r(&s, &tm);
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", &tm);
    for (; n < opt->call.n && n + 1 < sizeof call; n++) {
        const char c = opt->call.p[n];
        const bool is_fine = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || (c == '.' && n > 0);

        call[n] = is_fine ? c : '_';
    }
    call[n] = '\0';
    return asprintf(out, "%s/%s-%s%03d.%s", opt->folder, call, when, (int)(opt->wall_us / 1000 % 1000), ext) < 0 ? -ENOMEM : 0;
}

static int make_rings(struct keeper *k)
{
    k->aside_max = (size_t)k->rate_hz * ASIDE_MS / 1000;
    k->ring_frames = (size_t)k->rate_hz * RING_MS / 1000;
    k->aside = calloc(k->aside_max, sizeof *k->aside);
    k->ring = calloc(2 * k->ring_frames, sizeof *k->ring);
    return k->aside && k->ring ? 0 : -ENOMEM;
}

int keeper_new(struct keeper **out, struct loop *l, const struct keeper_options *opt, const struct log *log)
{
    struct keeper *k;
    int err = 0;

    if (!(opt->has_audio || opt->has_words || opt->masks) || opt->rate_hz < 1000 || opt->rate_hz > LATE_RATE_MAX)
        return -EINVAL;
    k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    k->loop = l;
    k->log = log_for(log, "keeper");
    k->pool = opt->pool;
    k->rate_hz = opt->rate_hz;
    k->masks = opt->masks;
    k->began_us = clock_mono_us();
    buf_init(&k->words, WORDS_MAX);
    buf_init(&k->going, 2 * WORDS_MAX);
    k->folder = strdup(opt->folder);
    k->call = text_dup(opt->call);
    if (!k->folder || !k->call)
        err = -ENOMEM;
    if (!err && opt->has_audio)
        err = make_path(&k->audio_path, opt, "wav");
    if (!err && opt->has_words)
        err = make_path(&k->words_path, opt, "jsonl");
    if (!err && opt->has_audio)
        err = make_rings(k);
    if (!err)
        err = timer_new(&k->flush, l, on_flush, k);
    if (err) {
        destroy(k);
        return err;
    }
    timer_start(k->flush, FLUSH_MS);
    *out = k;
    return 0;
}
