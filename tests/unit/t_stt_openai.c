/* Ears that upload utterances: what is sent is read by an own multipart reader, and each way in which a server fails has its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdatomic.h>

#include "ai/stt_core.h"
#include "ai/transcription.h"
#include "fail_alloc.h"
#include "net_help.h"
#include "stt_heard.h"
#include "tls_help.h"
#include "turn.h"

enum { SERVED_MAX = 4, HEAD_MAX = 2048, WAIT_MS = 30000 };

#define ANSWERS(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define REFUSES(status, body) "HTTP/1.1 " status " No\r\nConnection: close\r\n\r\n" body
#define HANGS "hangs"              /* reads, says nothing */
#define STALLS "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"text\":"

struct bench {
    struct heard h;
    struct loop *loop;
    struct dialer *dialer;
    struct stt_settings settings;
    char url[64];
    int64_t fed;
    unsigned wanted;
    size_t wanted_served;

    int listener;
    pthread_t thread;
    bool has_server;
    const char *answer[SERVED_MAX];    /* one a connection */
    atomic_size_t served;          /* its head and body can be read */
    char head[SERVED_MAX][HEAD_MAX];
    char *body[SERVED_MAX];
    size_t body_n[SERVED_MAX];
};

/* ---- a server ---- */

static void *serve(void *arg)
{
    struct bench *b = arg;

    for (size_t i = 0; i < SERVED_MAX && b->answer[i]; i++) {
        const int fd = accept(b->listener, NULL, NULL);
        char *head = b->head[i];
        size_t n = 0;

        while (fd >= 0 && n + 1 < HEAD_MAX && !strstr(head, "\r\n\r\n") && help_read(fd, head + n, 1))
            head[++n] = 0;
        const char *length = strstr(head, "Content-Length: ");

        b->body_n[i] = length ? strtoul(length + 16, NULL, 10) : 0;
        b->body[i] = malloc(b->body_n[i] + 1);
        if (!b->body[i] || !help_read(fd, b->body[i], b->body_n[i]))
            b->body_n[i] = 0;
        b->served++;
        if (strcmp(b->answer[i], HANGS) != 0)
            help_write(fd, b->answer[i], strlen(b->answer[i]));
        if (strcmp(b->answer[i], HANGS) == 0 || strcmp(b->answer[i], STALLS) == 0)
            help_read_end(fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct bench *b, const char *const *answers)
{
    uint16_t port;

    for (size_t i = 0; i < SERVED_MAX && answers[i]; i++)
        b->answer[i] = answers[i];
    b->listener = help_listen(&port);
    b->has_server = true;
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/v1/", port);
    assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
}

/* ---- a caller ---- */

static void bench_open(struct bench *b, const char *ca_file)
{
    b->loop = help_loop();
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ .tls = { .ca_file = ca_file } }), 0);
    b->settings.url = b->url;
    b->settings.key = "sk-secret";
    b->settings.retry_ms = 1;
    assert_int_equal(stt_openai_new(&b->h.ears, b->loop, b->dialer, &b->settings, &help_log, &heard_on, &b->h), 0);
    stt_start(b->h.ears);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->h.closed > 0;
}

static bool is_over(void *arg)
{
    const struct bench *b = arg;

    return b->h.turns >= b->wanted || b->h.faults;
}

static bool is_served(void *arg)
{
    return ((struct bench *)arg)->served > 0;
}

static bool is_all_served(void *arg)
{
    const struct bench *b = arg;

    return b->served >= b->wanted_served;
}

static void bench_close(struct bench *b)
{
    if (b->h.ears)
        stt_close(b->h.ears);
    assert_true(turn_until(b->loop, is_closed, b, WAIT_MS));
    dialer_free(b->dialer);
    loop_free(b->loop);
    if (!b->has_server)
        return;
    pthread_join(b->thread, NULL);
    close(b->listener);
    for (size_t i = 0; i < SERVED_MAX; i++)
        free(b->body[i]);
}

static void feed(struct bench *b, const int16_t *pcm, size_t n)
{
    for (size_t at = 0; at < n; at += HEARD_PIECE) {
        heard_feed(&b->h, pcm + at, n - at < HEARD_PIECE ? n - at : HEARD_PIECE, b->fed * 1000 / HEARD_MS);
        b->fed += HEARD_PIECE;
    }
}

/* A sound that counts as speech, and a second of silence behind it. */
static void say_ms(struct bench *b, int lead_ms, int ms)
{
    const size_t n = (size_t)(lead_ms + ms + 1000) * HEARD_MS;
    int16_t *pcm = calloc(n, sizeof *pcm);

    assert_non_null(pcm);
    for (size_t i = 0; i < (size_t)ms * HEARD_MS; i++) {
        const double t = (double)i / 8000;

        pcm[(size_t)lead_ms * HEARD_MS + i] = (int16_t)(4000 * (0.55 + 0.45 * cos(2 * M_PI * 4 * t)) * sin(2 * M_PI * 500 * t));
    }
    feed(b, pcm, n);
    free(pcm);
}

static void wait_turns(struct bench *b, unsigned wanted)
{
    b->wanted = wanted;
    assert_true(turn_until(b->loop, is_over, b, WAIT_MS));
}

/* ---- what we send ---- */

/* The value of a part of a multipart body, by its name; absent when there is none. */
static struct text part(struct text body, struct text boundary, const char *name)
{
    char wanted[160], end[80];
    const int n = snprintf(wanted, sizeof wanted, "--%.*s\r\nContent-Disposition: form-data; name=\"%s\"", TEXT_ARG(boundary), name);
    const ptrdiff_t at = text_find_text(body, text_make(wanted, (size_t)n));

    if (at < 0)
        return TEXT_NONE;
    struct text rest = text_skip(body, (size_t)at);
    const ptrdiff_t head = text_find_text(rest, TEXT("\r\n\r\n"));

    assert_true(head > 0);
    rest = text_skip(rest, (size_t)head + 4);
    const int k = snprintf(end, sizeof end, "\r\n--%.*s", TEXT_ARG(boundary));
    const ptrdiff_t length = text_find_text(rest, text_make(end, (size_t)k));

    assert_true(length >= 0);
    return text_head(rest, (size_t)length);
}

static unsigned number(struct text t, size_t at, size_t bytes)
{
    unsigned v = 0;

    assert_true(at + bytes <= t.n);
    for (size_t i = 0; i < bytes; i++)
        v |= (unsigned)(unsigned char)t.p[at + i] << 8 * i;
    return v;
}

static struct text boundary_of(const char *header)
{
    const char *at = strstr(header, "Content-Type: multipart/form-data; boundary=");

    assert_non_null(at);
    at = strchr(at, '=') + 1;
    return text_make(at, strcspn(at, "\r\n"));
}

static void expect_part(struct text body, struct text boundary, const char *name, const char *value)
{
    const struct text found = part(body, boundary, name);

    if (!text_eq(found, text_of(value)) || (found.p == NULL) != (value == NULL))
        fail_msg("%s: %.*s", name, TEXT_ARG(found));
}

static void test_an_utterance_is_uploaded(void **state)
{
    static const char *const terms[] = { "Sidetone", "Mr. \"X\"" };
    static const char *const answers[] = { ANSWERS("{\"text\":\" Hello there. \",\"usage\":{\"new\":[1]}}"), ANSWERS("{\"text\":\"Again.\"}"), NULL };
    struct bench b = { .settings = { .language = "en", .keyterms = terms, .keyterm_count = 2 } };
    struct text body, boundary, wav;

    (void)state;
    server_start(&b, answers);
    bench_open(&b, NULL);
    say_ms(&b, 1000, 700);
    wait_turns(&b, 1);
    say_ms(&b, 1000, 700);
    wait_turns(&b, 2);
    assert_int_equal(b.h.faults, 0);
    assert_string_equal(b.h.turn[0].words, "Hello there.");
    assert_string_equal(b.h.turn[1].words, "Again.");
    assert_string_equal(b.h.turn[0].intent, "");
    assert_int_equal(b.h.ready, 1);
    assert_true(b.h.starts == 2 && b.h.stops == 2);
    assert_int_equal(b.served, 2);
    assert_non_null(strstr(b.head[0], "POST /v1/audio/transcriptions HTTP/1.1\r\n"));
    assert_non_null(strstr(b.head[0], "Authorization: Bearer sk-secret\r\n"));
    boundary = boundary_of(b.head[0]);
    body = text_make(b.body[0], b.body_n[0]);
    expect_part(body, boundary, "model", "gpt-4o-mini-transcribe");
    expect_part(body, boundary, "response_format", "json");
    expect_part(body, boundary, "language", "en");
    expect_part(body, boundary, "prompt", "Sidetone, Mr. \"X\"");
    assert_true(text_find_text(body, TEXT("filename=\"speech.wav\"")) > 0);
    wav = part(body, boundary, "file");
    assert_true(text_starts(wav, TEXT("RIFF")) && text_eq(text_head(text_skip(wav, 8), 8), TEXT("WAVEfmt ")));
    assert_int_equal(number(wav, 4, 4), wav.n - 8);
    assert_int_equal(number(wav, 16, 4), 16);
    assert_int_equal(number(wav, 20, 2), 1);       /* PCM */
    assert_int_equal(number(wav, 22, 2), 1);       /* mono */
    assert_int_equal(number(wav, 24, 4), 8000);
    assert_int_equal(number(wav, 28, 4), 16000);
    assert_int_equal(number(wav, 32, 2), 2);
    assert_int_equal(number(wav, 34, 2), 16);
    assert_true(text_eq(text_head(text_skip(wav, 36), 4), TEXT("data")));
    assert_int_equal(number(wav, 40, 4), wav.n - 44);
    assert_in_range((wav.n - 44) / 2, (300 + 680 + 480) * HEARD_MS, (300 + 720 + 500) * HEARD_MS);
    assert_int_equal(number(wav, 44, 2), 0);       /* it begins 300 ms before the speech */
    assert_int_not_equal(number(wav, 44 + 2 * 310 * HEARD_MS + 8, 2), 0);
    assert_true(text_ends(body, TEXT("--\r\n")));
    assert_true(!text_eq(boundary, boundary_of(b.head[1])));
    bench_close(&b);
}

static void test_bare_settings_have_bare_forms(void **state)
{
    static const int16_t pcm[80] = { 1, -2 };
    static char longest[TRANSCRIPTION_PROMPT_MAX];
    static const char *const terms[] = { "first", longest, "last" };
    const struct stt_settings bare = { .model = "m" }, many = { .keyterms = terms, .keyterm_count = 3 };
    char header[TRANSCRIPTION_HEADER_MAX];
    struct buf b;

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    buf_init(&b, 4096);
    assert_int_equal(transcription_write(&b, header, &bare, pcm, 80), 0);
    expect_part(buf_text(&b), boundary_of(header), "model", "m");
    expect_part(buf_text(&b), boundary_of(header), "language", NULL);
    expect_part(buf_text(&b), boundary_of(header), "prompt", NULL);
    buf_clear(&b);
    assert_int_equal(transcription_write(&b, header, &many, pcm, 80), 0);
    expect_part(buf_text(&b), boundary_of(header), "prompt", "first"); /* the important ones come first */
    buf_free(&b);
    buf_init(&b, 200);
    assert_int_equal(transcription_write(&b, header, &bare, pcm, 80), -ENOBUFS);
    buf_free(&b);
}

/* ---- what a server says ---- */

static void test_answers(void **state)
{
    static const struct {
        const char *body, *words;      /* NULL: none can be read */
    } all[] = {
        { "{\"text\":\"Yes.\"}", "Yes." },
        { "{\"task\":\"transcribe\",\"text\":\"\\n h\xc3\xa9 \",\"segments\":[]}", "h\xc3\xa9" },
        { "{\"text\":\"\"}", "" },
        { "{\"text\":\"Thank you for watching!\"}", "" },
        { "{\"text\":\"Thank you for watching it\"}", "Thank you for watching it" },
        { "{\"text\":\" [BLANK_AUDIO] \"}", "" },
        { "{\"text\":\"(wind blowing)\"}", "" },
        { "{\"text\":\"Thank you.\"}", "Thank you." },
        { "{\"text\":7}", NULL },
        { "{\"text\":null}", NULL },
        { "{\"Text\":\"x\"}", NULL },
        { "[\"text\"]", NULL },
        { "\"text\"", NULL },
        { "", NULL },
        { "<html>", NULL },
    };
    static const char whole[] = "{\"text\":\"one two\"}";
    static char endless[2 * STT_WORDS_MAX];
    struct buf b;

    (void)state;
    buf_init(&b, STT_WORDS_MAX);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        buf_clear(&b);
        assert_int_equal(transcription_read(&b, text_of(all[i].body)), all[i].words ? 0 : -EBADMSG);
        if (all[i].words && !text_eq(buf_text(&b), text_of(all[i].words)) && b.n + strlen(all[i].words) > 0)
            fail_msg("%s: %.*s", all[i].body, TEXT_ARG(buf_text(&b)));
    }
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_int_equal(transcription_read(&b, text_make(whole, n)), -EBADMSG);
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "{\"text\":\"", 9);
    memcpy(endless + sizeof endless - 3, "\"}", 3);
    buf_clear(&b);
    assert_int_equal(transcription_read(&b, text_of(endless)), -ENOBUFS);
    buf_free(&b);
}

static void test_each_fault_has_its_end(void **state)
{
    static const struct {
        const char *answer[3];
        size_t served;
        int kind;                  /* -1: a turn */
    } all[] = {
        { { REFUSES("401", "{\"error\":{\"message\":\"bad sk-secret\"}}") }, 1, PROVIDER_AUTH },
        { { REFUSES("403", "") }, 1, PROVIDER_AUTH },
        { { REFUSES("429", "{\"error\":{\"code\":\"insufficient_quota\"}}") }, 1, PROVIDER_QUOTA },
        { { REFUSES("402", "") }, 1, PROVIDER_QUOTA },
        { { REFUSES("429", ""), REFUSES("429", "") }, 2, PROVIDER_RATE },
        { { REFUSES("429", ""), ANSWERS("{\"text\":\"ok\"}") }, 2, -1 },
        { { "HTTP/1.1 429 No\r\nRetry-After: 30\r\nConnection: close\r\n\r\n" }, 1, PROVIDER_RATE },
        { { REFUSES("500", ""), REFUSES("503", "sk-secret") }, 2, PROVIDER_SERVER },
        { { REFUSES("500", ""), ANSWERS("{\"text\":\"ok\"}") }, 2, -1 },
        { { REFUSES("404", "no such model") }, 1, PROVIDER_CONFIG },
        { { REFUSES("400", "{\"error\":{\"message\":\"language\"}}") }, 1, PROVIDER_CONFIG },
        { { ANSWERS("{\"words\":\"new\"}"), ANSWERS("{\"words\":\"new\"}") }, 2, PROVIDER_SERVER },  /* drift */
        { { ANSWERS("{\"text\":{}}"), ANSWERS("{\"text\":[1]}") }, 2, PROVIDER_SERVER },              /* other types */
        { { ANSWERS("\xff\xfe sk-secret"), ANSWERS("{\"text\":\"ok\"}") }, 2, -1 },
        { { "SSH-2.0-x\r\n\r\n", "SSH-2.0-x\r\n\r\n" }, 2, PROVIDER_NET },                             /* garbage */
        { { "", "" }, 2, PROVIDER_NET },
        { { HANGS, HANGS }, 2, PROVIDER_NET },
        { { HANGS, ANSWERS("{\"text\":\"ok\"}") }, 2, -1 },
        { { STALLS, STALLS }, 2, PROVIDER_NET },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        /* Generous where an answer comes: a slow machine is no fault. */
        const bool is_late = strcmp(all[i].answer[0], HANGS) == 0 || strcmp(all[i].answer[0], STALLS) == 0;
        struct bench b = { .settings = { .answer_ms = is_late ? 150 : 20000 } };

        server_start(&b, all[i].answer);
        bench_open(&b, NULL);
        say_ms(&b, 400, 400);
        wait_turns(&b, 1);
        b.wanted_served = all[i].served;
        assert_true(turn_until(b.loop, is_all_served, &b, WAIT_MS)); /* the server may be later than our deadline */
        if (b.served != all[i].served || b.h.faults != (all[i].kind >= 0) || (all[i].kind >= 0 && (int)b.h.kind != all[i].kind) ||
            (all[i].kind < 0 && strcmp(b.h.turn[0].words, "ok") != 0))
            fail_msg("%s: served %zu, %u faults (%s: %s), %u turns (%s)", all[i].answer[0], (size_t)b.served, b.h.faults, provider_error_name(b.h.kind), b.h.detail,
                     b.h.turns, b.h.turn[0].words);
        assert_null(strstr(b.h.detail, "sk-secret"));
        say_ms(&b, 400, 400);      /* nobody listens behind a fault: no turn, no request */
        if (all[i].kind >= 0) {
            turn_for(b.loop, 5);
            assert_int_equal(b.h.starts, 1);
        }
        bench_close(&b);
    }
}

static void test_no_route(void **state)
{
    struct bench b = { .url = "http://127.0.0.1:1/v1" };

    (void)state;
    bench_open(&b, NULL);
    say_ms(&b, 400, 400);
    wait_turns(&b, 1);
    assert_int_equal(b.h.faults, 1);
    assert_int_equal(b.h.kind, PROVIDER_NET);
    bench_close(&b);
}

static void test_an_address_that_is_none(void **state)
{
    struct bench b = { .url = "gopher://x" };

    (void)state;
    bench_open(&b, NULL);
    say_ms(&b, 400, 400);
    wait_turns(&b, 1);
    assert_int_equal(b.h.faults, 1);
    assert_int_equal(b.h.kind, PROVIDER_CONFIG);
    bench_close(&b);
}

static void test_tls_that_cannot_be_trusted(void **state)
{
    struct tls_peer peer;
    struct bench b = { .fed = 0 };

    (void)state;
    tls_setup(state);
    peer = tls_peer_start("good", "echo", "0");
    snprintf(b.url, sizeof b.url, "https://127.0.0.1:%u/v1", peer.port);
    bench_open(&b, tls_path("other.pem"));
    say_ms(&b, 400, 400);
    wait_turns(&b, 1);
    assert_int_equal(b.h.faults, 1);
    assert_int_equal(b.h.kind, PROVIDER_NET);
    bench_close(&b);
    tls_peer_stop(&peer);
    assert_int_equal(tls_shut(state), 0);
}

/* ---- the talk ---- */

static void test_clicks_are_not_sent(void **state)
{
    struct bench b = { .url = "http://127.0.0.1:1/v1" };

    (void)state;
    bench_open(&b, NULL);
    say_ms(&b, 400, 130);          /* long enough to count, too short for words */
    wait_turns(&b, 1);
    assert_int_equal(b.h.faults, 0);
    assert_string_equal(b.h.turn[0].words, "");
    bench_close(&b);
}

static void test_the_longest_utterance(void **state)
{
    static const char *const answers[] = { ANSWERS("{\"text\":\"long\"}"), NULL };
    struct bench b = { .settings = { .answer_ms = 20000 } };

    (void)state;
    server_start(&b, answers);
    bench_open(&b, NULL);
    say_ms(&b, 400, 40000);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "long");
    assert_int_equal(b.served, 1);
    assert_int_equal(b.h.starts, 1); /* its rest is not another one */
    assert_in_range(b.body_n[0], 30000 * HEARD_MS * 2, 30400 * HEARD_MS * 2 + 2000);
    bench_close(&b);
}

static void test_the_next_words_wait_for_the_first(void **state)
{
    static const char *const answers[] = { ANSWERS("{\"text\":\"one\"}"), ANSWERS("{\"text\":\"two\"}"), NULL };
    struct bench b = { .settings = { .answer_ms = 20000 } };

    (void)state;
    server_start(&b, answers);
    bench_open(&b, NULL);
    say_ms(&b, 400, 400);
    say_ms(&b, 0, 800);
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[0].words, "one");
    assert_string_equal(b.h.turn[1].words, "two");
    assert_int_equal(b.served, 2);
    assert_true(b.body_n[1] > b.body_n[0]);
    bench_close(&b);
}

static void test_what_is_not_wanted_is_taken_back(void **state)
{
    static const char *const answers[] = { HANGS, ANSWERS("{\"text\":\"wanted\"}"), NULL };
    struct bench b = { .settings = { .answer_ms = 20000 } };

    (void)state;
    server_start(&b, answers);
    bench_open(&b, NULL);
    say_ms(&b, 400, 400);
    assert_true(turn_until(b.loop, is_served, &b, WAIT_MS));
    stt_discard(b.h.ears);         /* its connection ends, and the server goes on to the next */
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "");
    say_ms(&b, 400, 400);
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[1].words, "wanted");
    assert_int_equal(b.h.faults, 0);
    bench_close(&b);
}

static void test_closed_at_any_moment(void **state)
{
    static const char *const hangs[] = { HANGS, NULL }, *const twice[] = { REFUSES("500", ""), NULL }, *const answers[] = { ANSWERS("{\"text\":\"x\"}"), NULL };
    struct bench b = { .fed = 0 }, retry = { .fed = 0 }, inside = { .h = { .closes_at_turn = true } };

    (void)state;
    server_start(&b, hangs);
    bench_open(&b, NULL);
    say_ms(&b, 400, 400);
    assert_true(turn_until(b.loop, is_served, &b, WAIT_MS));
    bench_close(&b);
    assert_int_equal(b.h.turns + b.h.faults, 0);
    server_start(&retry, twice);
    bench_open(&retry, NULL);
    retry.settings.retry_ms = 60000;
    say_ms(&retry, 400, 400);
    assert_true(turn_until(retry.loop, is_served, &retry, WAIT_MS));
    turn_for(retry.loop, 20);      /* most likely it waits for its second try by now */
    bench_close(&retry);
    assert_int_equal(retry.h.turns + retry.h.faults, 0);
    server_start(&inside, answers);
    bench_open(&inside, NULL);
    say_ms(&inside, 400, 400);
    assert_true(turn_until(inside.loop, is_closed, &inside, WAIT_MS));
    bench_close(&inside);
    assert_int_equal(inside.h.turns, 1);
}

static void test_without_memory(void **state)
{
    const struct stt_settings settings = { .key = "k" };
    struct heard h = { .ready = 0 };
    struct loop *l = help_loop();
    struct dialer *d;
    struct stt *s = NULL;
    long n = 1;

    (void)state;
    assert_int_equal(dialer_new(&d, l, NULL), 0);
    for (;; n++) {
        int err;

        fail_alloc_at(n);
        err = stt_openai_new(&s, l, d, &settings, &help_log, &heard_on, &h);
        fail_alloc_off();
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_null(s);
    }
    assert_true(n > 4);
    stt_close(s);
    turn_for(l, 5);
    assert_int_equal(h.closed, 1);
    assert_int_equal(stt_openai_new(&s, l, d, &(struct stt_settings){ .silence_ms = 20 }, &help_log, &heard_on, &h), -EINVAL);
    dialer_free(d);
    loop_free(l);
}

/* An utterance for which there is no memory is one that was not understood; whatever fails, one turn or fault comes of it. */
static void test_a_turn_without_memory(void **state)
{
    static const char *const answers[] = { ANSWERS("{\"text\":\"ok\"}"), ANSWERS("{\"text\":\"ok\"}"), NULL };
    unsigned lost = 0;

    (void)state;
    for (long n = 1; n < 12; n++) {
        struct bench b = { .settings = { .answer_ms = 20000 } };

        server_start(&b, answers);
        bench_open(&b, NULL);
        say_ms(&b, 400, 0);
        fail_alloc_at(n + 1);      /* the first one is the test's own */
        say_ms(&b, 0, 400);
        fail_alloc_off();
        wait_turns(&b, 1);
        assert_int_equal(b.h.turns + b.h.faults, 1);
        lost += b.h.turns == 1 && b.h.turn[0].words[0] == 0;
        while (b.served < 2) {     /* the server's thread ends when both were asked for */
            const int fd = help_connect((uint16_t)strtoul(b.url + strlen("http://127.0.0.1:"), NULL, 10));

            assert_true(fd >= 0);
            help_write(fd, "x\r\n\r\n", 5);
            help_read_end(fd);
            close(fd);
        }
        bench_close(&b);
    }
    assert_true(lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_utterance_is_uploaded),
        cmocka_unit_test(test_bare_settings_have_bare_forms),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_each_fault_has_its_end),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_an_address_that_is_none),
        cmocka_unit_test(test_tls_that_cannot_be_trusted),
        cmocka_unit_test(test_clicks_are_not_sent),
        cmocka_unit_test(test_the_longest_utterance),
        cmocka_unit_test(test_the_next_words_wait_for_the_first),
        cmocka_unit_test(test_what_is_not_wanted_is_taken_back),
        cmocka_unit_test(test_closed_at_any_moment),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_a_turn_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
