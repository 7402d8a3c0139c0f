/* The voices of a pipeline: the embedded one, and those that are bought, with scripted servers and with the stand-in, and each of their faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ai/tts.h"
#include "ai/tts_sound.h"
#include "base/buf.h"
#include "fail_alloc.h"
#include "net_help.h"
#include "sim/service.h"
#include "tls_help.h"

enum act { ACT_NONE, ACT_STOP, ACT_SAY, ACT_FREE, ACT_STOP_SAY };

struct rig {
    struct loop *loop;
    struct worker_pool *pool;
    struct synthesiser *synthesiser;
    struct dialer *dialer;
    struct tts *tts;
    struct buf heard;              /* samples of what is being said */
    enum act on_audio, on_done, on_fault; /* what the handler does, once */
    int act_err;                   /* what its tts_say gave */
    unsigned pieces, done, faults;
    unsigned wanted;               /* ends (done or fault) before the loop stops */
    bool in_call;                  /* no handler may run now */
    bool may_retry;
    enum provider_error kind;
    char detail[300];
    struct sim_service *sim;
    char url[100];                 /* of it */
    unsigned sessions, complaints, cleared, closed, spoken;
    bool stops_at_closed;          /* a session's end stops the loop */
    char complaint[300];
};

static void act(struct rig *r, enum act *what)
{
    const enum act a = *what;

    *what = ACT_NONE;
    if (a == ACT_STOP || a == ACT_STOP_SAY)
        tts_stop(r->tts);
    if (a == ACT_SAY || a == ACT_STOP_SAY) {
        r->in_call = true;
        r->act_err = tts_say(r->tts, TEXT("and more"));
        r->in_call = false;
    }
    if (a == ACT_FREE) {
        tts_free(r->tts);
        r->tts = NULL;
    }
}

static void end(struct rig *r)
{
    if (r->done + r->faults >= r->wanted)
        loop_stop(r->loop);
}

static void on_audio(const int16_t *pcm, size_t n, void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    assert_true(n > 0);
    r->pieces++;
    assert_int_equal(buf_add(&r->heard, pcm, n * sizeof *pcm), 0);
    act(r, &r->on_audio);
    if (!r->tts)
        loop_stop(r->loop);
}

static void on_done(void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    r->done++;
    act(r, &r->on_done);
    end(r);
}

static void on_fault(enum provider_error kind, bool may_retry, struct text detail, void *arg)
{
    struct rig *r = arg;

    assert_false(r->in_call);
    r->faults++;
    r->kind = kind;
    r->may_retry = may_retry;
    text_copy(r->detail, sizeof r->detail, detail);
    act(r, &r->on_fault);
    end(r);
}

static const struct tts_handlers handlers = { .on_audio = on_audio, .on_done = on_done, .on_fault = on_fault };

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    *state = r;
    r->loop = help_loop();
    buf_init(&r->heard, 8 * 1024 * 1024);
    assert_int_equal(worker_pool_new(&r->pool, 1, 16, "tts"), 0);
    assert_int_equal(synthesiser_new(&r->synthesiser, r->pool, 1024 * 1024), 0);
    assert_int_equal(dialer_new(&r->dialer, r->loop, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    fail_alloc_off();
    tts_free(r->tts);
    sim_service_close(r->sim);
    worker_pool_free(r->pool);
    dialer_free(r->dialer);
    loop_free(r->loop);
    synthesiser_free(r->synthesiser);
    buf_free(&r->heard);
    free(r);
    return 0;
}

static int say(struct rig *r, const char *words)
{
    r->in_call = true;
    const int err = tts_say(r->tts, text_of(words));
    r->in_call = false;
    return err;
}

/* Says it, and waits for that many ends. */
static void hear(struct rig *r, const char *words, unsigned wanted)
{
    r->done = r->faults = r->pieces = 0;
    r->wanted = wanted;
    buf_clear(&r->heard);
    assert_int_equal(say(r, words), 0);
    help_run(r->loop);
}

/* ---- the embedded voice ---- */

static void test_the_embedded_voice(void **state)
{
    struct rig *r = *state;
    int16_t *pcm;
    size_t n;

    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "none of these", &handlers, r), -EINVAL);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    assert_int_equal(speech_make("kal", "good morning", &pcm, &n), 0);
    for (int i = 0; i < 2; i++) {  /* made, then cached */
        hear(r, "good morning", 1);
        assert_int_equal(r->done, 1);
        assert_int_equal(r->heard.n, n * sizeof *pcm);
        assert_memory_equal(r->heard.p, pcm, r->heard.n);
    }
    free(pcm);
    hear(r, " ", 1);               /* nothing to say is said at once */
    assert_int_equal(r->done, 1);
    assert_int_equal(r->pieces, 0);
}

static void test_the_embedded_voice_refuses(void **state)
{
    struct rig *r = *state;
    static char much[TTS_WORDS_MAX + 2];

    memset(much, 'a', TTS_WORDS_MAX + 1);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    assert_int_equal(say(r, much), -EINVAL);
    r->wanted = 1;
    assert_int_equal(say(r, "one"), 0);
    assert_int_equal(say(r, "two"), -EBUSY);
    help_run(r->loop);
    assert_int_equal(r->done, 1);
    assert_int_equal(say(r, "three"), 0);
    tts_stop(r->tts);
    tts_stop(r->tts);
    hear(r, "four", 1);            /* of three nothing is heard */
    assert_int_equal(r->done, 1);
    assert_int_equal(r->pieces, 1);
}

static void expect_acts(struct rig *r)
{
    r->on_audio = ACT_SAY;         /* the first is not at its end */
    hear(r, "one", 1);
    assert_int_equal(r->act_err, -EBUSY);
    assert_int_equal(r->done, 1);
    r->on_audio = ACT_STOP_SAY;
    hear(r, "one", 1);
    assert_int_equal(r->act_err, 0);
    assert_int_equal(r->done, 1);  /* of "and more" */
    r->on_done = ACT_SAY;
    hear(r, "one", 2);
    assert_int_equal(r->act_err, 0);
    assert_int_equal(r->done, 2);
    r->on_audio = ACT_FREE;
    hear(r, "one", 1);
    assert_int_equal(r->done, 0);
    assert_null(r->tts);
}

static void test_the_embedded_voice_in_its_handlers(void **state)
{
    struct rig *r = *state;

    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    expect_acts(r);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), 0);
    r->on_done = ACT_FREE;
    hear(r, "one", 1);
    assert_null(r->tts);
    fail_alloc_at(1);
    assert_int_equal(tts_local_new(&r->tts, r->loop, r->synthesiser, "kal", &handlers, r), -ENOMEM);
    fail_alloc_off();
    tts_free(NULL);
}

/* What the words "again" give comes from the cache. */
static void expect_acts_in_the_cache(struct rig *r)
{
    r->on_audio = ACT_STOP;
    r->on_done = ACT_NONE;
    r->wanted = 1;
    r->done = r->pieces = 0;
    assert_int_equal(say(r, "again"), 0);
    help_run_ms(r->loop, 20);
    assert_true(r->pieces == 1 && r->done == 0);
    r->on_audio = ACT_FREE;
    hear(r, "again", 1);
    assert_true(r->pieces == 1 && r->done == 0);
}

/* ---- bytes become samples ---- */

enum { TONE = 2400, TONE_OUT = 800, FLUSH_OUT = 32 };

/* A slow triangle that begins near zero, as voices do. */
static void tone_write(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int16_t v = (int16_t)((int)(i % 200 < 100 ? i % 200 : 200 - i % 200) * 50);

        assert_int_equal(buf_add(b, &v, sizeof v), 0);
    }
}

static void word_write(struct buf *b, uint32_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(buf_add_char(b, (char)(v >> 8 * i)), 0);
}

struct wav_shape {
    unsigned format, channels, rate_hz, bits;
    uint32_t data_size;            /* as the head says */
    const char *before, *behind;   /* bytes of lists; NULL: none */
};

static void wav_write_head(struct buf *b, const struct wav_shape *w)
{
    buf_add_text(b, TEXT("RIFF"));
    word_write(b, 0xffffffff, 4);
    buf_add_text(b, TEXT("WAVE"));
    if (w->before) {
        buf_add_text(b, TEXT("LIST"));
        word_write(b, (uint32_t)strlen(w->before), 4);
        buf_add_text(b, text_of(w->before));
        if (strlen(w->before) % 2)
            buf_add_char(b, '\0');
    }
    buf_add_text(b, TEXT("fmt "));
    word_write(b, 16, 4);
    word_write(b, w->format, 2);
    word_write(b, w->channels, 2);
    word_write(b, w->rate_hz, 4);
    word_write(b, w->rate_hz * w->channels * w->bits / 8, 4);
    word_write(b, w->channels * w->bits / 8, 2);
    word_write(b, w->bits, 2);
    buf_add_text(b, TEXT("data"));
    word_write(b, w->data_size, 4);
}

static bool collect(const int16_t *pcm, size_t n, void *arg)
{
    assert_int_equal(buf_add(arg, pcm, n * sizeof *pcm), 0);
    return true;
}

/* In two pieces. */
static int sound_run(struct text bytes, size_t split, uint64_t max, struct buf *out, const char **problem)
{
    struct tts_sound s = { .rate_hz = 0 };
    int err;

    tts_sound_begin(&s, 24000, max);
    buf_clear(out);
    err = tts_sound_feed(&s, text_head(bytes, split), collect, out);
    if (!err)
        err = tts_sound_feed(&s, text_skip(bytes, split), collect, out);
    if (!err)
        err = tts_sound_end(&s, collect, out);
    *problem = s.problem;
    tts_sound_free(&s);
    return err;
}

static void expect_sound(const struct buf *bytes, const struct buf *want)
{
    const char *problem;
    struct buf got;

    buf_init(&got, 65536);
    for (size_t split = 0; split <= bytes->n; split += split < 200 ? 1 : 97) {
        assert_int_equal(sound_run(buf_text(bytes), split, 8000, &got, &problem), 0);
        assert_int_equal(got.n, want->n);
        assert_memory_equal(got.p, want->p, want->n);
    }
    buf_free(&got);
}

static void test_sound_cut_anywhere(void **state)
{
    struct wav_shape w = { 1, 1, 24000, 16, TONE * 2, "some words", "more words" };
    const char *problem;
    struct buf raw, wav, want;

    (void)state;
    buf_init(&raw, 65536);
    buf_init(&wav, 65536);
    buf_init(&want, 65536);
    tone_write(&raw, TONE);
    assert_int_equal(sound_run(buf_text(&raw), 0, 8000, &want, &problem), 0);
    assert_int_equal(want.n, (TONE_OUT + FLUSH_OUT) * sizeof(int16_t));
    expect_sound(&raw, &want);
    for (int i = 0; i < 3; i++) {  /* lists about it; then a stream's sizes */
        buf_clear(&wav);
        w.data_size = i == 0 ? TONE * 2 : i == 1 ? 0 : 0xffffffff;
        w.before = i == 0 ? "some words" : i == 1 ? "odd" : NULL;
        wav_write_head(&wav, &w);
        tone_write(&wav, TONE);
        if (i == 0)
            buf_add_text(&wav, text_of(w.behind));
        expect_sound(&wav, &want);
    }
    word_write(&raw, 7, 1);        /* half a sample at the end */
    expect_sound(&raw, &want);
    buf_free(&raw);
    buf_free(&wav);
    buf_free(&want);
}

static void expect_problem(struct buf *bytes, const char *about)
{
    const char *problem;
    struct buf got;

    buf_init(&got, 65536);
    for (size_t split = 0; split <= bytes->n; split++) {
        assert_int_equal(sound_run(buf_text(bytes), split, 8000, &got, &problem), -EBADMSG);
        if (!strstr(problem, about))
            fail_msg("\"%s\" instead of \"%s\"", problem, about);
        assert_int_equal(got.n, 0);
    }
    buf_free(&got);
    buf_clear(bytes);
}

static void test_what_is_no_sound(void **state)
{
    static const struct wav_shape strange[] = {
        { 7, 1, 8000, 8, 100, NULL, NULL }, { 1, 2, 24000, 16, 100, NULL, NULL }, { 1, 1, 4000, 16, 100, NULL, NULL },
        { 1, 1, 96000, 16, 100, NULL, NULL }, { 1, 1, 24000, 24, 100, NULL, NULL }, { 3, 1, 24000, 32, 100, NULL, NULL },
    };
    static const char *const problems[] = { "16-bit", "channel", "rate", "rate", "16-bit", "16-bit" };
    static const char *const words[] = { "{\"error\":{\"message\":\"no such voice\"}}", "<!DOCTYPE html>", "{}", "Internal Server Error" };
    const struct wav_shape whole = { 1, 1, 24000, 16, 100, NULL, NULL };
    static char much[TTS_HEAD_MAX];
    struct wav_shape long_head = whole;
    const char *problem;
    struct buf b, got;

    (void)state;
    buf_init(&b, 65536);
    buf_init(&got, 65536);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        wav_write_head(&b, &strange[i]);
        buf_add_text(&b, TEXT("................"));
        expect_problem(&b, problems[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        buf_add_text(&b, text_of(words[i]));
        expect_problem(&b, "words");
    }
    buf_add_text(&b, TEXT("ID3\4\0\0\0\0\0\0\0\0\0"));
    expect_problem(&b, "compressed");
    buf_add_text(&b, TEXT("\xff\xf3\x84\xc4\0\0\0\0\0\0\0\0\0"));
    expect_problem(&b, "compressed");
    memset(much, 'x', sizeof much - 1);
    long_head.before = much;
    wav_write_head(&b, &long_head);
    expect_problem(&b, "too long");
    wav_write_head(&b, &whole);
    for (size_t n = 12; n < b.n; n++) {
        assert_int_equal(sound_run(text_make(b.p, n), n / 2, 8000, &got, &problem), -EBADMSG);
        assert_non_null(strstr(problem, "within its head"));
    }
    assert_int_equal(sound_run(buf_text(&b), 5, 8000, &got, &problem), -ENODATA);
    assert_int_equal(sound_run(TEXT(""), 0, 8000, &got, &problem), -ENODATA);
    assert_int_equal(sound_run(TEXT("\1"), 0, 8000, &got, &problem), -ENODATA);
    buf_free(&b);
    buf_free(&got);
}

static bool refuse(const int16_t *pcm, size_t n, void *arg)
{
    (void)pcm;
    (void)n;
    ++*(unsigned *)arg;
    return false;
}

static void test_sound_has_an_end(void **state)
{
    struct tts_sound s = { .rate_hz = 0 };
    const char *problem;
    unsigned calls = 0;
    struct buf b, got;

    (void)state;
    buf_init(&b, 65536);
    buf_init(&got, 65536);
    tone_write(&b, 6 * TONE);
    assert_int_equal(sound_run(buf_text(&b), 3000, 2 * TONE_OUT, &got, &problem), -EMSGSIZE);
    assert_true(got.n <= 2 * TONE_OUT * sizeof(int16_t));
    tts_sound_begin(&s, 24000, 100000);
    assert_int_equal(tts_sound_feed(&s, buf_text(&b), refuse, &calls), -ECANCELED);
    assert_int_equal(calls, 1);
    fail_alloc_at(1);
    tts_sound_begin(&s, 24000, 100000);
    assert_int_equal(tts_sound_feed(&s, buf_text(&b), refuse, &calls), -ENOMEM);
    fail_alloc_off();
    tts_sound_free(&s);
    buf_free(&b);
    buf_free(&got);
}

/* ---- a voice over HTTP ---- */

enum { SERVES_MAX = 4 };

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    size_t count;                  /* connections that it answers */
    struct buf answers[SERVES_MAX];
    bool holds;                    /* it keeps the connection until we end it */
    char requests[SERVES_MAX][3000];
    size_t served;
    char url[64];
};

static void request_read(int fd, char *out, size_t size)
{
    size_t n = 0, whole = 0;

    while (n + 1 < size && (whole == 0 || n < whole) && help_read(fd, out + n, 1)) {
        out[++n] = 0;
        if (!whole && strstr(out, "\r\n\r\n"))
            whole = n + strtoul(strstr(out, "Content-Length: ") + 16, NULL, 10);
    }
}

static void *serve(void *arg)
{
    struct server *v = arg;

    for (size_t i = 0; i < v->count; i++) {
        const int fd = accept(v->fd, NULL, NULL);

        if (fd < 0)
            break;
        request_read(fd, v->requests[i], sizeof v->requests[i]);
        v->served++;
        for (size_t at = 0; at < v->answers[i].n; at += 4999) /* odd pieces */
            if (!help_write(fd, v->answers[i].p + at, v->answers[i].n - at < 4999 ? v->answers[i].n - at : 4999))
                break;
        if (v->holds)
            help_read_end(fd);
        close(fd);
    }
    return NULL;
}

static void server_init(struct server *v)
{
    *v = (struct server){ .count = 0 };
    v->fd = help_listen(&v->port);
    for (size_t i = 0; i < SERVES_MAX; i++)
        buf_init(&v->answers[i], 1024 * 1024);
}

/* An answer with that status line and these headers: head, then a tone of n samples, or words. */
static void server_answers(struct server *v, const char *head, size_t tone, const char *words)
{
    struct buf *b = &v->answers[v->count++];

    buf_addf(b, "HTTP/1.1 %s\r\nConnection: close\r\n\r\n", head);
    tone_write(b, tone);
    buf_add_text(b, text_of(words));
}

static void server_start(struct server *v)
{
    snprintf(v->url, sizeof v->url, "http://127.0.0.1:%u/v1/", v->port);
    assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
}

static void server_stop(struct server *v)
{
    shutdown(v->fd, SHUT_RDWR);    /* an accept that waits ends */
    pthread_join(v->thread, NULL);
    close(v->fd);
    for (size_t i = 0; i < SERVES_MAX; i++)
        buf_free(&v->answers[i]);
}

static void openai_open(struct rig *r, const struct tts_settings *s)
{
    assert_int_equal(tts_openai_new(&r->tts, r->loop, r->dialer, s, &help_log, &handlers, r), 0);
}

static void openai_close(struct rig *r)
{
    tts_free(r->tts);
    r->tts = NULL;
}

static void test_a_voice_over_http(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .key = "sk-secret" };
    struct server v;

    server_init(&v);
    for (int i = 0; i < 3; i++)
        server_answers(&v, "200 OK", 24000, "");
    server_start(&v);
    s.url = v.url;
    openai_open(r, &s);
    for (int i = 0; i < 2; i++) {  /* without a cache it is asked each time */
        hear(r, " Say \"it\".\n", 1);
        assert_true(r->done == 1 && r->faults == 0);
        assert_int_equal(r->heard.n / sizeof(int16_t), 8000 + FLUSH_OUT);
    }
    hear(r, " \n", 1);
    assert_true(r->done == 1 && r->pieces == 0);
    assert_int_equal(v.served, 2);
    assert_non_null(strstr(v.requests[0], "POST /v1/audio/speech HTTP"));
    assert_non_null(strstr(v.requests[0], "\r\nAuthorization: Bearer sk-secret\r\n"));
    assert_non_null(strstr(v.requests[0], "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(v.requests[0], "{\"model\":\"gpt-4o-mini-tts\",\"voice\":\"alloy\",\"response_format\":\"pcm\",\"input\":\"Say \\\"it\\\".\"}"));
    openai_close(r);
    s.key = NULL;
    s.model = "kokoro";
    s.voice = "af_sky";
    s.rate_hz = 8000;
    openai_open(r, &s);
    hear(r, "more", 1);
    assert_int_equal(r->heard.n / sizeof(int16_t), 24000 + FLUSH_OUT);
    assert_null(strstr(v.requests[2], "Authorization"));
    assert_non_null(strstr(v.requests[2], "{\"model\":\"kokoro\",\"voice\":\"af_sky\""));
    server_stop(&v);
}

static void test_what_was_bought_is_kept(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .key = "k" };
    struct server v;
    struct buf first;

    assert_int_equal(tts_cache_new(&s.cache, 1024 * 1024), 0);
    server_init(&v);
    buf_init(&first, 1024 * 1024);
    server_answers(&v, "200 OK\r\nContent-Length: 48000", 12000, ""); /* broken off: not kept */
    server_answers(&v, "200 OK", 24000, "");
    server_start(&v);
    s.url = v.url;
    openai_open(r, &s);
    hear(r, "again", 1);
    assert_true(r->faults == 1 && r->kind == PROVIDER_NET && r->may_retry && r->pieces > 0);
    hear(r, "again", 1);
    assert_true(r->done == 1);
    buf_add_text(&first, buf_text(&r->heard));
    hear(r, "again", 1);           /* nobody is left to ask */
    assert_true(r->done == 1 && r->faults == 0);
    assert_int_equal(v.served, 2);
    assert_int_equal(r->heard.n, first.n);
    assert_memory_equal(r->heard.p, first.p, first.n);
    assert_int_equal(say(r, "again"), 0);
    assert_int_equal(say(r, "again"), -EBUSY);
    tts_stop(r->tts);
    help_run_ms(r->loop, 20);
    assert_true(r->done == 1);
    expect_acts_in_the_cache(r);
    server_stop(&v);
    buf_free(&first);
    tts_cache_free(s.cache);
}

static void test_faults_of_a_voice_over_http(void **state)
{
    static const struct {
        const char *head, *words;
        size_t tone;
        enum provider_error kind;
        bool may_retry;
    } all[] = {
        { "401 No", "{\"error\":{\"message\":\"bad key sk-secret\"}}", 0, PROVIDER_AUTH, false },
        { "429 No", "{\"error\":{\"message\":\"slow down\"}}", 0, PROVIDER_RATE, true },
        { "429 No\r\nRetry-After: 60", "", 0, PROVIDER_RATE, false },
        { "429 No", "{\"error\":{\"code\":\"insufficient_quota\"}}", 0, PROVIDER_QUOTA, false },
        { "503 No", "", 0, PROVIDER_SERVER, true },
        { "400 No", "{\"error\":{\"message\":\"no such voice\"}}", 0, PROVIDER_CONFIG, false },
        { "302 Elsewhere\r\nLocation: http://127.0.0.1:1/", "", 0, PROVIDER_CONFIG, false },
        { "200 OK", "{\"error\":{\"message\":\"sk-secret is overdrawn\"}}", 0, PROVIDER_CONFIG, false },
        { "200 OK", "", 0, PROVIDER_SERVER, true },
        { "200 OK\r\nContent-Length: 9000", "", 3000, PROVIDER_NET, true },
        { "200 OK\r\nTransfer-Encoding: chunked", "not a size", 0, PROVIDER_NET, true },
        { "200 OK", "", 6 * 24000, PROVIDER_SERVER, true }, /* of one letter */
    };
    struct rig *r = *state;
    struct tts_settings s = { .key = "sk-secret" };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct server v;

        server_init(&v);
        server_answers(&v, all[i].head, all[i].tone, all[i].words);
        server_start(&v);
        s.url = v.url;
        openai_open(r, &s);
        hear(r, "a", 1);
        if (r->faults != 1 || r->done || r->kind != all[i].kind || r->may_retry != all[i].may_retry)
            fail_msg("%s: done %u, kind %d, retry %d, %s", all[i].head, r->done, (int)r->kind, r->may_retry, r->detail);
        assert_null(strstr(r->detail, "sk-secret"));
        assert_true(r->detail[0] != 0);
        openai_close(r);
        server_stop(&v);
    }
}

static void test_a_voice_over_http_falls_silent(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .first_ms = 50, .gap_ms = 60000 };

    for (int i = 0; i < 2; i++) {  /* before its first sound, and behind it */
        struct server v;

        server_init(&v);
        v.holds = true;
        server_answers(&v, "200 OK", i ? 12000 : 0, "");
        server_start(&v);
        s.url = v.url;
        s.first_ms = i ? 60000 : 50;
        s.gap_ms = i ? 50 : 60000;
        openai_open(r, &s);
        hear(r, "a", 1);
        assert_true(r->faults == 1 && r->kind == PROVIDER_NET && r->may_retry);
        assert_non_null(strstr(r->detail, i ? "in the middle" : "did not begin"));
        openai_close(r);
        server_stop(&v);           /* which waited for the end of our connection */
    }
}

static void test_no_way_to_a_voice(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .url = "http://127.0.0.1:1/v1" };

    openai_open(r, &s);
    hear(r, "a", 1);
    assert_true(r->faults == 1 && r->kind == PROVIDER_NET && r->may_retry);
    openai_close(r);
    s.url = "ftp://127.0.0.1/";
    openai_open(r, &s);
    assert_int_equal(say(r, "a"), -EINVAL);
}

static void test_a_voice_over_http_in_its_handlers(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .key = "k" };
    struct server v;

    server_init(&v);
    for (int i = 0; i < 4; i++)
        server_answers(&v, i == 0 ? "500 No" : "200 OK", i == 0 ? 0 : 30000, "");
    server_start(&v);
    s.url = v.url;
    openai_open(r, &s);
    r->on_fault = ACT_SAY;
    r->on_audio = ACT_SAY;         /* of that one */
    hear(r, "one of them", 2);
    assert_int_equal(r->act_err, -EBUSY);
    assert_true(r->faults == 1 && r->done == 1);
    r->on_audio = ACT_STOP_SAY;    /* two is dropped in the middle */
    hear(r, "two of them", 1);
    assert_int_equal(r->act_err, 0);
    assert_true(r->done == 1 && r->faults == 0);
    openai_close(r);
    server_stop(&v);
    server_init(&v);
    server_answers(&v, "200 OK", 30000, "");
    server_start(&v);
    s.url = v.url;
    openai_open(r, &s);
    r->on_audio = ACT_FREE;
    hear(r, "three of them", 1);
    assert_null(r->tts);
    server_stop(&v);
}

static void test_a_voice_over_http_without_memory(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .url = "http://127.0.0.1:1/v1" };

    for (long n = 1;; n++) {
        r->tts = NULL;
        fail_alloc_at(n);
        const int made = tts_openai_new(&r->tts, r->loop, r->dialer, &s, &help_log, &handlers, r);
        const int err = made ? made : tts_say(r->tts, TEXT("a"));
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        assert_int_equal(err, hit ? -ENOMEM : 0);
        openai_close(r);
        if (!hit)
            break;
    }
}

/* ---- with the stand-ins ---- */

static char cert[160], cert_key[160], ca[160], other_ca[160]; /* of the folder that tls_help.h makes */

static void on_moment(const char *what, struct text detail, void *arg)
{
    struct rig *r = arg;

    r->sessions += strcmp(what, "session") == 0 || strcmp(what, "request") == 0;
    r->cleared += strcmp(what, "cleared") == 0;
    r->spoken += strcmp(what, "spoken") == 0;
    if (strcmp(what, "complaint") == 0) {
        r->complaints++;
        text_copy(r->complaint, sizeof r->complaint, detail);
    }
    if (strcmp(what, "closed") == 0) {
        r->closed++;
        if (r->stops_at_closed)
            loop_stop(r->loop);
    }
}

static void sim_open(struct rig *r, const struct sim_service_kind *kind, struct sim_service_options o)
{
    const struct address any = { .host = "127.0.0.1" };
    const bool is_http = kind == &sim_service_openai;
    struct address at;
    char where[80], *problem = NULL;

    o.voice = "kal";
    o.speed = o.speed ? o.speed : 1000;
    o.http = is_http ? &any : NULL;
    assert_int_equal(sim_service_open(&r->sim, r->loop, &any, kind, &o, on_moment, r, &problem), 0);
    if (is_http)
        assert_true(sim_service_http_address(r->sim, &at));
    else
        sim_service_address(r->sim, &at);
    address_format(&at, where, sizeof where);
    snprintf(r->url, sizeof r->url, "%s%s://%s%s", is_http ? "http" : "ws", o.cert_file ? "s" : "", where, is_http ? "/v1" : "");
    r->sessions = r->complaints = r->cleared = r->closed = r->spoken = 0;
}

static void aura_open(struct rig *r, const struct tts_settings *s)
{
    assert_int_equal(tts_aura_new(&r->tts, r->loop, r->dialer, s, &help_log, &handlers, r), 0);
}

static void voice_close(struct rig *r)
{
    tts_free(r->tts);
    r->tts = NULL;
    sim_service_close(r->sim);
    r->sim = NULL;
    if (r->complaints)
        fail_msg("%s", r->complaint);
}

/* What was heard are exactly these words. */
static void expect_heard(const struct rig *r, const char *words)
{
    int16_t *pcm;
    size_t n;

    assert_int_equal(speech_make("kal", words, &pcm, &n), 0);
    if (r->faults)
        fail_msg("%s", r->detail);
    assert_int_equal(r->done, 1);
    assert_true(r->heard.n / sizeof *pcm >= n);
    assert_memory_equal(r->heard.p, pcm, n * sizeof *pcm);
    free(pcm);
}

static void test_a_voice_over_a_websocket(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .key = "dg-secret", .url = r->url };

    assert_int_equal(tts_cache_new(&s.cache, 1024 * 1024), 0);
    sim_open(r, &sim_service_deepgram, (struct sim_service_options){ .key = "dg-secret" });
    aura_open(r, &s);
    hear(r, "The \"first\" text.", 1);
    expect_heard(r, "The \"first\" text.");
    hear(r, "And the second.", 1);
    expect_heard(r, "And the second.");
    hear(r, " ", 1);
    assert_int_equal(r->pieces, 0);
    hear(r, "The \"first\" text.", 1);
    expect_heard(r, "The \"first\" text.");
    assert_true(r->sessions == 1 && r->spoken == 2); /* the third was kept */
    voice_close(r);
    tts_cache_free(s.cache);
}

#define LONG "This is a text of some length, which takes a while, so that it can be stopped in the middle of its words. "

static void test_a_text_is_stopped(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .key = "k", .url = r->url };

    sim_open(r, &sim_service_deepgram, (struct sim_service_options){ .speed = 20 });
    aura_open(r, &s);
    for (int i = 0; i < 3; i++) {  /* of what was stopped nothing is heard later */
        r->wanted = 1;
        r->on_audio = ACT_NONE;
        assert_int_equal(say(r, LONG LONG), 0);
        assert_int_equal(say(r, "x"), -EBUSY);
        if (i == 2) {              /* in its middle: then it is the handler that goes on */
            r->done = r->faults = 0;
            r->on_audio = ACT_STOP_SAY;
            buf_clear(&r->heard);
            help_run(r->loop);
            assert_true(r->done == 1 && r->faults == 0 && r->act_err == 0);
            break;
        }
        tts_stop(r->tts);
        assert_int_equal(say(r, LONG LONG), 0); /* two are cleared, one behind the other */
        tts_stop(r->tts);
        hear(r, "Only this.", 1);
        expect_heard(r, "Only this.");
    }
    assert_int_equal(r->sessions, 1);
    assert_true(r->cleared > 0);
    voice_close(r);
}

static void test_a_voice_over_a_websocket_in_its_handlers(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .key = "k", .url = r->url };

    sim_open(r, &sim_service_deepgram, (struct sim_service_options){ .speed = 100 });
    aura_open(r, &s);
    expect_acts(r);                /* ends with tts_free */
    aura_open(r, &s);
    r->on_done = ACT_FREE;
    hear(r, "one", 1);
    assert_null(r->tts);
    voice_close(r);
}

static void test_faults_of_a_voice_over_a_websocket(void **state)
{
    enum { FINE = 100 };
    static const struct {
        const char *fault;
        unsigned count, sessions;
        int kind;                  /* FINE: it is said */
        bool may_retry;
    } all[] = {
        { "none", 0, 1, FINE, false },             { "burst", 0, 1, FINE, false },            { "drift", 0, 1, FINE, false },
        { "alien", 0, 1, FINE, false },            { "error", 0, 1, FINE, false },            { "401", 0, 0, PROVIDER_AUTH, false },
        { "429", 0, 0, PROVIDER_RATE, true },      { "quota", 0, 0, PROVIDER_QUOTA, false },  { "500", 0, 0, PROVIDER_SERVER, true },
        { "close", 0, 1, PROVIDER_SERVER, true },  { "lost", 0, 1, PROVIDER_NET, true },      { "expired", 0, 1, PROVIDER_EXPIRED, true },
        { "stall", 0, 1, PROVIDER_NET, true },     { "half-open", 0, 1, PROVIDER_NET, true }, { "slow", 0, 1, PROVIDER_NET, true },
        { "garbage", 0, 1, PROVIDER_SERVER, true }, { "no-money", 0, 1, PROVIDER_RATE, true }, { "failed", 1, 2, FINE, false },
        { "failed", 0, 2, PROVIDER_SERVER, true },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const bool waits = strcmp(all[i].fault, "stall") == 0 || strcmp(all[i].fault, "half-open") == 0 || strcmp(all[i].fault, "slow") == 0;
        const struct tts_settings s = { .key = "dg-secret", .url = r->url, .first_ms = waits ? 150 : 60000, .gap_ms = waits ? 150 : 60000 };
        struct sim_service_options o = { .fault_count = all[i].count };
        bool ok;

        o.fault = sim_fault_parse(text_of(all[i].fault), &ok);
        assert_true(ok);
        sim_open(r, &sim_service_deepgram, o);
        aura_open(r, &s);
        hear(r, LONG, 1);
        if (all[i].kind == FINE)
            expect_heard(r, LONG);
        else if (r->done || r->faults != 1 || (int)r->kind != all[i].kind || r->may_retry != all[i].may_retry)
            fail_msg("%s: done %u, kind %d, retry %d, %s", all[i].fault, r->done, (int)r->kind, r->may_retry, r->detail);
        if (!waits && all[i].sessions != r->sessions)
            fail_msg("%s: %u sessions", all[i].fault, r->sessions);
        assert_null(strstr(r->detail, "dg-secret"));
        voice_close(r);
    }
}

static void test_a_line_that_was_closed_is_opened_again(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .key = "k", .url = r->url };

    sim_open(r, &sim_service_deepgram, (struct sim_service_options){ .idle_ms = 200 });
    aura_open(r, &s);
    for (int i = 0; i < 2; i++) {
        hear(r, "One text.", 1);
        expect_heard(r, "One text.");
        r->stops_at_closed = true; /* nobody speaks: the service closes */
        while (r->closed < r->sessions)
            help_run(r->loop);
        r->stops_at_closed = false;
        help_run_ms(r->loop, 20);
    }
    assert_true(r->sessions >= 2);
    assert_int_equal(r->faults, 0);
    voice_close(r);
}

static void test_no_more_texts_a_minute_than_allowed(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .key = "k", .url = r->url };

    sim_open(r, &sim_service_deepgram, (struct sim_service_options){ .speed = 10000 });
    aura_open(r, &s);
    for (unsigned i = 0; i < 40; i++) {
        hear(r, "Yes.", 1);
        expect_heard(r, "Yes.");
    }
    assert_int_equal(r->sessions, 3); /* of 18, 18 and 4 */
    voice_close(r);                /* without a complaint */
}

static void test_no_way_to_a_voice_over_a_websocket(void **state)
{
    struct rig *r = *state;
    struct tts_settings s = { .url = "ws://127.0.0.1:1" };

    aura_open(r, &s);
    hear(r, "a", 1);
    assert_true(r->faults == 1 && r->kind == PROVIDER_NET && r->may_retry);
    hear(r, "a", 1);               /* tried again each time */
    assert_true(r->faults == 1 && r->kind == PROVIDER_NET);
    openai_close(r);
    s.url = "http://127.0.0.1:1";
    assert_int_equal(tts_aura_new(&r->tts, r->loop, r->dialer, &s, &help_log, &handlers, r), -EINVAL);
    s.url = "ws://127.0.0.1:1";
    for (long n = 1;; n++) {
        fail_alloc_at(n);
        const int made = tts_aura_new(&r->tts, r->loop, r->dialer, &s, &help_log, &handlers, r);
        const int err = made ? made : tts_say(r->tts, TEXT("a"));
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        assert_int_equal(err, hit ? -ENOMEM : 0);
        openai_close(r);
        if (!hit)
            break;
    }
}

static void test_voices_over_tls(void **state)
{
    struct rig *r = *state;
    const struct tts_settings s = { .key = "k", .url = r->url };

    for (int i = 0; i < 4; i++) {
        const bool is_trusted = i % 2 == 0, is_http = i < 2;

        dialer_free(r->dialer);
        assert_int_equal(dialer_new(&r->dialer, r->loop, &(struct dialer_options){ .tls = { .ca_file = is_trusted ? ca : other_ca } }), 0);
        sim_open(r, is_http ? &sim_service_openai : &sim_service_deepgram, (struct sim_service_options){ .cert_file = cert, .key_file = cert_key });
        if (is_http)
            openai_open(r, &s);
        else
            aura_open(r, &s);
        hear(r, "Over TLS.", 1);
        assert_int_equal(r->done, is_trusted);
        assert_true(is_trusted || (r->kind == PROVIDER_NET && !r->may_retry));
        voice_close(r);
    }
}

/* What our client asks for is judged by the stand-in's list; its faults reach us as what they are. */
static void test_a_voice_over_http_with_the_stand_in(void **state)
{
    enum { FINE = 100 };
    static const struct {
        const char *fault;
        int kind;
        bool may_retry;
    } all[] = {
        { "none", FINE, false },          { "burst", FINE, false },          { "drift", FINE, false },         { "alien", PROVIDER_CONFIG, false },
        { "garbage", PROVIDER_CONFIG, false }, { "401", PROVIDER_AUTH, false }, { "429", PROVIDER_RATE, true }, { "quota", PROVIDER_QUOTA, false },
        { "500", PROVIDER_SERVER, true }, { "close", PROVIDER_NET, true },   { "lost", PROVIDER_NET, true },   { "stall", PROVIDER_NET, true },
        { "slow", PROVIDER_NET, true },   { "no-money", PROVIDER_QUOTA, false }, { "failed", PROVIDER_RATE, true }, { "error", PROVIDER_SERVER, true },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const bool waits = strcmp(all[i].fault, "stall") == 0 || strcmp(all[i].fault, "slow") == 0;
        const struct tts_settings s = { .key = "k", .url = r->url, .first_ms = waits ? 150 : 60000, .gap_ms = waits ? 150 : 60000 };
        struct sim_service_options o = { .key = NULL };
        bool ok;

        o.fault = sim_fault_parse(text_of(all[i].fault), &ok);
        sim_open(r, &sim_service_openai, o);
        openai_open(r, &s);
        hear(r, LONG, 1);
        if (all[i].kind == FINE ? r->done != 1 || r->heard.n < 32000 : r->faults != 1 || (int)r->kind != all[i].kind || r->may_retry != all[i].may_retry)
            fail_msg("%s: done %u, %zu bytes, kind %d, retry %d, %s", all[i].fault, r->done, r->heard.n, (int)r->kind, r->may_retry, r->detail);
        voice_close(r);
    }
}

static int set_up(void **state)
{
    const int err = tls_setup(state);

    snprintf(cert, sizeof cert, "%s/good.pem", tls_dir);
    snprintf(cert_key, sizeof cert_key, "%s/good.key", tls_dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", tls_dir);
    snprintf(other_ca, sizeof other_ca, "%s/other.pem", tls_dir);
    return err;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_embedded_voice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_embedded_voice_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_embedded_voice_in_its_handlers, setup, teardown),
        cmocka_unit_test(test_sound_cut_anywhere),
        cmocka_unit_test(test_what_is_no_sound),
        cmocka_unit_test(test_sound_has_an_end),
        cmocka_unit_test_setup_teardown(test_a_voice_over_http, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_bought_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_of_a_voice_over_http, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_http_falls_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_way_to_a_voice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_http_in_its_handlers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_http_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_a_websocket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_text_is_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_a_websocket_in_its_handlers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_of_a_voice_over_a_websocket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_that_was_closed_is_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_texts_a_minute_than_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_way_to_a_voice_over_a_websocket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_voices_over_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_voice_over_http_with_the_stand_in, setup, teardown),
    };

    return cmocka_run_group_tests_name("tts", tests, set_up, tls_shut);
}
