/* The Realtime provider: its messages judged by the list of the specification, what a server says cut and bent, and whole talks with the stand-in
 * and each of its faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "ai/openai_event.h"
#include "ai/openai_realtime.h"
#include "ai/speech.h"
#include "audio/resample.h"
#include "fail_alloc.h"
#include "sim/openai_check.h"
#include "sim/service.h"
#include "net_help.h"
#include "tls_help.h"
#include "turn.h"

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

static const struct ai_tool tools[] = {
    { .name = "hours", .description = "When \"open\"?", .parameters = "{\"type\":\"object\",\"properties\":{\"day\":{\"type\":\"string\"}}}" },
    { .name = "hand_back" },
};
static const struct openai_settings usual = {
    .instructions = "Be \"kind\".\nAnd brief: \xc3\xa9\xff.", .greeting = "Hello.", .transcription = "gpt-4o-mini-transcribe",
    .tools = tools, .tool_count = 2,
};

/* ---- what we say ---- */

static void judge(struct buf *b, const char *code)
{
    struct shape_complaint c;
    cJSON *tree = cJSON_ParseWithLength(b->p, b->n);

    if (!cJSON_IsObject(tree))
        fail_msg("not JSON: %.*s", (int)b->n, b->p);
    openai_check(tree, &c);
    if ((c.code == NULL) != (code == NULL) || (code && strcmp(c.code, code) != 0))
        fail_msg("%s (%s), expected %s: %.*s", c.code ? c.code : "no complaint", c.message, code ? code : "none", (int)b->n, b->p);
    cJSON_Delete(tree);
    buf_clear(b);
}

static void test_our_messages_are_as_specified(void **state)
{
    const struct openai_settings bare = { .audio = OPENAI_PCM };
    const unsigned char audio[] = { 1, 2, 3, 4, 5 };
    struct buf b;

    (void)state;
    buf_init(&b, 64 * 1024);
    openai_write_session(&b, &usual, TEXT("set-up"));
    judge(&b, NULL);
    openai_write_session(&b, &bare, TEXT("x"));
    judge(&b, NULL);
    openai_write_append(&b, audio, sizeof audio);
    judge(&b, NULL);
    openai_write_response(&b, TEXT_NONE);
    judge(&b, NULL);
    openai_write_response(&b, TEXT("Say \"hello\"\n"));
    judge(&b, NULL);
    openai_write_cancel(&b, TEXT("resp_1"));
    judge(&b, NULL);
    openai_write_truncate(&b, TEXT("item_1"), 1234);
    judge(&b, NULL);
    openai_write_delete(&b, TEXT("item\"1"));
    judge(&b, NULL);
    openai_write_tool_output(&b, TEXT("call_1"), TEXT("{\"a\":\"b\"}"));
    judge(&b, NULL);
    openai_write_message(&b, "user", TEXT("words"));
    judge(&b, NULL);
    openai_write_message(&b, "assistant", TEXT("words"));
    judge(&b, NULL);
    openai_write_message(&b, "system", TEXT("words"));
    judge(&b, NULL);
    buf_free(&b);
}

/* The judge itself: without these it might wave everything through. */
static void test_the_judge_complains(void **state)
{
    static const char *const bad[][2] = {
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"voice\":\"alloy\"}}", "unknown_parameter" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"modalities\":[\"audio\"]}}", "unknown_parameter" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"temperature\":0.8}}", "unknown_parameter" },
        { "{\"type\":\"session.update\",\"session\":{\"output_modalities\":[\"audio\"]}}", "missing_required_parameter" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"output_modalities\":[\"audio\",\"text\"]}}", "invalid_value" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"audio\":{\"input\":{\"format\":\"g711_ulaw\"}}}}", "invalid_type" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":8000}}}}}", "invalid_value" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"x\"}}]}}", "unknown_parameter" },
        { "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"audio\":{\"input\":{\"turn_detection\":{\"type\":\"server_vad\",\"eagerness\":\"low\"}}}}}",
          "unknown_parameter" },
        { "{\"type\":\"conversation.item.truncate\",\"item_id\":\"a\",\"audio_end_ms\":1}", "missing_required_parameter" },
        { "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"input_text\",\"text\":\"x\"}]}}",
          "invalid_value" },
        { "{\"type\":\"input_audio_buffer.append\",\"audio\":7}", "invalid_type" },
        { "{\"type\":\"response.begin\"}", "invalid_value" },
    };
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_add_text(&b, text_of(bad[i][0]));
        judge(&b, bad[i][1]);
    }
    buf_free(&b);
}

static void expect_url(const char *url, const char *model, const char *expected)
{
    const struct openai_settings s = { .url = url, .model = model };
    struct buf b;

    buf_init(&b, 1000);
    assert_int_equal(openai_write_url(&b, &s), 0);
    assert_string_equal(buf_cstr(&b), expected);
    buf_free(&b);
}

static void test_urls(void **state)
{
    (void)state;
    expect_url(NULL, NULL, "wss://api.openai.com/v1/realtime?model=gpt-realtime");
    expect_url("wss://r.openai.azure.com/openai/v1/realtime", "my phone", "wss://r.openai.azure.com/openai/v1/realtime?model=my%20phone");
    expect_url("wss://x/openai/realtime?api-version=1&deployment=d", NULL, "wss://x/openai/realtime?api-version=1&deployment=d");
    expect_url("wss://x/r?a=1", NULL, "wss://x/r?a=1&model=gpt-realtime");
}

/* ---- what a server says ---- */

static const char done[] =
    "{\"type\":\"response.done\",\"new\":[1],\"response\":{\"id\":\"r1\",\"status\":\"failed\",\"status_details\":{\"type\":\"failed\",\"error\":{\"code\":"
    "\"rate_limit_exceeded\",\"message\":\"slow\"}},\"output\":[{\"type\":\"message\"},{\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":"
    "\"c1\",\"name\":\"hours\",\"arguments\":\"{}\"},{\"type\":\"function_call\",\"name\":\"lost\"}]}}";

static void test_response_done(void **state)
{
    struct openai_event e;

    (void)state;
    assert_int_equal(openai_event_read(&e, text_of(done)), 0);
    assert_int_equal(e.kind, OPENAI_RESPONSE_DONE);
    assert_true(text_eq(e.response, TEXT("r1")) && text_eq(e.status, TEXT("failed")) && text_eq(e.code, TEXT("rate_limit_exceeded")));
    assert_true(e.has_speech);
    assert_int_equal(e.call_count, 1);
    assert_true(text_eq(e.calls[0].call_id, TEXT("c1")) && e.calls[0].is_complete);
    openai_event_free(&e);
}

static void test_cut_anywhere_and_bent(void **state)
{
    static const char *const bent[] = {
        "", "null", "7", "[]", "{}", "{\"type\":7}", "{\"type\":\"\"}", "{\"type\":\"response.done\"}", "{\"type\":\"response.done\",\"response\":{}}",
        "{\"type\":\"response.output_audio.delta\",\"item_id\":\"i\",\"delta\":{}}", "{\"type\":\"response.output_audio.delta\",\"delta\":\"AA==\"}",
        "{\"type\":\"error\"}", "{\"type\":\"error\",\"error\":\"x\"}", "{\"type\":\"response.created\",\"response\":{\"id\":3}}",
    };
    struct openai_event e;

    (void)state;
    for (size_t n = 0; n + 1 < sizeof done - 1; n++)
        assert_int_equal(openai_event_read(&e, text_make(done, n)), -EINVAL);
    for (size_t i = 0; i < sizeof bent / sizeof *bent; i++)
        if (openai_event_read(&e, text_of(bent[i])) != -EINVAL)
            fail_msg("taken: %s", bent[i]);
    assert_int_equal(openai_event_read(&e, TEXT("{\"type\":\"response.mood.changed\",\"x\":1}")), 0);
    assert_int_equal(e.kind, OPENAI_OTHER);
    openai_event_free(&e);
    assert_int_equal(openai_event_read(&e, TEXT("{\"type\":\"session.created\",\"session\":{\"expires_at\":\"soon\"}}")), 0);
    assert_int_equal(e.expires_at, -1);
    openai_event_free(&e);
}

/* ---- whole talks ---- */

enum { SEEN_MAX = 4000 };

struct bench {
    const char *ca_file;           /* NULL: no TLS */
    const struct talk_words *before;
    unsigned told;
    char first_told[200];
    struct loop *loop;
    struct dialer *dialer;
    struct sim_service *server;
    struct provider *p;
    struct timer *feeder;
    int16_t *voice;                /* what the caller says, once asked to */
    size_t voice_n, voice_at;
    bool is_talking;
    int64_t at_us;

    unsigned ready, closed, errors, starts, stops, wishes, tool_calls, refusals, items, lasts;
    enum provider_error kind;
    char detail[300], reason[100], said[300], heard[300];
    uint32_t item, tool;
    uint64_t samples, first_samples, item_samples;   /* of all, of item 1, of the present one */
    uint64_t whole;                /* length that counts as a whole answer */
    unsigned wholes;
    unsigned cut_ms;               /* answer to speech_started; 0: none */
    bool tool_fails, holds_tool;

    unsigned sessions, refused, complaints, truncated, deleted, outputs;
    double truncated_ms;
    char complaint[400], output[300], key_seen;
};

static void on_ready(void *arg)
{
    ((struct bench *)arg)->ready++;
}

static void on_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct bench *b = arg;

    assert_non_null(pcm);
    assert_true(item >= b->item); /* in order */
    b->items += item != b->item;
    b->item_samples = (item == b->item ? b->item_samples : 0) + n;
    b->wholes += last && b->item_samples == b->whole;
    b->item = item;
    b->samples += n;
    if (item == 1)
        b->first_samples += n;
    b->lasts += last;
}

static void on_agent_text(uint32_t item, struct text words, void *arg)
{
    (void)item;
    text_copy(((struct bench *)arg)->said, 300, words);
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct bench *b = arg;

    (void)onset_us;
    b->starts++;
    if (b->cut_ms)
        provider_interrupted(b->p, b->item, b->cut_ms);
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    (void)end_us;
    ((struct bench *)arg)->stops++;
}

static void on_caller_text(struct text words, struct text intent, double score, bool accepted, void *arg)
{
    (void)intent;
    (void)score;
    assert_true(accepted);
    text_copy(((struct bench *)arg)->heard, 300, words);
}

static void on_tool_call(uint32_t id, struct text name, struct text args, void *arg)
{
    struct bench *b = arg;

    /* The conversation's part: who is on the list, what the arguments are, and that hand_back ends the talk. */
    if (text_eq(name, TEXT("hand_back"))) {
        assert_false(provider_farewell(b->p, id));
        b->wishes++;
        text_copy(b->reason, sizeof b->reason, args);
        return;
    }
    if (!text_eq(name, TEXT("hours")) || args.n < 2 || args.p[0] != '{') {
        b->refusals++;
        provider_tool_result(b->p, id, -ENOENT, text_eq(name, TEXT("hours")) ? TEXT("invalid arguments") : TEXT("no such tool"));
        return;
    }
    b->tool_calls++;
    b->tool = id;
    if (!b->holds_tool)
        provider_tool_result(b->p, id, b->tool_fails ? -ETIMEDOUT : 0, b->tool_fails ? TEXT("the tool did not answer in time") : TEXT("{\"opens\":\"nine\"}"));
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    (void)wish;
    (void)reason;
    (void)arg;
    fail_msg("a wish of its own");
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    struct bench *b = arg;

    b->errors++;
    b->kind = kind;
    text_copy(b->detail, sizeof b->detail, detail);
}

static void on_closed(void *arg)
{
    ((struct bench *)arg)->closed++;
}

static const struct provider_handlers on = {
    .on_ready = on_ready, .on_audio = on_audio, .on_agent_text = on_agent_text, .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped, .on_caller_text = on_caller_text, .on_tool_call = on_tool_call, .on_wish = on_wish,
    .on_error = on_error, .on_closed = on_closed,
};

static void on_moment(const char *what, struct text detail, void *arg)
{
    struct bench *b = arg;
    cJSON *tree = cJSON_ParseWithLength(detail.p, detail.n);

    if (!tree)
        fail_msg("not JSON: %.*s", TEXT_ARG(detail));
    b->sessions += strcmp(what, "session") == 0;
    b->refused += strcmp(what, "refused") == 0;
    b->deleted += strcmp(what, "deleted") == 0;
    if (strcmp(what, "truncated") == 0) {
        b->truncated++;
        b->truncated_ms = cJSON_GetObjectItem(tree, "audio_end_ms")->valuedouble;
    } else if (strcmp(what, "tool") == 0) {
        b->outputs++;
        text_copy(b->output, sizeof b->output, text_of(cJSON_GetObjectItem(cJSON_GetObjectItem(tree, "item"), "output")->valuestring));
    } else if (strcmp(what, "item") == 0) {
        if (b->told++ == 0)
            text_copy(b->first_told, sizeof b->first_told, detail);
    } else if (strcmp(what, "complaint") == 0) {
        b->complaints++;
        text_copy(b->complaint, sizeof b->complaint, detail);
    }
    cJSON_Delete(tree);
}

/* The line, ten times as fast as a call: the stand-in counts samples. */
static void on_feed(void *arg)
{
    struct bench *b = arg;
    int16_t frame[480];
    const size_t n = b->p->rate_hz / 50;

    memset(frame, 0, sizeof frame);
    for (size_t i = 0; b->is_talking && i < n && b->voice_at < b->voice_n; i++)
        frame[i] = b->voice[b->voice_at++];
    b->at_us += 20000;
    provider_hear(b->p, frame, n, b->at_us);
    timer_start(b->feeder, 2);
}

static const char script[] = "hear how are you\nsay Hello there, this is the first answer of the day.\ncall hours {\"day\":\"monday\"}\n"
                             "say We open at nine.\ncall hand_back {\"reason\":\"operator\"}\n";

static char cert[160], cert_key[160], ca[160], other_ca[160]; /* of the folder that tls_help.h makes */

static void bench_start(struct bench *b, struct openai_settings *s, struct sim_service_options so, const char *key)
{
    const struct address any = { .host = "127.0.0.1" };
    struct openai_options opt = { .settings = s, .key = key, .setup_ms = 700, .stall_ms = 500, .ping_ms = 200, .retry_ms = 20 };
    static char url[128];
    struct address at;
    char where[96], *problem = NULL;

    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ .tls = { .ca_file = b->ca_file } }), 0);
    so.script = so.script.p ? so.script : text_of(script);
    so.voice = "kal";
    so.cert_file = b->ca_file ? cert : NULL;
    so.key_file = b->ca_file ? cert_key : NULL;
    assert_int_equal(sim_service_open(&b->server, b->loop, &any, &sim_service_openai, &so, on_moment, b, &problem), 0);
    sim_service_address(b->server, &at);
    address_format(&at, where, sizeof where);
    snprintf(url, sizeof url, "%s://%s/v1/realtime", b->ca_file ? "wss" : "ws", where);
    s->url = url;
    opt.dialer = b->dialer;
    assert_int_equal(openai_realtime_new(&b->p, b->loop, &opt, &test_log), 0);
    assert_int_equal(timer_new(&b->feeder, b->loop, on_feed, b), 0);
    if (b->before)
        provider_remember(b->p, b->before);
    provider_start(b->p, &on, b);
    timer_start(b->feeder, 1);
    b->at_us = 1000000;
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static void bench_stop(struct bench *b)
{
    timer_free(b->feeder);
    provider_close(b->p);
    assert_true(turn_until(b->loop, is_closed, b, 5000));
    sim_service_close(b->server);
    dialer_free(b->dialer);
    loop_free(b->loop);
    assert_int_equal(b->closed, 1);
    free(b->voice);
}

static bool has_answer(void *arg)
{
    const struct bench *b = arg;

    return b->lasts > 0 || b->errors;
}

static bool has_whole_answer(void *arg)
{
    const struct bench *b = arg;

    return b->wholes > 0 || b->errors;
}

static bool has_ended(void *arg)
{
    const struct bench *b = arg;

    return b->wishes > 0 || b->errors;
}

static bool has_error(void *arg)
{
    return ((struct bench *)arg)->errors > 0;
}

static bool has_started(void *arg)
{
    const struct bench *b = arg;

    return b->starts > 0 || b->errors;
}

static uint64_t length_of(const char *words)
{
    int16_t *pcm;
    size_t n;

    assert_int_equal(speech_make("kal", words, &pcm, &n), 0);
    free(pcm);
    return n;
}

static void voice_make(struct bench *b)
{
    int16_t *pcm;
    size_t n;

    assert_int_equal(speech_make("rms", "how are you today my friend", &pcm, &n), 0);
    assert_int_equal(resample_clip(pcm, n, 8000, b->p->rate_hz, &b->voice, &b->voice_n), 0);
    free(pcm);
}

static void speak(struct bench *b)
{
    if (!b->voice)
        voice_make(b);
    b->voice_at = 0;
    b->is_talking = true;
}

/* The first turn is answered whole; or, with speech cut in two by its own pauses, all is over. */
static bool has_second_or_ended(void *arg)
{
    struct bench *b = arg;

    return has_ended(arg) || (b->lasts >= 2 && b->stops > 0);
}

static void whole_talk(enum openai_audio audio, enum sim_fault fault)
{
    struct openai_settings s = usual;
    struct bench b = { .loop = NULL };

    s.audio = audio;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .fault = fault }, "sk-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_int_equal(b.ready, 1);
    if (audio == OPENAI_ULAW) /* not a sample is lost or made up */
        assert_int_equal(b.first_samples, length_of("Hello there, this is the first answer of the day."));
    else
        assert_true(b.first_samples > length_of("Hello there, this is the first answer of the day.") * 3 - 100);
    provider_heard(b.p, 1);
    speak(&b);
    assert_true(turn_until(b.loop, has_started, &b, 20000));
    assert_true(turn_until(b.loop, has_second_or_ended, &b, 20000));
    if (!b.wishes && !b.errors) { /* the second turn asks for the end */
        speak(&b);
        assert_true(turn_until(b.loop, has_ended, &b, 20000));
    }
    assert_int_equal(b.errors, 0);
    assert_string_equal(b.reason, "{\"reason\":\"operator\"}");
    assert_int_equal(b.tool_calls, 1);
    assert_int_equal(b.outputs, 1);
    assert_string_equal(b.output, "{\"opens\":\"nine\"}");
    assert_string_equal(b.said, "We open at nine.");
    assert_true(b.starts >= 1 && b.stops >= 1);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    assert_int_equal(b.sessions, 1);
    bench_stop(&b);
}

static void test_a_talk_in_ulaw(void **state)
{
    (void)state;
    whole_talk(OPENAI_ULAW, SIM_FAULT_NONE);
}

static void test_a_talk_in_wide_pcm(void **state)
{
    (void)state;
    whole_talk(OPENAI_PCM, SIM_FAULT_NONE);
}

static void test_faults_that_are_borne(void **state)
{
    (void)state;
    whole_talk(OPENAI_ULAW, SIM_FAULT_BURST);
    whole_talk(OPENAI_ULAW, SIM_FAULT_DRIFT);
    whole_talk(OPENAI_ULAW, SIM_FAULT_ERROR);
    whole_talk(OPENAI_PCM, SIM_FAULT_BURST);
}

static void test_each_fault_has_its_end(void **state)
{
    static const struct {
        enum sim_fault fault;
        enum provider_error kind;
        unsigned attempts;         /* sessions and refusals: a fault that can pass is tried once more */
    } faults[] = {
        { SIM_FAULT_401, PROVIDER_AUTH, 1 },       { SIM_FAULT_429, PROVIDER_RATE, 1 },     { SIM_FAULT_QUOTA, PROVIDER_QUOTA, 1 },
        { SIM_FAULT_500, PROVIDER_SERVER, 2 },     { SIM_FAULT_SLOW, PROVIDER_NET, 2 },     { SIM_FAULT_STALL, PROVIDER_NET, 2 },
        { SIM_FAULT_CLOSE, PROVIDER_SERVER, 2 },   { SIM_FAULT_LOST, PROVIDER_NET, 2 },     { SIM_FAULT_HALF_OPEN, PROVIDER_NET, 2 },
        { SIM_FAULT_GARBAGE, PROVIDER_SERVER, 1 }, { SIM_FAULT_ALIEN, PROVIDER_SERVER, 1 }, { SIM_FAULT_FAILED, PROVIDER_RATE, 1 },
        { SIM_FAULT_NO_MONEY, PROVIDER_QUOTA, 1 }, { SIM_FAULT_EXPIRED, PROVIDER_EXPIRED, 2 }, { SIM_FAULT_404, PROVIDER_CONFIG, 1 },
        { SIM_FAULT_REFUSED, PROVIDER_CONFIG, 1 }, { SIM_FAULT_POLICY, PROVIDER_AUTH, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct openai_settings s = usual;
        struct bench b = { .loop = NULL };

        bench_start(&b, &s, (struct sim_service_options){ .speed = 20, .fault = faults[i].fault }, "sk-test");
        if (!turn_until(b.loop, has_error, &b, 20000) || b.kind != faults[i].kind || b.sessions + b.refused != faults[i].attempts || b.complaints)
            fail_msg("%s: %u errors, %s: %s; %u sessions, %u refused; %s", sim_fault_name(faults[i].fault), b.errors, provider_error_name(b.kind), b.detail,
                     b.sessions, b.refused, b.complaint);
        turn_for(b.loop, 30);
        assert_int_equal(b.errors, 1);
        assert_null(strstr(b.detail, "sk-test"));
        bench_stop(&b);
    }
}

static void test_what_passes_is_survived(void **state)
{
    static const enum sim_fault faults[] = { SIM_FAULT_500, SIM_FAULT_SLOW, SIM_FAULT_STALL, SIM_FAULT_CLOSE, SIM_FAULT_LOST, SIM_FAULT_HALF_OPEN, SIM_FAULT_EXPIRED };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct openai_settings s = usual;
        struct bench b = { .whole = length_of("Hello there, this is the first answer of the day.") };

        bench_start(&b, &s, (struct sim_service_options){ .speed = 20, .fault = faults[i], .fault_count = 1, .script = TEXT("say Hello there, this is the first answer of the day.\n") },
                    "sk-test");
        if (!turn_until(b.loop, has_whole_answer, &b, 20000) || b.errors || b.complaints)
            fail_msg("%s: %s %s", sim_fault_name(faults[i]), b.detail, b.complaint);
        assert_int_equal(b.sessions + b.refused, 2);
        assert_int_equal(b.ready, 1);
        bench_stop(&b);
    }
}

/* An agent that takes over knows what was said, and greets nevertheless. */
static void test_what_was_said_before_is_told(void **state)
{
    struct openai_settings s = usual;
    struct talk_words before = { .count = 0 };
    struct bench b = { .before = &before };

    (void)state;
    talk_words_add(&before, true, 1, TEXT("Reception, hello."));
    talk_words_add(&before, false, 0, TEXT("I want to buy something."));
    talk_words_add(&before, true, 2, TEXT("never heard"));
    talk_words_cut(&before, 2, 0, 1);
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40 }, "sk-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.told, 3);   /* that it takes over, and two turns */
    assert_non_null(strstr(b.first_told, "take over"));
    assert_int_equal(b.errors, 0);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
    talk_words_free(&before);
}

static bool has_new_session(void *arg)
{
    return ((struct bench *)arg)->sessions > 1;
}

/* The service says that the session ends soon: a new one is made in a pause, and the caller notices nothing. */
static void test_an_old_session_is_renewed_in_a_pause(void **state)
{
    struct openai_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .fault = SIM_FAULT_OLD, .fault_count = 1 }, "sk-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    provider_heard(b.p, 1);
    assert_true(turn_until(b.loop, has_new_session, &b, 20000));
    speak(&b);
    assert_true(turn_until(b.loop, has_second_or_ended, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_int_equal(b.ready, 1);
    assert_int_equal(b.sessions, 2);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
}

/* A service that is not who it should be: told apart at once, and it never sees the key. */
static void test_a_certificate_that_is_refused(void **state)
{
    struct openai_settings s = usual;
    struct bench b = { .ca_file = other_ca };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40 }, "sk-test");
    assert_true(turn_until(b.loop, has_error, &b, 20000));
    assert_int_equal(b.kind, PROVIDER_NET);
    assert_int_equal(b.sessions + b.refused, 0);
    bench_stop(&b);
    b = (struct bench){ .ca_file = ca };
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40 }, "sk-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.errors, 0);
    bench_stop(&b);
}

/* ---- interruptions ---- */

static void cut_talk(unsigned played_ms, struct bench *b)
{
    struct openai_settings s = usual;

    b->cut_ms = played_ms;
    bench_start(b, &s, (struct sim_service_options){ .speed = 8, .script = TEXT("say This is a long answer, and it goes on and on, for it has much to tell about all and everything.\n"
                                                                                 "say Yes?\n") }, "sk-test");
    while (b->samples == 0)
        turn_for(b->loop, 2);
    speak(b);
    assert_true(turn_until(b->loop, has_started, b, 20000));
    turn_for(b->loop, 50);
    assert_int_equal(b->errors, 0);
}

static void test_the_cut_is_told_exactly(void **state)
{
    struct bench b = { .loop = NULL };

    (void)state;
    cut_talk(40, &b);
    assert_int_equal(b.truncated, 1);
    assert_int_equal((int)b.truncated_ms, 40);
    assert_int_equal(b.deleted, 0);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
}

/* A clock that claims more than came must not reach the service: it refuses that. */
static void test_the_cut_is_never_more_than_came(void **state)
{
    struct bench b = { .loop = NULL };

    (void)state;
    cut_talk(3600 * 1000, &b);
    assert_int_equal(b.truncated, 1);
    assert_true(b.truncated_ms > 0 && b.truncated_ms < 60000);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
}

static void test_a_digit_cancels(void **state)
{
    struct openai_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 2, .script = TEXT("say This is a long answer, and it goes on and on, for it has much to tell.\n") }, "sk-test");
    while (b.samples == 0)
        turn_for(b.loop, 2);
    provider_interrupted(b.p, 1, 0);
    const uint64_t before = b.samples;
    turn_for(b.loop, 100);
    assert_int_equal(b.samples, before); /* nothing of it comes any more */
    assert_int_equal(b.deleted, 1);      /* not heard at all */
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
}

/* ---- tools ---- */

static void tool_talk(const char *line, bool fails, const char *expected)
{
    struct openai_settings s = usual;
    struct bench b = { .tool_fails = fails };
    char text[300];

    snprintf(text, sizeof text, "%s\nsay Done.\n", line);
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .script = text_of(text) }, "sk-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_int_equal(b.outputs, 1);
    if (!strstr(b.output, expected))
        fail_msg("%s", b.output);
    if (b.complaints)
        fail_msg("%s", b.complaint);
    bench_stop(&b);
}

static void test_tools_are_always_answered(void **state)
{
    (void)state;
    tool_talk("call hours {}", false, "nine");
    tool_talk("call hours {}", true, "{\"error\":\"the tool did not answer in time\"}");
    tool_talk("call format_disk {}", false, "no such tool");
    tool_talk("call hours !{broken", false, "invalid arguments");
    tool_talk("call hours [1]", false, "invalid arguments");
}

static bool has_tool_call(void *arg)
{
    return ((struct bench *)arg)->tool_calls > 0;
}

static void test_closed_while_a_tool_runs_and_before_the_start(void **state)
{
    struct openai_settings s = usual;
    struct bench b = { .holds_tool = true };
    struct provider *p;
    struct loop *l;
    const struct openai_options opt = { .settings = &s, .key = "k" };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .script = TEXT("call hours {}\nsay Done.\n") }, "sk-test");
    assert_true(turn_until(b.loop, has_tool_call, &b, 20000));
    bench_stop(&b);
    assert_int_equal(loop_new(&l, &test_log), 0);
    assert_int_equal(openai_realtime_new(&p, l, &opt, &test_log), 0);
    provider_close(p);
    turn_for(l, 5);
    loop_free(l);
}

static void test_the_key_is_the_right_one_or_refused(void **state)
{
    struct openai_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .key = "sk-right" }, "sk-wrong");
    assert_true(turn_until(b.loop, has_error, &b, 20000));
    assert_int_equal(b.kind, PROVIDER_AUTH);
    assert_null(strstr(b.detail, "sk-"));
    bench_stop(&b);
}

static void test_construction_without_memory(void **state)
{
    const struct openai_options opt = { .settings = &usual, .key = "sk-test" };
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, &test_log), 0);
    for (long n = 1;; n++) {
        struct provider *p = NULL;
        int err;

        fail_alloc_at(n);
        err = openai_realtime_new(&p, l, &opt, &test_log);
        fail_alloc_off();
        if (!err) {
            provider_close(p);
            turn_for(l, 5);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(err, -ENOMEM);
    }
    loop_free(l);
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
        cmocka_unit_test(test_our_messages_are_as_specified),
        cmocka_unit_test(test_the_judge_complains),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_response_done),
        cmocka_unit_test(test_cut_anywhere_and_bent),
        cmocka_unit_test(test_a_talk_in_ulaw),
        cmocka_unit_test(test_a_talk_in_wide_pcm),
        cmocka_unit_test(test_faults_that_are_borne),
        cmocka_unit_test(test_each_fault_has_its_end),
        cmocka_unit_test(test_what_was_said_before_is_told),
        cmocka_unit_test(test_an_old_session_is_renewed_in_a_pause),
        cmocka_unit_test(test_a_certificate_that_is_refused),
        cmocka_unit_test(test_what_passes_is_survived),
        cmocka_unit_test(test_the_cut_is_told_exactly),
        cmocka_unit_test(test_the_cut_is_never_more_than_came),
        cmocka_unit_test(test_a_digit_cancels),
        cmocka_unit_test(test_tools_are_always_answered),
        cmocka_unit_test(test_closed_while_a_tool_runs_and_before_the_start),
        cmocka_unit_test(test_the_key_is_the_right_one_or_refused),
        cmocka_unit_test(test_construction_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tls_shut);
}
