/* Ears, a voice and a model server for tests of the pipeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_help.h"
#include "pipeline_bench.h"
#include "turn.h"

enum { LIMIT_MS = 20000, SAMPLES_A_BYTE = 80 /* 10 ms */ };

/* ---- the model's server ---- */

static bool request_read(struct bench *b, int fd, unsigned i)
{
    char *out = b->requests[i];
    size_t n = 0, whole = 0;

    while (n + 1 < BENCH_REQUEST_MAX && (whole == 0 || n < whole)) {
        const char *length;

        if (!help_read(fd, out + n, 1))
            return false;
        out[++n] = 0;
        if (whole == 0 && n >= 4 && memcmp(out + n - 4, "\r\n\r\n", 4) == 0) {
            length = strstr(out, "Content-Length: ");
            whole = n + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    return true;
}

static void answer_write(struct bench *b, int fd, const char *answer)
{
    while (*answer) {
        const size_t n = strcspn(answer, "\f\v");

        help_write(fd, answer, n);
        answer += n;
        if (*answer == '\f')
            sem_wait(&b->go);
        else if (*answer == '\v')
            help_read_end(fd);
        answer += *answer != 0;
    }
}

static void *serve(void *arg)
{
    struct bench *b = arg;

    for (unsigned i = 0; i < BENCH_REQUESTS;) {
        const int fd = accept(b->listener, NULL, NULL);

        if (fd < 0)
            break;                 /* shut down at the end */
        if (request_read(b, fd, i)) {
            b->asked++;
            answer_write(b, fd, b->answers[i] ? b->answers[i] : BENCH_REFUSES("500", "not in the test"));
            i++;
        }                          /* else it was taken back while it was sent */
        close(fd);
    }
    return NULL;
}

/* ---- the ears ---- */

static void on_ear_closed(void *arg)
{
    struct bench_ear *e = arg;

    e->base.on->on_closed(e->base.arg);
    e->bench->ears_closed++;
    if (e->bench->ear == e)
        e->bench->ear = NULL;
    timer_free(e->closing);
    free(e);
}

static void ear_start(struct stt *s)
{
    ((struct bench_ear *)s)->is_started = true;
}

static void ear_hear(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us)
{
    (void)pcm;
    (void)n;
    (void)at_us;
    ((struct bench_ear *)s)->frames++;
}

static void ear_discard_turn(struct stt *s)
{
    ((struct bench_ear *)s)->discards++;
}

static void ear_close(struct stt *s)
{
    struct bench_ear *e = (struct bench_ear *)s;

    assert_false(e->is_closed);
    e->is_closed = true;
    timer_start(e->closing, 0);
}

static const struct stt_ops ear_ops = { .start = ear_start, .hear = ear_hear, .discard = ear_discard_turn, .close = ear_close };

static int ear_make(struct stt **out, const void *settings, const struct pipeline_ground *g, const struct stt_handlers *on, void *arg)
{
    struct bench *b = (struct bench *)(uintptr_t)settings;
    struct bench_ear *e = b->ear_err ? NULL : calloc(1, sizeof *e);

    (void)g;
    if (b->ear_err)
        return b->ear_err;
    if (!e)
        return -ENOMEM;
    if (timer_new(&e->closing, b->loop, on_ear_closed, e)) {
        free(e);
        return -ENOMEM;
    }
    e->base = (struct stt){ .ops = &ear_ops, .on = on, .arg = arg };
    e->bench = b;
    b->ear = e;
    b->ears++;
    *out = &e->base;
    return 0;
}

/* ---- the voice ---- */

static struct bench *bench_of(struct tts *t)
{
    return (struct bench *)((char *)t - offsetof(struct bench, voice));
}

static void on_speaks(void *arg)
{
    static int16_t sound[1000 * SAMPLES_A_BYTE];
    struct bench *b = arg;
    const unsigned said = b->said;

    if (!b->is_saying)
        return;
    if (b->voice_faults > 0) {
        b->voice_faults--;
        if (b->faults_late)
            b->voice.on->on_audio(sound, 800, b->voice.arg);
        b->is_saying = false;
        b->voice.on->on_fault(PROVIDER_SERVER, b->voice_may_retry, TEXT("no breath"), b->voice.arg);
        return;
    }
    b->voice.on->on_audio(sound, strlen(b->words) * SAMPLES_A_BYTE, b->voice.arg);
    if (!b->is_saying || b->said != said)
        return;
    b->is_saying = false;
    b->voice.on->on_done(b->voice.arg);
}

static int voice_say(struct tts *t, struct text words)
{
    struct bench *b = bench_of(t);

    if (b->is_saying)
        return -EBUSY;
    text_copy(b->words, sizeof b->words, words);
    b->said++;
    b->is_saying = true;
    buf_addf(&b->log, "say(%s) ", b->words);
    if (!b->by_hand && (!b->hand_from || b->said < b->hand_from))
        timer_start(b->speaks, 0);
    return 0;
}

static void voice_stop(struct tts *t)
{
    struct bench *b = bench_of(t);

    b->stops++;
    b->is_saying = false;
}

static void voice_free(struct tts *t)
{
    voice_stop(t);
    bench_of(t)->is_freed = true;
}

static const struct tts_ops voice_ops = { .say = voice_say, .stop = voice_stop, .free = voice_free };

static int voice_make(struct tts **out, const void *settings, const struct pipeline_ground *g, const struct tts_handlers *on, void *arg)
{
    struct bench *b = (struct bench *)(uintptr_t)settings;

    (void)g;
    b->voice = (struct tts){ .ops = &voice_ops, .on = on, .arg = arg };
    *out = &b->voice;
    return 0;
}

/* ---- the conversation ---- */

static void on_ready(void *arg)
{
    buf_addf(&((struct bench *)arg)->log, "ready ");
}

static void leave(struct bench *b)
{
    provider_close(b->agent);
}

static void on_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct bench *b = arg;

    (void)pcm;
    if (last)
        buf_addf(&b->log, "end(%u) ", item);
    else
        buf_addf(&b->log, "audio(%u,%zu) ", item, n);
    if (b->closes_at_audio)
        leave(b);
    if (last && b->hears)
        provider_heard(b->agent, item);
}

static void on_agent_text(uint32_t item, struct text words, void *arg)
{
    struct bench *b = arg;

    assert_true(item > b->item);   /* they grow */
    b->item = item;
    buf_addf(&b->log, "text(%u,%.*s) ", item, TEXT_ARG(words));
    if (b->closes_at_text)
        leave(b);
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct bench *b = arg;

    (void)onset_us;
    buf_addf(&b->log, "speech ");
    if (b->cuts)
        provider_interrupted(b->agent, b->item, 100);
    if (b->closes_at_speech)
        leave(b);
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    (void)end_us;
    buf_addf(&((struct bench *)arg)->log, "silence ");
}

static void on_caller_text(struct text words, struct text intent, double score, bool accepted, void *arg)
{
    struct bench *b = arg;

    (void)score;
    buf_addf(&b->log, "caller(%s%.*s%s%.*s%s) ", words.p ? "" : "nothing", TEXT_ARG(words), intent.p ? "/" : "", TEXT_ARG(intent), accepted ? "" : "?");
    if (b->closes_at_words)
        leave(b);
}

static void on_tool_call(uint32_t id, struct text name, struct text args, void *arg)
{
    struct bench *b = arg;

    assert_true(b->call_count < 16);
    b->calls[b->call_count++] = id;
    buf_addf(&b->log, "call(%.*s,%.*s) ", TEXT_ARG(name), TEXT_ARG(args));
    if (b->closes_at_call)
        leave(b);
    else if (b->parts)
        b->was_farewell = provider_farewell(b->agent, id);
    else if (b->answers_inside)
        provider_tool_result(b->agent, id, 0, TEXT("{\"inside\":true}"));
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    struct bench *b = arg;

    (void)wish;
    (void)reason;
    b->wishes++;
    buf_addf(&b->log, "wish ");
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    struct bench *b = arg;

    b->errors++;
    b->kind = kind;
    text_copy(b->detail, sizeof b->detail, detail);
    buf_addf(&b->log, "error(%s) ", provider_error_name(kind));
}

static void on_closed(void *arg)
{
    struct bench *b = arg;

    assert_false(b->is_closed);
    b->is_closed = true;
    buf_addf(&b->log, "closed ");
}

static const struct provider_handlers talk_on = {
    .on_ready = on_ready,
    .on_audio = on_audio,
    .on_agent_text = on_agent_text,
    .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped,
    .on_caller_text = on_caller_text,
    .on_tool_call = on_tool_call,
    .on_wish = on_wish,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* ---- the bench ---- */

static const struct pipeline_parts parts = { .ear = ear_make, .voice = voice_make };
static const struct pipeline_parts parts_and_spare = { .ear = ear_make, .voice = voice_make, .spare = voice_make };

void bench_open(struct bench *b, const char *greeting)
{
    uint16_t port;

    buf_init(&b->log, 256 * 1024);
    b->loop = help_loop();
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ 0 }), 0);
    b->listener = help_listen(&port);
    assert_int_equal(sem_init(&b->go, 0, 0), 0);
    assert_int_equal(pthread_create(&b->server, NULL, serve, b), 0);
    assert_int_equal(timer_new(&b->speaks, b->loop, on_speaks, b), 0);
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/v1", port);
    b->llm.url = b->url;
    b->llm.model = "m";
    b->thinking.retry_ms = 1;
    b->opt.parts = b->is_spare ? &parts_and_spare : &parts;
    b->opt.settings = b;
    b->opt.ground = (struct pipeline_ground){ .loop = b->loop, .dialer = b->dialer, .log = &help_log };
    b->opt.llm = &b->llm;
    b->opt.thinking = &b->thinking;
    b->opt.greeting = greeting;
    b->opt.keys_ms = b->opt.keys_ms ? b->opt.keys_ms : 1;
    b->opt.retry_ms = 1;
    assert_int_equal(pipeline_new(&b->agent, &b->opt, &help_log), 0);
}

void bench_start(struct bench *b)
{
    b->is_started = true;
    provider_start(b->agent, &talk_on, b);
    if (b->ear && !b->is_deaf)
        b->ear->base.on->on_ready(b->ear->base.arg);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->is_closed;
}

void bench_close(struct bench *b)
{
    const bool is_started = b->is_started;

    if (!b->is_closed)             /* else its memory is gone */
        provider_close(b->agent);
    if (is_started)
        assert_true(turn_until(b->loop, is_closed, b, LIMIT_MS));
    else
        turn_for(b->loop, 20);
    assert_int_equal(b->ears_closed, b->ears);
    assert_true(b->is_freed);
    timer_free(b->speaks);
    shutdown(b->listener, SHUT_RDWR);
    dialer_free(b->dialer);        /* ends what the server still holds */
    loop_free(b->loop);
    for (int i = 0; i < 4; i++)
        sem_post(&b->go);
    pthread_join(b->server, NULL);
    close(b->listener);
    sem_destroy(&b->go);
    buf_free(&b->log);
}

void bench_go(struct bench *b)
{
    sem_post(&b->go);
}

const char *bench_log(struct bench *b)
{
    return buf_cstr(&b->log) ? b->log.p : "";
}

void bench_clear(struct bench *b)
{
    buf_clear(&b->log);
}

struct wanted {
    struct bench *bench;
    const char *logged;
    unsigned requests;
};

static bool is_there(void *arg)
{
    const struct wanted *w = arg;

    return w->logged ? strstr(bench_log(w->bench), w->logged) != NULL : w->bench->asked >= w->requests;
}

void bench_until(struct bench *b, const char *logged)
{
    struct wanted w = { .bench = b, .logged = logged };

    if (!turn_until(b->loop, is_there, &w, LIMIT_MS))
        fail_msg("never: %s; but: %s", logged, bench_log(b));
}

void bench_until_asked(struct bench *b, unsigned requests)
{
    struct wanted w = { .bench = b, .requests = requests };

    if (!turn_until(b->loop, is_there, &w, LIMIT_MS))
        fail_msg("%u requests, not %u: %s", (unsigned)b->asked, requests, bench_log(b));
}

const char *bench_messages(struct bench *b, unsigned request)
{
    const char *at = strstr(b->requests[request], "\"messages\":");

    assert_non_null(at);
    return at + 11;
}

void bench_turn(struct bench *b, const char *words)
{
    struct bench_ear *e = b->ear;

    e->base.on->on_speech_started(1, e->base.arg);
    if (!e->is_closed)
        e->base.on->on_speech_stopped(2, e->base.arg);
    if (!e->is_closed)
        e->base.on->on_turn(text_of(words), TEXT_NONE, 1, e->base.arg);
}

void bench_expect_log(struct bench *b, const char *expected)
{
    assert_string_equal(bench_log(b), expected);
}

void bench_expect_messages(struct bench *b, unsigned request, const char *expected)
{
    const char *messages = bench_messages(b, request);

    if (strncmp(messages, expected, strlen(expected)) != 0)
        fail_msg("request %u: %s\nexpected: %s", request, messages, expected);
}
