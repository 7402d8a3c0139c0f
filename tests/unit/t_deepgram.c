/* The Deepgram provider: its messages judged by the list of the specification, what a server says cut and bent, and whole talks with the stand-in
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

#include "ai/deepgram_agent.h"
#include "ai/deepgram_event.h"
#include "ai/speech.h"
#include "audio/resample.h"
#include "fail_alloc.h"
#include "sim/deepgram_check.h"
#include "sim/service.h"
#include "net_help.h"
#include "tls_help.h"
#include "turn.h"

#define GREETING "Hello there, this is the greeting of the day."

static const struct log_sink quiet = { .fd = 2, .level = LOG_OFF };
static const struct log test_log = { .sink = &quiet, .module = "test" };

static const struct ai_tool tools[] = {
    { .name = "hours", .description = "When \"open\"?", .parameters = "{\"type\":\"object\",\"properties\":{\"day\":{\"type\":\"string\"}}}" },
    { .name = "hand_back" },
};
static const struct deepgram_settings usual = {
    .instructions = "Be \"kind\".\nAnd brief: \xc3\xa9\xff.", .greeting = GREETING, .tools = tools, .tool_count = 2,
};

/* ---- what we say ---- */

static void judge(struct buf *b, const char *code)
{
    struct shape_complaint c;
    cJSON *tree = cJSON_ParseWithLength(b->p, b->n);

    if (!cJSON_IsObject(tree))
        fail_msg("not JSON: %.*s", (int)b->n, b->p);
    dg_agent_check(tree, &c);
    if ((c.code == NULL) != (code == NULL) || (code && strcmp(c.code, code) != 0))
        fail_msg("%s (%s), expected %s: %.*s", c.code ? c.code : "no complaint", c.message, code ? code : "none", (int)b->n, b->p);
    cJSON_Delete(tree);
    buf_clear(b);
}

static void test_our_messages_are_as_specified(void **state)
{
    const struct deepgram_settings bare = { .audio = DEEPGRAM_PCM, .listen_model = "nova-3", .think_provider = "anthropic" };
    struct talk_words words = { .count = 0 };
    struct buf b;

    (void)state;
    buf_init(&b, 64 * 1024);
    deepgram_write_settings(&b, &usual, &words, true);
    judge(&b, NULL);
    deepgram_write_settings(&b, &bare, &words, true);
    judge(&b, NULL);
    deepgram_write_settings(&b, &usual, &words, false);
    judge(&b, NULL);
    talk_words_add(&words, true, 1, TEXT(GREETING));
    talk_words_add(&words, true, 2, TEXT("one two three four"));
    talk_words_add(&words, false, 0, TEXT("a \"quoted\" question"));
    talk_words_cut(&words, 2, 60, 100);
    talk_words_cut(&words, 1, 0, 100);
    deepgram_write_settings(&b, &usual, &words, false);
    assert_true(text_find_text(buf_text(&b), TEXT("\"content\":\"one two\"")) > 0);   /* what was heard of it */
    assert_true(text_find_text(buf_text(&b), TEXT("Hello there")) < 0);               /* nothing was; nor is it said again */
    assert_true(text_find_text(buf_text(&b), TEXT("greeting")) < 0);
    judge(&b, NULL);
    deepgram_write_settings(&b, &usual, &words, true);   /* another agent's words are known, and this one greets */
    assert_true(text_find_text(buf_text(&b), TEXT("\"greeting\":\"" GREETING "\"")) > 0);
    assert_true(text_find_text(buf_text(&b), TEXT("\"content\":\"one two\"")) > 0);
    judge(&b, NULL);
    deepgram_write_result(&b, TEXT("call\"1"), TEXT("hours"), TEXT("{\"a\":\"b\"}"));
    judge(&b, NULL);
    deepgram_write_user(&b, TEXT("The caller pressed \"1\""));
    judge(&b, NULL);
    deepgram_write_keep_alive(&b);
    judge(&b, NULL);
    talk_words_free(&words);
    buf_free(&b);
}

/* The judge itself: without these it might wave everything through. */
static void test_the_judge_complains(void **state)
{
#define HEAD "{\"type\":\"Settings\",\"audio\":{\"input\":{\"encoding\":\"mulaw\",\"sample_rate\":8000}},\"agent\":"
    static const char *const bad[][2] = {
        { "{\"type\":\"SettingsConfiguration\"}", "UNPARSABLE_CLIENT_MESSAGE" },
        { "{\"type\":\"Settings\",\"agent\":{}}", "missing_required_parameter" },
        { "{\"type\":\"Settings\",\"audio\":{\"input\":{\"encoding\":\"pcmu\",\"sample_rate\":8000}},\"agent\":{}}", "invalid_value" },
        { "{\"type\":\"Settings\",\"audio\":{\"input\":{\"encoding\":\"mulaw\",\"sample_rate\":24000}},\"agent\":{}}", "invalid_value" },
        { HEAD "{\"voice\":\"x\"}}", "unknown_parameter" },
        { HEAD "{\"greeting\":7}}", "invalid_type" },
        { HEAD "{\"listen\":{\"provider\":{\"type\":\"deepgram\",\"model\":\"flux-general-en\"}}}}", "missing_required_parameter" },
        { HEAD "{\"listen\":{\"provider\":{\"type\":\"deepgram\",\"version\":\"v2\",\"model\":\"nova-3\"}}}}", "invalid_value" },
        { HEAD "{\"think\":{\"provider\":{\"type\":\"openai\",\"model\":\"x\"}}}}", "invalid_value" },
        { HEAD "{\"think\":{\"provider\":{\"type\":\"open_ai\",\"model\":\"x\"},\"functions\":[{\"type\":\"function\",\"name\":\"x\"}]}}}", "unknown_parameter" },
        { HEAD "{\"context\":{\"messages\":[{\"type\":\"History\",\"role\":\"system\",\"content\":\"x\"}]}}}", "invalid_value" },
        { "{\"type\":\"FunctionCallResponse\",\"id\":\"1\",\"content\":\"x\"}", "missing_required_parameter" },
        { "{\"type\":\"FunctionCallResponse\",\"id\":\"1\",\"name\":\"x\",\"output\":\"x\",\"content\":\"\"}", "unknown_parameter" },
        { "{\"type\":\"InjectUserMessage\",\"message\":\"x\"}", "unknown_parameter" },
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

/* ---- what a server says ---- */

static const char request[] =
    "{\"type\":\"FunctionCallRequest\",\"new\":[1],\"functions\":[{\"id\":\"c1\",\"name\":\"hours\",\"arguments\":\"{\\\"day\\\":1}\",\"client_side\":true},"
    "{\"id\":\"c2\",\"name\":\"theirs\",\"arguments\":\"{}\",\"client_side\":false},{\"id\":\"c3\",\"name\":\"older\"}]}";

static void test_function_calls(void **state)
{
    struct deepgram_event e;

    (void)state;
    assert_int_equal(deepgram_event_read(&e, text_of(request)), 0);
    assert_int_equal(e.kind, DEEPGRAM_CALLS);
    assert_int_equal(e.call_count, 2); /* theirs is not ours */
    assert_true(text_eq(e.calls[0].id, TEXT("c1")) && text_eq(e.calls[0].arguments, TEXT("{\"day\":1}")));
    assert_true(text_eq(e.calls[1].name, TEXT("older")) && e.calls[1].arguments.p == NULL);
    deepgram_event_free(&e);
}

static void test_cut_anywhere_and_bent(void **state)
{
    static const char *const bent[] = {
        "", "null", "7", "[]", "{}", "{\"type\":7}", "{\"type\":\"\"}", "{\"type\":\"FunctionCallRequest\"}", "{\"type\":\"FunctionCallRequest\",\"functions\":{}}",
        "{\"type\":\"FunctionCallRequest\",\"functions\":[{\"name\":\"x\"}]}", "{\"type\":\"ConversationText\",\"role\":\"user\"}",
        "{\"type\":\"ConversationText\",\"role\":7,\"content\":\"x\"}", "{\"type\":\"ConversationText\",\"role\":\"assistant\",\"content\":{}}",
    };
    struct deepgram_event e;

    (void)state;
    for (size_t n = 0; n + 1 < sizeof request - 1; n++)
        assert_int_equal(deepgram_event_read(&e, text_make(request, n)), -EINVAL);
    for (size_t i = 0; i < sizeof bent / sizeof *bent; i++)
        if (deepgram_event_read(&e, text_of(bent[i])) != -EINVAL)
            fail_msg("taken: %s", bent[i]);
    assert_int_equal(deepgram_event_read(&e, TEXT("{\"type\":\"MoodChanged\",\"x\":1}")), 0);
    assert_int_equal(e.kind, DEEPGRAM_OTHER);
    deepgram_event_free(&e);
    assert_int_equal(deepgram_event_read(&e, TEXT("{\"type\":\"Error\",\"code\":[],\"description\":7}")), 0);
    assert_null(e.code.p);
    deepgram_event_free(&e);
}

/* ---- whole talks ---- */

struct bench {
    struct loop *loop;
    struct dialer *dialer;
    struct sim_service *server;
    struct provider *p;
    struct timer *feeder;
    bool is_fed;
    int16_t *voice;                /* what the caller says, once asked to */
    size_t voice_n, voice_at;
    bool is_talking;

    unsigned ready, closed, errors, starts, stops, tool_calls, items, lasts;
    enum provider_error kind;
    char detail[300], said[300], heard[300], tool_name[40];
    uint32_t item;
    uint64_t item_samples, first_samples, last_samples;
    unsigned cut_ms;               /* answer to speech_started; 0: none */
    bool tool_fails, holds_tool;
    int64_t alive_ms;              /* 0: 50 */
    const char *ca_file;           /* NULL: no TLS */
    uint32_t held;

    unsigned sessions, refused, complaints, outputs, injections;
    char complaint[400], output[300], config[2000], injected[300];
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
    b->item = item;
    if (item == 1)
        b->first_samples += n;
    if (last)
        b->last_samples = b->item_samples;
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

    assert_non_null(args.p);
    b->tool_calls++;
    b->held = id;
    text_copy(b->tool_name, sizeof b->tool_name, name);
    if (!b->holds_tool)
        provider_tool_result(b->p, id, b->tool_fails ? -ETIMEDOUT : 0, b->tool_fails ? TEXT("the tool did not answer in time") : TEXT("{\"opens\":\"nine\"}"));
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    (void)wish;
    (void)reason;
    (void)arg;
    fail_msg("the provider interprets a tool");
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
    if (strcmp(what, "configured") == 0)
        text_copy(b->config, sizeof b->config, detail);
    if (strcmp(what, "injected") == 0) {
        b->injections++;
        text_copy(b->injected, sizeof b->injected, detail);
    } else if (strcmp(what, "tool") == 0) {
        b->outputs++;
        text_copy(b->output, sizeof b->output, text_of(shape_word(cJSON_GetObjectItem(tree, "response"), "content")));
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
    provider_hear(b->p, frame, n, 0);
    timer_start(b->feeder, 2);
}

static const char script[] = "hear how are you\ncall hours {\"day\":\"monday\"}\nsay We open at nine.\n";

static char cert[160], cert_key[160], ca[160], other_ca[160]; /* of the folder that tls_help.h makes */

static void bench_start(struct bench *b, struct deepgram_settings *s, struct sim_service_options so, const char *key)
{
    const struct address any = { .host = "127.0.0.1" };
    struct deepgram_options opt = { .settings = s, .key = key, .setup_ms = 700, .stall_ms = 500, .ping_ms = 200, .retry_ms = 20 };
    static char url[128];
    struct address at;
    char where[96], *problem = NULL;

    assert_int_equal(loop_new(&b->loop, &test_log), 0);
    assert_int_equal(dialer_new(&b->dialer, b->loop, &(struct dialer_options){ .tls = { .ca_file = b->ca_file } }), 0);
    so.script = so.script.p ? so.script : text_of(script);
    so.voice = "kal";
    so.cert_file = b->ca_file ? cert : NULL;
    so.key_file = b->ca_file ? cert_key : NULL;
    assert_int_equal(sim_service_open(&b->server, b->loop, &any, &sim_service_deepgram, &so, on_moment, b, &problem), 0);
    sim_service_address(b->server, &at);
    address_format(&at, where, sizeof where);
    snprintf(url, sizeof url, "%s://%s/v1/agent/converse", b->ca_file ? "wss" : "ws", where);
    s->url = url;
    opt.dialer = b->dialer;
    opt.alive_ms = b->alive_ms ? b->alive_ms : 50;
    assert_int_equal(deepgram_agent_new(&b->p, b->loop, &opt, &test_log), 0);
    assert_int_equal(timer_new(&b->feeder, b->loop, on_feed, b), 0);
    provider_start(b->p, &on, b);
    timer_start(b->feeder, 1);
}

static bool is_closed(void *arg)
{
    return ((struct bench *)arg)->closed > 0;
}

static void bench_stop(struct bench *b)
{
    if (b->complaints)
        fail_msg("%s", b->complaint);
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

static bool has_two_answers(void *arg)
{
    const struct bench *b = arg;

    return b->lasts > 1 || b->errors;
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

static bool has_tool_call(void *arg)
{
    return ((struct bench *)arg)->tool_calls > 0;
}

static bool has_injection(void *arg)
{
    return ((struct bench *)arg)->injections > 0;
}

static uint64_t length_of(const char *words)
{
    int16_t *pcm;
    size_t n;

    assert_int_equal(speech_make("kal", words, &pcm, &n), 0);
    free(pcm);
    return n;
}

static void speak(struct bench *b)
{
    int16_t *pcm;
    size_t n;

    if (!b->voice) {
        assert_int_equal(speech_make("rms", "how are you today my friend", &pcm, &n), 0);
        assert_int_equal(resample_clip(pcm, n, 8000, b->p->rate_hz, &b->voice, &b->voice_n), 0);
        free(pcm);
    }
    b->voice_at = 0;
    b->is_talking = true;
}

static void whole_talk_by(enum deepgram_audio audio, enum sim_fault fault, const char *ca_file)
{
    struct deepgram_settings s = usual;
    struct bench b = { .ca_file = ca_file };

    s.audio = audio;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .fault = fault }, "dg-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_int_equal(b.ready, 1);
    assert_string_equal(b.said, GREETING);
    if (audio == DEEPGRAM_ULAW) /* not a sample is lost or made up */
        assert_int_equal(b.first_samples, length_of(GREETING));
    else
        assert_true(b.first_samples > length_of(GREETING) * 2 - 100);
    provider_heard(b.p, 1);
    speak(&b);
    assert_true(turn_until(b.loop, has_two_answers, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_true(b.starts == 1 && b.stops == 1);
    assert_string_equal(b.heard, "how are you");
    assert_int_equal(b.tool_calls, 1);
    assert_string_equal(b.tool_name, "hours");
    assert_int_equal(b.outputs, 1);
    assert_string_equal(b.output, "{\"opens\":\"nine\"}");
    assert_string_equal(b.said, "We open at nine.");
    assert_int_equal(b.sessions, 1);
    bench_stop(&b);
}

static void whole_talk(enum deepgram_audio audio, enum sim_fault fault)
{
    whole_talk_by(audio, fault, NULL);
}

static void test_a_talk_over_tls(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .ca_file = other_ca };

    (void)state;
    whole_talk_by(DEEPGRAM_ULAW, SIM_FAULT_NONE, ca);
    whole_talk_by(DEEPGRAM_PCM, SIM_FAULT_BURST, ca);
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40 }, "dg-test"); /* not who it should be */
    assert_true(turn_until(b.loop, has_error, &b, 20000));
    assert_int_equal(b.kind, PROVIDER_NET);
    assert_int_equal(b.sessions + b.refused, 0); /* the key was not sent */
    bench_stop(&b);
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

static void test_a_talk_in_ulaw(void **state)
{
    (void)state;
    whole_talk(DEEPGRAM_ULAW, SIM_FAULT_NONE);
}

static void test_a_talk_in_wide_pcm(void **state)
{
    (void)state;
    whole_talk(DEEPGRAM_PCM, SIM_FAULT_NONE);
}

static void test_faults_that_are_borne(void **state)
{
    (void)state;
    whole_talk(DEEPGRAM_ULAW, SIM_FAULT_BURST);
    whole_talk(DEEPGRAM_ULAW, SIM_FAULT_DRIFT);
    whole_talk(DEEPGRAM_ULAW, SIM_FAULT_ERROR);
    whole_talk(DEEPGRAM_PCM, SIM_FAULT_BURST);
}

static void test_each_fault_has_its_end(void **state)
{
    static const struct {
        enum sim_fault fault;
        enum provider_error kind;
        unsigned attempts;         /* sessions and refusals: a fault that can pass is tried once more */
    } faults[] = {
        { SIM_FAULT_401, PROVIDER_AUTH, 1 },      { SIM_FAULT_429, PROVIDER_RATE, 2 },        { SIM_FAULT_QUOTA, PROVIDER_QUOTA, 1 },
        { SIM_FAULT_500, PROVIDER_SERVER, 2 },    { SIM_FAULT_SLOW, PROVIDER_NET, 2 },        { SIM_FAULT_STALL, PROVIDER_NET, 2 },
        { SIM_FAULT_CLOSE, PROVIDER_SERVER, 2 },  { SIM_FAULT_LOST, PROVIDER_NET, 2 },        { SIM_FAULT_HALF_OPEN, PROVIDER_NET, 2 },
        { SIM_FAULT_GARBAGE, PROVIDER_SERVER, 1 }, { SIM_FAULT_EXPIRED, PROVIDER_EXPIRED, 2 }, { SIM_FAULT_FAILED, PROVIDER_SERVER, 2 },
        { SIM_FAULT_ALIEN, PROVIDER_NET, 2 },      { SIM_FAULT_404, PROVIDER_CONFIG, 1 },     { SIM_FAULT_REFUSED, PROVIDER_CONFIG, 1 },
        { SIM_FAULT_POLICY, PROVIDER_CONFIG, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct deepgram_settings s = usual;
        struct bench b = { .loop = NULL };

        bench_start(&b, &s, (struct sim_service_options){ .speed = 20, .fault = faults[i].fault }, "dg-test");
        if (faults[i].fault == SIM_FAULT_FAILED || faults[i].fault == SIM_FAULT_ALIEN) {
            assert_true(turn_until(b.loop, has_answer, &b, 20000));
            speak(&b);
        }
        if (!turn_until(b.loop, has_error, &b, 20000) || b.kind != faults[i].kind || b.sessions + b.refused != faults[i].attempts)
            fail_msg("%s: %u errors, %s: %s; %u sessions, %u refused; %s", sim_fault_name(faults[i].fault), b.errors, provider_error_name(b.kind), b.detail,
                     b.sessions, b.refused, b.complaint);
        assert_null(strstr(b.detail, "dg-test"));
        bench_stop(&b);
    }
}

static void test_what_passes_is_survived(void **state)
{
    static const enum sim_fault faults[] = { SIM_FAULT_429, SIM_FAULT_500, SIM_FAULT_SLOW, SIM_FAULT_STALL, SIM_FAULT_CLOSE, SIM_FAULT_LOST,
                                             SIM_FAULT_HALF_OPEN, SIM_FAULT_EXPIRED };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const bool is_early = faults[i] == SIM_FAULT_429 || faults[i] == SIM_FAULT_500 || faults[i] == SIM_FAULT_SLOW;
        struct deepgram_settings s = usual;
        struct bench b = { .loop = NULL };

        bench_start(&b, &s, (struct sim_service_options){ .speed = 20, .fault = faults[i], .fault_count = 1, .script = TEXT("say The second session.\n") },
                    "dg-test");
        assert_true(turn_until(b.loop, is_early ? has_answer : has_two_answers, &b, 20000));
        if (b.errors)
            fail_msg("%s: %s", sim_fault_name(faults[i]), b.detail);
        assert_int_equal(b.ready, 1);
        if (is_early) {            /* nothing was said before: the greeting comes late */
            assert_string_equal(b.said, GREETING);
            assert_int_equal(b.first_samples, length_of(GREETING));
        } else {                   /* the words so far are told, and the talk goes on */
            assert_string_equal(b.said, "The second session.");
            assert_int_equal(b.last_samples, length_of("The second session."));
            assert_non_null(strstr(b.config, "\"role\":\"assistant\",\"content\":\"" GREETING "\""));
            assert_null(strstr(b.config, "\"greeting\""));
        }
        bench_stop(&b);
    }
}

static void test_barge_in(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .cut_ms = 100 };

    (void)state;
    s.greeting = "This is a long greeting, and it goes on and on, so that a caller who is in a hurry can cut it off wherever he likes to do so.";
    bench_start(&b, &s, (struct sim_service_options){ .speed = 2, .script = TEXT("say Yes please.\n") }, "dg-test");
    speak(&b);
    assert_true(turn_until(b.loop, has_started, &b, 20000));
    assert_true(turn_until(b.loop, has_two_answers, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_true(b.first_samples < length_of(s.greeting)); /* the service stopped */
    assert_string_equal(b.said, "Yes please.");
    assert_int_equal(b.last_samples, length_of("Yes please.")); /* none of the old answer is in the new one */
    bench_stop(&b);
}

static void test_digits_are_told_and_cut(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .script = TEXT("say You pressed keys.\n") }, "dg-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    provider_digit(b.p, '1');
    provider_digit(b.p, '#');
    provider_interrupted(b.p, 1, 300);
    assert_true(turn_until(b.loop, has_injection, &b, 20000));
    assert_non_null(strstr(b.injected, "The caller pressed on the phone: 1#"));
    assert_true(turn_until(b.loop, has_two_answers, &b, 20000));
    assert_string_equal(b.said, "You pressed keys.");
    assert_int_equal(b.heard[0], 0); /* nobody spoke */
    bench_stop(&b);
}

static void tool_talk(const char *text, bool fails, const char *expected)
{
    struct deepgram_settings s = usual;
    struct bench b = { .tool_fails = fails };

    s.greeting = NULL;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .script = text_of(text) }, "dg-test");
    speak(&b);
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.errors, 0);
    assert_int_equal(b.tool_calls, 1);
    assert_int_equal(b.outputs, 1);
    if (!strstr(b.output, expected))
        fail_msg("%s", b.output);
    bench_stop(&b);
}

static void test_tools_are_always_answered(void **state)
{
    (void)state;
    tool_talk("call hours {}\nsay Done.\n", false, "nine");
    tool_talk("call hand_back {\"reason\":\"x\"}\nsay Done.\n", false, "nine"); /* no name means anything here */
    tool_talk("call hours !{broken\nsay Done.\n", true, "{\"error\":\"the tool did not answer in time\"}");
}

static void test_a_result_counts_once(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .holds_tool = true };

    (void)state;
    s.greeting = NULL;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .script = TEXT("call hours {}\nsay Done.\n") }, "dg-test");
    speak(&b);
    assert_true(turn_until(b.loop, has_tool_call, &b, 20000));
    provider_tool_result(b.p, b.held + 7, 0, TEXT("1")); /* nobody asked */
    provider_tool_result(b.p, b.held, 0, TEXT("{\"opens\":\"ten\"}"));
    provider_tool_result(b.p, b.held, 0, TEXT("2"));
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    assert_int_equal(b.outputs, 1);
    assert_string_equal(b.output, "{\"opens\":\"ten\"}");
    bench_stop(&b);
}

static bool has_second_session(void *arg)
{
    const struct bench *b = arg;

    return b->sessions > 1 || b->errors;
}

/* The tool's answer comes when its session is gone: the next one is told in words. */
static void test_a_tool_outlives_its_session(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .holds_tool = true, .alive_ms = 60000 };

    (void)state;
    s.greeting = NULL;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .idle_ms = 1500, .script = TEXT("call hours {}\nsay Done.\n") }, "dg-test");
    speak(&b);
    assert_true(turn_until(b.loop, has_tool_call, &b, 20000));
    timer_stop(b.feeder);          /* for want of audio the stand-in ends the session */
    assert_true(turn_until(b.loop, has_second_session, &b, 20000));
    assert_int_equal(b.errors, 0);
    provider_tool_result(b.p, b.held, 0, TEXT("{\"opens\":\"ten\"}"));
    assert_true(turn_until(b.loop, has_injection, &b, 20000));
    assert_non_null(strstr(b.injected, "A tool that was asked before the interruption answers: {\\\"opens\\\":\\\"ten\\\"}"));
    assert_int_equal(b.outputs, 0);
    bench_stop(&b);
}

static void test_it_is_kept_alive_without_audio(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40, .idle_ms = 600 }, "dg-test");
    assert_true(turn_until(b.loop, has_answer, &b, 20000));
    timer_stop(b.feeder);
    assert_false(turn_until(b.loop, has_error, &b, 1500)); /* the stand-in would have closed twice */
    assert_int_equal(b.sessions, 1);
    bench_stop(&b);
}

static void test_closed_while_a_tool_runs_and_before_the_start(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .holds_tool = true };
    struct provider *p;
    struct loop *l;
    const struct deepgram_options opt = { .settings = &s, .key = "k" };

    (void)state;
    s.greeting = NULL;
    bench_start(&b, &s, (struct sim_service_options){ .speed = 40 }, "dg-test");
    speak(&b);
    assert_true(turn_until(b.loop, has_tool_call, &b, 20000));
    bench_stop(&b);
    assert_int_equal(loop_new(&l, &test_log), 0);
    assert_int_equal(deepgram_agent_new(&p, l, &opt, &test_log), 0);
    provider_close(p);
    turn_for(l, 5);
    loop_free(l);
}

static void test_the_key_is_the_right_one_or_refused(void **state)
{
    struct deepgram_settings s = usual;
    struct bench b = { .loop = NULL };

    (void)state;
    bench_start(&b, &s, (struct sim_service_options){ .key = "dg-right" }, "dg-wrong");
    assert_true(turn_until(b.loop, has_error, &b, 20000));
    assert_int_equal(b.kind, PROVIDER_AUTH);
    assert_null(strstr(b.detail, "dg-"));
    bench_stop(&b);
}

static void test_construction_without_memory(void **state)
{
    const struct deepgram_options opt = { .settings = &usual, .key = "dg-test" };
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, &test_log), 0);
    for (long n = 1;; n++) {
        struct provider *p = NULL;
        int err;

        fail_alloc_at(n);
        err = deepgram_agent_new(&p, l, &opt, &test_log);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_messages_are_as_specified),
        cmocka_unit_test(test_the_judge_complains),
        cmocka_unit_test(test_function_calls),
        cmocka_unit_test(test_cut_anywhere_and_bent),
        cmocka_unit_test(test_a_talk_in_ulaw),
        cmocka_unit_test(test_a_talk_in_wide_pcm),
        cmocka_unit_test(test_a_talk_over_tls),
        cmocka_unit_test(test_faults_that_are_borne),
        cmocka_unit_test(test_each_fault_has_its_end),
        cmocka_unit_test(test_what_passes_is_survived),
        cmocka_unit_test(test_barge_in),
        cmocka_unit_test(test_digits_are_told_and_cut),
        cmocka_unit_test(test_tools_are_always_answered),
        cmocka_unit_test(test_a_result_counts_once),
        cmocka_unit_test(test_a_tool_outlives_its_session),
        cmocka_unit_test(test_it_is_kept_alive_without_audio),
        cmocka_unit_test(test_closed_while_a_tool_runs_and_before_the_start),
        cmocka_unit_test(test_the_key_is_the_right_one_or_refused),
        cmocka_unit_test(test_construction_without_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tls_shut);
}
