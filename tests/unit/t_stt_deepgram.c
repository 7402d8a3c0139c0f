/* Ears at Deepgram, /v1/listen and Flux: their messages cut and bent, and whole talks with the stand-in and each of its faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include <cjson/cJSON.h>

#include "ai/deepgram_heard.h"
#include "fail_alloc.h"
#include "net_help.h"
#include "sim/service.h"
#include "stt_heard.h"
#include "tls_help.h"
#include "turn.h"

enum { WAIT_MS = 30000 };

typedef int make_ears(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                      const struct stt_handlers *on, void *arg);

static make_ears *const both[] = { stt_listen_new, stt_flux_new };

/* ---- what the service says ---- */

static const char results[] = "{\"type\":\"Results\",\"new\":[1],\"start\":1.5,\"duration\":0.5,\"is_final\":true,\"speech_final\":false,\"channel\":"
                              "{\"alternatives\":[{\"transcript\":\"another \\u00e9\",\"confidence\":0.9,\"words\":[]}]}}";
static const char eager[] = "{\"type\":\"TurnInfo\",\"event\":\"EagerEndOfTurn\",\"turn_index\":0,\"audio_window_start\":0.25,\"transcript\":\"I need\","
                            "\"end_of_turn_confidence\":0.6}";

static void test_messages(void **state)
{
    struct deepgram_heard h;

    (void)state;
    assert_int_equal(deepgram_heard_read(&h, text_of(results)), 0);
    assert_int_equal(h.kind, HEARD_RESULTS);
    assert_true(text_eq(h.words, TEXT("another \xc3\xa9")));
    assert_true(h.is_final && !h.is_speech_final && !h.is_from_finalize);
    assert_true(h.start == 1.5 && h.duration == 0.5 && h.confidence == 0.9);
    deepgram_heard_free(&h);
    assert_int_equal(deepgram_heard_read(&h, text_of(eager)), 0);
    assert_true(h.kind == HEARD_TURN && h.turn == TURN_EAGER && h.start == 0.25 && text_eq(h.words, TEXT("I need")));
    deepgram_heard_free(&h);
}

static void test_cut_anywhere_and_bent(void **state)
{
    static const char *const bent[] = {
        "", "null", "7", "[]", "{}", "[{\"type\":\"Results\"}]", "{\"type\":7}", "{\"type\":\"\"}", "{\"type\":\"Results\"}",
        "{\"type\":\"Results\",\"start\":0,\"duration\":1,\"is_final\":true,\"channel\":7}",
        "{\"type\":\"Results\",\"start\":0,\"duration\":1,\"is_final\":true,\"channel\":{\"alternatives\":{}}}",
        "{\"type\":\"Results\",\"start\":0,\"duration\":1,\"is_final\":true,\"channel\":{\"alternatives\":[7]}}",
        "{\"type\":\"Results\",\"start\":0,\"duration\":1,\"is_final\":1,\"channel\":{\"alternatives\":[{\"transcript\":\"x\"}]}}",
        "{\"type\":\"Results\",\"start\":-1,\"duration\":1,\"is_final\":true,\"channel\":{\"alternatives\":[{\"transcript\":\"x\"}]}}",
        "{\"type\":\"Results\",\"start\":1e300,\"duration\":1,\"is_final\":true,\"channel\":{\"alternatives\":[{\"transcript\":\"x\"}]}}",
        "{\"type\":\"TurnInfo\",\"event\":\"Update\",\"transcript\":{},\"audio_window_start\":0}", "{\"type\":\"TurnInfo\",\"transcript\":\"x\",\"audio_window_start\":0}",
        "{\"type\":\"TurnInfo\",\"event\":\"Update\",\"transcript\":\"x\",\"audio_window_start\":[]}",
    };
    struct deepgram_heard h;

    (void)state;
    for (size_t n = 0; n < sizeof results - 1; n++)
        assert_int_equal(deepgram_heard_read(&h, text_make(results, n)), -EINVAL);
    for (size_t i = 0; i < sizeof bent / sizeof *bent; i++)
        if (deepgram_heard_read(&h, text_of(bent[i])) != -EINVAL)
            fail_msg("taken: %s", bent[i]);
    assert_int_equal(deepgram_heard_read(&h, TEXT("{\"type\":\"MoodChanged\",\"x\":1}")), 0);
    assert_int_equal(h.kind, HEARD_OTHER);
    deepgram_heard_free(&h);
    assert_int_equal(deepgram_heard_read(&h, TEXT("{\"type\":\"TurnInfo\",\"event\":\"Nodded\",\"transcript\":\"x\",\"audio_window_start\":1}")), 0);
    assert_int_equal(h.turn, TURN_OTHER);
    deepgram_heard_free(&h);
    assert_int_equal(deepgram_heard_read(&h, TEXT("{\"type\":\"SpeechStarted\",\"timestamp\":{}}")), 0);
    assert_true(h.start == -1);
    deepgram_heard_free(&h);
    assert_int_equal(deepgram_heard_read(&h, TEXT("{\"type\":\"Error\",\"description\":7}")), 0);
    assert_null(h.message.p);
    deepgram_heard_free(&h);
}

/* ---- whole talks ---- */

struct bench {
    struct heard h;
    struct loop *loop;
    struct dialer *dialer;
    struct sim_service *server;
    struct stt_settings settings;
    struct timer *feeder;
    const char *ca_file;
    bool is_tls;
    int16_t *voice;                /* what the caller says */
    size_t voice_n, voice_at;
    int64_t fed;
    unsigned wanted;
    int64_t feed_ms;               /* between two frames of 20 ms; 0: eight frames each 2 ms */
    bool is_guest;                 /* the loop is another's */

    unsigned sessions, refused, complaints;
    char complaint[400], url[128];
};

static char cert[160], cert_key[160], ca[160], other_ca[160];

static void on_moment(const char *what, struct text detail, void *arg)
{
    struct bench *b = arg;

    b->sessions += strcmp(what, "session") == 0;
    b->refused += strcmp(what, "refused") == 0;
    if (strcmp(what, "complaint") == 0) {
        b->complaints++;
        text_copy(b->complaint, sizeof b->complaint, detail);
    }
}

/* The line, eighty times as fast as a call: the stand-in counts samples. */
static void on_feed(void *arg)
{
    struct bench *b = arg;
    int16_t frame[HEARD_PIECE];

    for (unsigned k = 0; k < (b->feed_ms ? 1 : 8); k++) {
        memset(frame, 0, sizeof frame);
        for (size_t i = 0; i < HEARD_PIECE && b->voice_at < b->voice_n; i++)
            frame[i] = b->voice[b->voice_at++];
        heard_feed(&b->h, frame, HEARD_PIECE, b->fed * 1000 / HEARD_MS);
        b->fed += HEARD_PIECE;
    }
    timer_start(b->feeder, b->feed_ms ? b->feed_ms : 2);
}

static void say(struct bench *b, const char *words, int lead_ms)
{
    free(b->voice);
    b->voice = heard_words(words, lead_ms, 0, &b->voice_n);
    b->voice_at = 0;
}

static void say_again(struct bench *b, const struct bench *as)
{
    b->voice_n = as->voice_n;
    b->voice = malloc(b->voice_n * sizeof *b->voice);
    assert_non_null(b->voice);
    memcpy(b->voice, as->voice, b->voice_n * sizeof *b->voice);
}

static void bench_start(struct bench *b)
{
    stt_start(b->h.ears);
    timer_start(b->feeder, 1);
}

static void bench_open(struct bench *b, make_ears *make, struct sim_service_options so)
{
    const struct address any = { .host = "127.0.0.1" };
    struct address at;
    char where[96], *problem = NULL;

    if (!b->is_guest)
        b->loop = help_loop();
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ .tls = { .ca_file = b->ca_file } }), 0);
    so.script = so.script.p ? so.script : TEXT("say x\nhear how are you\nhear and what now\n");
    so.voice = "kal";
    so.cert_file = b->is_tls ? cert : NULL;
    so.key_file = b->is_tls ? cert_key : NULL;
    assert_int_equal(sim_service_open(&b->server, b->loop, &any, &sim_service_deepgram, &so, on_moment, b, &problem), 0);
    sim_service_address(b->server, &at);
    address_format(&at, where, sizeof where);
    snprintf(b->url, sizeof b->url, "%s://%s/", b->is_tls ? "wss" : "ws", where);
    b->settings.url = b->settings.url ? b->settings.url : b->url;
    b->settings.key = b->settings.key ? b->settings.key : "dg-test";
    b->settings.retry_ms = 20;
    b->settings.is_eager = true;
    assert_int_equal(make(&b->h.ears, b->loop, b->dialer, &b->settings, &help_log, &heard_on, &b->h), 0);
    assert_int_equal(timer_new(&b->feeder, b->loop, on_feed, b), 0);
    if (!b->is_guest)
        bench_start(b);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->h.closed > 0;
}

static bool has_turns(void *arg)
{
    const struct bench *b = arg;

    return b->h.turns >= b->wanted || b->h.faults;
}

static bool has_fault(void *arg)
{
    return ((struct bench *)arg)->h.faults > 0;
}

static bool has_start(void *arg)
{
    const struct bench *b = arg;

    return b->h.starts >= b->wanted || b->h.faults;
}

static bool is_ready(void *arg)
{
    const struct bench *b = arg;

    return b->h.ready || b->h.faults;
}

static void bench_close(struct bench *b)
{
    if (b->complaints)
        fail_msg("%s", b->complaint);
    timer_free(b->feeder);
    if (b->h.ears)
        stt_close(b->h.ears);
    assert_true(turn_until(b->loop, is_closed, b, WAIT_MS));
    sim_service_close(b->server);
    dialer_free(b->dialer);
    if (!b->is_guest)
        loop_free(b->loop);
    free(b->voice);
}

/* Many at once, on one loop. */
struct crowd {
    struct bench b[32];
    size_t count;
    struct loop *loop;
};

static struct bench *crowd_add(struct crowd *c)
{
    struct bench *b = &c->b[c->count++];

    assert_true(c->count <= sizeof c->b / sizeof *c->b);
    b->loop = c->loop;
    b->is_guest = true;
    return b;
}

/* Making voices takes long; deadlines begin behind that. */
static void crowd_start(struct crowd *c)
{
    turn_for(c->loop, 1);
    for (size_t i = 0; i < c->count; i++)
        bench_start(&c->b[i]);
}

static bool crowd_has_faults(void *arg)
{
    struct crowd *c = arg;
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        n += c->b[i].h.faults > 0;
    return n == c->count;
}

static bool crowd_has_turns(void *arg)
{
    struct crowd *c = arg;
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        n += c->b[i].h.faults > 0 || c->b[i].h.turns > 0;
    return n == c->count;
}

static bool crowd_is_ready(void *arg)
{
    struct crowd *c = arg;
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        n += is_ready(&c->b[i]);
    return n == c->count;
}

static void wait_turns(struct bench *b, unsigned wanted)
{
    b->wanted = wanted;
    assert_true(turn_until(b->loop, has_turns, b, WAIT_MS));
    if (b->h.faults)
        fail_msg("%s: %s", provider_error_name(b->h.kind), b->h.detail);
    assert_int_equal(b->h.turns, wanted);
}

static void wait_start(struct bench *b, unsigned wanted)
{
    b->wanted = wanted;
    assert_true(turn_until(b->loop, has_start, b, WAIT_MS));
    assert_int_equal(b->h.faults, 0);
}

static void whole_talk(make_ears *make, enum sim_fault fault, const char *ca_file)
{
    static const char *const terms[] = { "Sidetone", "Mr. X" };
    struct bench b = { .ca_file = ca_file, .is_tls = ca_file != NULL, .settings = { .keyterms = terms, .keyterm_count = 2, .language = "en", .answer_ms = 5000 } };

    bench_open(&b, make, (struct sim_service_options){ .fault = fault });
    say(&b, "how are you today my friend, I hope you are well", 500);
    wait_turns(&b, 1);
    assert_string_equal(b.h.turn[0].words, "how are you");
    assert_string_equal(b.h.turn[0].intent, "");
    assert_true(b.h.turn[0].score > 0.5);
    assert_in_range(b.h.onset_us, 400 * 1000, 620 * 1000);
    assert_in_range(b.h.end_us, b.h.onset_us + 1500 * 1000, b.h.onset_us + 4000 * 1000);
    assert_true(b.h.partials > 0);
    say(&b, "and now something else", 300);
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[1].words, "and what now");
    assert_true(b.h.ready == 1 && b.h.starts == 2 && b.h.stops == 2 && b.h.resumed == 0);
    assert_int_equal(b.sessions, 1);
    assert_int_equal(b.refused, 0);
    bench_close(&b);
}

static void test_a_talk(void **state)
{
    (void)state;
    whole_talk(stt_listen_new, SIM_FAULT_NONE, NULL);
    whole_talk(stt_flux_new, SIM_FAULT_NONE, NULL);
}

static void test_faults_that_are_borne(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        whole_talk(both[i], SIM_FAULT_BURST, NULL);
        whole_talk(both[i], SIM_FAULT_DRIFT, NULL);
    }
}

static void test_tls(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .ca_file = other_ca, .is_tls = true };

        whole_talk(both[i], SIM_FAULT_NONE, ca);
        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        assert_true(turn_until(b.loop, has_fault, &b, WAIT_MS));
        assert_int_equal(b.h.kind, PROVIDER_NET);
        assert_int_equal(b.sessions + b.refused, 0); /* the key was not sent */
        bench_close(&b);
    }
}

static void test_no_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .url = "ws://127.0.0.1:1" } }, bad = { .settings = { .url = "ftp://x" } };

        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        assert_true(turn_until(b.loop, has_fault, &b, WAIT_MS));
        assert_int_equal(b.h.kind, PROVIDER_NET);
        bench_close(&b);
        bench_open(&bad, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        assert_true(turn_until(bad.loop, has_fault, &bad, WAIT_MS));
        assert_int_equal(bad.h.kind, PROVIDER_CONFIG);
        bench_close(&bad);
    }
}

static void test_each_fault_has_its_end(void **state)
{
    static const struct {
        enum sim_fault fault;
        enum provider_error kind;
        unsigned attempts;         /* sessions and refusals: a fault that can pass is tried once more */
        bool is_silence;           /* so that a deadline ends it */
    } faults[] = {
        { SIM_FAULT_401, PROVIDER_AUTH, 1, false },        { SIM_FAULT_429, PROVIDER_RATE, 2, false },     { SIM_FAULT_QUOTA, PROVIDER_QUOTA, 1, false },
        { SIM_FAULT_NO_MONEY, PROVIDER_QUOTA, 1, false },  { SIM_FAULT_500, PROVIDER_SERVER, 2, false },   { SIM_FAULT_CLOSE, PROVIDER_SERVER, 2, false },
        { SIM_FAULT_LOST, PROVIDER_NET, 2, false },        { SIM_FAULT_EXPIRED, PROVIDER_EXPIRED, 2, false }, { SIM_FAULT_SLOW, PROVIDER_NET, 2, true },
        { SIM_FAULT_STALL, PROVIDER_NET, 2, true },        { SIM_FAULT_HALF_OPEN, PROVIDER_NET, 2, true }, { SIM_FAULT_GARBAGE, PROVIDER_SERVER, 2, true },
        { SIM_FAULT_ALIEN, PROVIDER_SERVER, 2, true },
    };
    static struct crowd c;
    const size_t count = sizeof faults / sizeof *faults;

    (void)state;
    c = (struct crowd){ .loop = help_loop() };
    for (size_t k = 0; k < 2 * count; k++) {
        struct bench *b = crowd_add(&c);

        b->settings.answer_ms = faults[k / 2].is_silence ? 1000 : 20000;
        b->feed_ms = 4;
        if (k == 0)
            say(b, "how are you today my friend, I hope you are well, and so on and so on, for as long as it takes", 300);
        else
            say_again(b, &c.b[0]);
        bench_open(b, both[k % 2], (struct sim_service_options){ .fault = faults[k / 2].fault });
    }
    crowd_start(&c);
    if (!turn_until(c.loop, crowd_has_faults, &c, WAIT_MS))
        print_error("not all have ended\n");
    for (size_t k = 0; k < 2 * count; k++) {
        struct bench *b = &c.b[k];
        const size_t i = k / 2;

        if (b->h.faults != 1 || b->h.kind != faults[i].kind || b->sessions + b->refused > faults[i].attempts ||
            (!faults[i].is_silence && b->sessions + b->refused != faults[i].attempts)) /* a deadline on a busy machine may come before the session */
            fail_msg("%s %zu: %u faults, %s: %s; %u sessions, %u refused, %u turns, %s", sim_fault_name(faults[i].fault), k % 2, b->h.faults,
                     provider_error_name(b->h.kind), b->h.detail, b->sessions, b->refused, b->h.turns, b->complaint);
        assert_null(strstr(b->h.detail, "dg-test"));
        bench_close(b);
    }
    loop_free(c.loop);
}

/* The second line hears again what was being said: it is one turn, and none of it is missing. */
static void test_what_passes_is_survived(void **state)
{
    static const enum sim_fault faults[] = { SIM_FAULT_429, SIM_FAULT_500, SIM_FAULT_CLOSE, SIM_FAULT_LOST, SIM_FAULT_EXPIRED, SIM_FAULT_SLOW,
                                             SIM_FAULT_STALL, SIM_FAULT_HALF_OPEN };
    static struct crowd c;
    const size_t count = sizeof faults / sizeof *faults;

    (void)state;
    c = (struct crowd){ .loop = help_loop() };
    for (size_t k = 0; k < 2 * count; k++) {
        const bool is_silence = k / 2 >= 5;
        struct bench *b = crowd_add(&c);

        b->settings.answer_ms = is_silence ? 1500 : 20000;
        b->feed_ms = 8;            /* until it is noticed, less must be said than is kept */
        if (k == 0)
            say(b, "how are you today my friend, I hope you are well", 300);
        else
            say_again(b, &c.b[0]);
        bench_open(b, both[k % 2], (struct sim_service_options){ .fault = faults[k / 2], .fault_count = 1 });
    }
    crowd_start(&c);
    if (!turn_until(c.loop, crowd_has_turns, &c, WAIT_MS))
        print_error("not all have ended\n");
    for (size_t k = 0; k < 2 * count; k++) {
        struct bench *b = &c.b[k];

        if (b->h.turns != 1 || strcmp(b->h.turn[0].words, "how are you") != 0 || b->h.starts != 1 || b->h.ready != 1 || b->sessions + b->refused != 2)
            fail_msg("%s %zu: %u turns, \"%s\", %u starts, %u sessions, %u faults (%s)", sim_fault_name(faults[k / 2]), k % 2, b->h.turns,
                     b->h.turn[0].words, b->h.starts, b->sessions, b->h.faults, b->h.detail);
        bench_close(b);
    }
    loop_free(c.loop);
}

/* A service that ends each line after its turn is a nuisance, no end. */
static void test_a_line_for_each_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .answer_ms = 5000 } };

        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_FAILED });
        for (unsigned n = 1; n < 4; n++) {
            say(&b, "how are you today", 500);
            wait_turns(&b, n);
            assert_string_equal(b.h.turn[n - 1].words, "how are you");
        }
        bench_close(&b);
    }
}

static void test_the_key_is_the_right_one_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .key = "dg-wrong" } };

        bench_open(&b, both[i], (struct sim_service_options){ .key = "dg-right" });
        assert_true(turn_until(b.loop, has_fault, &b, WAIT_MS));
        assert_int_equal(b.h.kind, PROVIDER_AUTH);
        assert_null(strstr(b.h.detail, "dg-"));
        bench_close(&b);
    }
}

/* ---- turns ---- */

static void test_flux_takes_an_end_back(void **state)
{
    struct bench b = { .settings = { .answer_ms = 5000 } };
    int16_t *first, *second, *all;
    size_t n, k;
    const size_t pause = 330 * HEARD_MS; /* long enough for a likely end, too short for a sure one */

    (void)state;
    bench_open(&b, stt_flux_new, (struct sim_service_options){ .fault = SIM_FAULT_NONE });
    first = heard_words("how are you", 500, 0, &n);
    while (n > 0 && abs(first[n - 1]) < 300)
        n--;
    second = heard_words("my friend", 0, 0, &k);
    all = calloc(n + pause + k, sizeof *all);
    memcpy(all, first, n * sizeof *all);
    memcpy(all + n + pause, second, k * sizeof *all);
    b.voice = all;
    b.voice_n = n + pause + k;
    wait_turns(&b, 2);
    assert_string_equal(b.h.turn[0].words, "how are you");
    assert_string_equal(b.h.turn[1].words, "how are you");
    assert_true(b.h.starts == 1 && b.h.resumed == 1 && b.h.stops == 2);
    turn_for(b.loop, 200);         /* the sure end after the second likely one tells nothing new */
    assert_int_equal(b.h.turns, 2);
    free(first);
    free(second);
    bench_close(&b);
}

static void test_noise_is_a_turn_without_words_or_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .answer_ms = 5000 } };

        bench_open(&b, both[i], (struct sim_service_options){ .script = TEXT("say x\nhear\nhear now then\n") });
        say(&b, "how", 500);
        if (both[i] == stt_listen_new) { /* it starts with sound; Flux with words */
            wait_turns(&b, 1);
            assert_string_equal(b.h.turn[0].words, "");
        }
        while (b.voice_at < b.voice_n)
            turn_for(b.loop, 10);
        say(&b, "how are you today", 2000);
        wait_turns(&b, b.h.turns + 1);
        assert_string_equal(b.h.turn[b.h.turns - 1].words, "now then");
        assert_int_equal(b.h.starts, b.h.turns);
        bench_close(&b);
    }
}

static void test_what_is_not_wanted_has_no_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .h = { .discards_at_start = true }, .settings = { .answer_ms = 5000 } };

        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        say(&b, "how are you today my friend, I hope you are well", 500);
        wait_turns(&b, 1);
        assert_string_equal(b.h.turn[0].words, "");
        b.h.discards_at_start = false;
        while (b.voice_at < b.voice_n)
            turn_for(b.loop, 10);
        say(&b, "and what now", 2000);
        wait_turns(&b, 2);
        assert_string_equal(b.h.turn[1].words, "and what now");
        bench_close(&b);
    }
}

static void test_a_line_that_falls_silent(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .answer_ms = 5000 } };

        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        say(&b, "how are you today my friend, I hope you are well", 500);
        wait_start(&b, 1);
        timer_stop(b.feeder);      /* the phone sends nothing any more, in mid-word */
        wait_turns(&b, 1);
        assert_string_equal(b.h.turn[0].words, "how are you");
        bench_close(&b);
    }
}

static bool crowd_has_fault(void *arg)
{
    struct crowd *c = arg;

    for (size_t i = 0; i < c->count; i++)
        if (c->b[i].h.faults)
            return true;
    return false;
}

static void test_it_is_kept_alive_without_sound(void **state)
{
    static struct crowd c;

    (void)state;
    c = (struct crowd){ .loop = help_loop() };
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = crowd_add(&c);

        b->settings.answer_ms = 400;
        bench_open(b, both[i], (struct sim_service_options){ .idle_ms = 1200 });
    }
    crowd_start(&c);
    assert_true(turn_until(c.loop, crowd_is_ready, &c, WAIT_MS));
    for (size_t i = 0; i < 2; i++)
        timer_stop(c.b[i].feeder);
    assert_false(turn_until(c.loop, crowd_has_fault, &c, 1500));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(c.b[i].sessions, 1);
        bench_close(&c.b[i]);
    }
    loop_free(c.loop);
}

/* Sound from before the line: it is not lost, and there is not more of it than the ring holds. */
static void test_words_from_before_the_line(void **state)
{
    static int16_t silence[HEARD_PIECE];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b = { .settings = { .answer_ms = 5000 } };

        bench_open(&b, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        for (size_t k = 0; k < 500; k++) /* 10 s: more than is kept */
            heard_feed(&b.h, silence, HEARD_PIECE, (int64_t)k * 20000);
        b.fed = 500 * HEARD_PIECE;
        say(&b, "how are you today", 100);
        while (b.voice_at + HEARD_PIECE < b.voice_n) { /* the loop has not turned: there is no line yet */
            heard_feed(&b.h, b.voice + b.voice_at, HEARD_PIECE, b.fed * 1000 / HEARD_MS);
            b.voice_at += HEARD_PIECE;
            b.fed += HEARD_PIECE;
        }
        wait_turns(&b, 1);
        assert_string_equal(b.h.turn[0].words, "how are you");
        assert_in_range(b.h.onset_us, 10000 * 1000, 10300 * 1000);
        bench_close(&b);
    }
}

/* ---- life ---- */

static void test_closed_at_any_moment(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench early = { .fed = 0 }, inside = { .h = { .closes_at_turn = true }, .settings = { .answer_ms = 5000 } },
                     between = { .settings = { .answer_ms = 5000 } };
        struct heard h = { .ready = 0 };
        struct loop *l = help_loop();
        struct dialer *d;

        bench_open(&early, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        bench_close(&early);
        assert_int_equal(early.h.ready, 0);
        bench_open(&inside, both[i], (struct sim_service_options){ .fault = SIM_FAULT_NONE });
        say(&inside, "how are you", 300);
        assert_true(turn_until(inside.loop, is_closed, &inside, WAIT_MS));
        bench_close(&inside);
        bench_open(&between, both[i], (struct sim_service_options){ .fault = SIM_FAULT_429 });
        between.settings.retry_ms = 60000; /* it waits for its second try */
        turn_for(between.loop, 50);
        bench_close(&between);
        assert_int_equal(dialer_new(&d, l, NULL), 0);
        assert_int_equal(both[i](&h.ears, l, d, &early.settings, &help_log, &heard_on, &h), 0);
        stt_close(h.ears);         /* before the start */
        turn_for(l, 5);
        assert_int_equal(h.closed, 1);
        dialer_free(d);
        loop_free(l);
    }
}

static void test_without_memory(void **state)
{
    const struct stt_settings settings = { .key = "k" };
    struct loop *l = help_loop();
    struct dialer *d;

    (void)state;
    assert_int_equal(dialer_new(&d, l, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        struct heard h = { .ready = 0 };
        long n = 1;

        for (;; n++) {
            struct stt *s = NULL;
            int err;

            fail_alloc_at(n);
            err = both[i](&s, l, d, &settings, &help_log, &heard_on, &h);
            fail_alloc_off();
            if (!err) {
                stt_close(s);
                break;
            }
            assert_int_equal(err, -ENOMEM);
            assert_null(s);
        }
        assert_true(n > 4);
        turn_for(l, 5);
        assert_int_equal(h.closed, 1);
    }
    dialer_free(d);
    loop_free(l);
}

/* Whatever fails while the line is opened, the talk goes on or it ends with a fault. */
static void test_a_start_without_memory(void **state)
{
    unsigned faults = 0;

    (void)state;
    for (long n = 1; n < 30; n++) {
        struct bench b = { .settings = { .answer_ms = 5000, .url = "ws://127.0.0.1:1" } };
        struct heard *h = &b.h;

        b.loop = help_loop();
        assert_int_equal(dialer_new(&b.dialer, b.loop, NULL), 0);
        assert_int_equal(stt_listen_new(&h->ears, b.loop, b.dialer, &b.settings, &help_log, &heard_on, h), 0);
        fail_alloc_at(n);
        stt_start(h->ears);
        const bool is_hit = fail_alloc_hit();

        fail_alloc_off();
        assert_true(turn_until(b.loop, has_fault, &b, WAIT_MS));
        faults++;
        assert_int_equal(h->kind, PROVIDER_NET);
        stt_close(h->ears);
        assert_true(turn_until(b.loop, is_closed, &b, WAIT_MS));
        dialer_free(b.dialer);
        loop_free(b.loop);
        if (!is_hit)
            break;
    }
    assert_true(faults > 4);
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
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_cut_anywhere_and_bent),
        cmocka_unit_test(test_a_talk),
        cmocka_unit_test(test_faults_that_are_borne),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_each_fault_has_its_end),
        cmocka_unit_test(test_what_passes_is_survived),
        cmocka_unit_test(test_a_line_for_each_turn),
        cmocka_unit_test(test_the_key_is_the_right_one_or_refused),
        cmocka_unit_test(test_flux_takes_an_end_back),
        cmocka_unit_test(test_noise_is_a_turn_without_words_or_none),
        cmocka_unit_test(test_what_is_not_wanted_has_no_words),
        cmocka_unit_test(test_a_line_that_falls_silent),
        cmocka_unit_test(test_it_is_kept_alive_without_sound),
        cmocka_unit_test(test_words_from_before_the_line),
        cmocka_unit_test(test_closed_at_any_moment),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_a_start_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tls_shut);
}
