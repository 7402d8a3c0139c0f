/* The stand-in's HTTP: forms cut anywhere and bent, what a client of chat, speech and transcriptions may say, and its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "net_help.h"
#include "sim/openai_http_check.h"
#include "sim/service.h"

/* ---- forms ---- */

static const char form[] = "--mark\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
                           "--mark\r\ncontent-disposition: form-data; filename=\"a.wav\"; name=file\r\nContent-Type: audio/wav\r\n\r\nab--mar\r\n--\r\n\r\nmark\r\n"
                           "--mark\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--mark--\r\n";

static void test_a_form(void **state)
{
    struct text rest = text_of(form);
    struct form_part part;

    (void)state;
    assert_int_equal(form_next(&rest, TEXT("mark"), &part), 1);
    assert_true(text_eq(part.name, TEXT("model")) && text_eq(part.body, TEXT("whisper-1")) && !part.file_name.p);
    assert_int_equal(form_next(&rest, TEXT("mark"), &part), 1);
    assert_true(text_eq(part.name, TEXT("file")) && text_eq(part.file_name, TEXT("a.wav")) && text_eq(part.body, TEXT("ab--mar\r\n--\r\n\r\nmark")));
    assert_int_equal(form_next(&rest, TEXT("mark"), &part), 1);
    assert_true(text_eq(part.name, TEXT("empty")) && part.body.n == 0);
    assert_int_equal(form_next(&rest, TEXT("mark"), &part), 0);
    assert_true(text_eq(form_boundary(TEXT("multipart/form-data; boundary=a.b")), TEXT("a.b")));
    assert_true(text_eq(form_boundary(TEXT("Multipart/Form-Data; charset=utf-8; boundary=\"x y\"")), TEXT("x y")));
    assert_null(form_boundary(TEXT("multipart/form-data; boundary=")).p);
    assert_null(form_boundary(TEXT("multipart/form-data")).p);
    assert_null(form_boundary(TEXT("application/json; boundary=x")).p);
    assert_null(form_boundary(TEXT_NONE).p);
}

/* How many parts before its end, or before what is no form: then negative. */
static int parts_of(struct text rest)
{
    struct form_part part;
    int n = 0, got;

    while ((got = form_next(&rest, TEXT("mark"), &part)) > 0)
        n++;
    return got < 0 ? -n - 1 : n;
}

static void test_a_form_cut_anywhere(void **state)
{
    const size_t end = sizeof form - 1 - 2; /* the last line's end is of no interest */

    (void)state;
    for (size_t n = 0; n < end; n++) {
        char *cut = malloc(n + 1); /* so that a sanitizer sees a step too far */

        memcpy(cut, form, n);
        if (parts_of(text_make(cut, n)) >= 0)
            fail_msg("taken with %zu of %zu bytes", n, end);
        free(cut);
    }
    assert_int_equal(parts_of(text_make(form, end)), 3);
    assert_int_equal(parts_of(TEXT("--mark--")), 0);
    assert_int_equal(parts_of(TEXT("--mark\r\n\r\nno name\r\n--mark--")), -1);
    assert_int_equal(parts_of(TEXT("--mark\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--mark--")), -1);
    assert_int_equal(parts_of(TEXT("--mark and more\r\n\r\n\r\n--mark--")), -1);
    assert_int_equal(parts_of(TEXT("before --mark--")), -1);
}

/* ---- judges ---- */

static void expect_complaint(void (*check)(const cJSON *, struct shape_complaint *), const char *body, const char *code, const char *param)
{
    struct shape_complaint c;
    cJSON *tree = cJSON_Parse(body);

    check(tree, &c);
    cJSON_Delete(tree);
    if ((c.code == NULL) != (code == NULL) || (code && (strcmp(c.code, code) != 0 || strcmp(c.param, param) != 0)))
        fail_msg("%s: %s about %s", body, c.code ? c.code : "no complaint", c.code ? c.param : "nothing");
}

static void test_chat_requests(void **state)
{
#define CHAT(messages, more) "{\"model\":\"m\",\"messages\":[" messages "]" more "}"
#define SAYS(role) "{\"role\":\"" role "\",\"content\":\"x\"}"
#define CALLS(id) "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}"
#define GIVES(id) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"x\"}"
    static const char *const all[][3] = {
        { CHAT(SAYS("user"), ""), NULL, NULL },
        { CHAT(SAYS("system") "," SAYS("developer") "," SAYS("user") "," CALLS("a") "," GIVES("a") "," SAYS("assistant"), ",\"stream\":true"), NULL, NULL },
        { CHAT(SAYS("user"), ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"temperature\":0.5,\"max_completion_tokens\":9"), NULL, NULL },
        { CHAT("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}", ""), NULL, NULL },
        { CHAT(SAYS("user") "," CALLS("a"), ""), "invalid_value", "messages" },
        { CHAT(SAYS("user") "," CALLS("a") "," GIVES("b"), ""), "invalid_value", "messages[2]" },
        { CHAT(SAYS("user") "," CALLS("a") "," SAYS("user"), ""), "invalid_value", "messages[2]" },
        { CHAT(SAYS("user") "," CALLS("a") "," GIVES("a") "," GIVES("a"), ""), "invalid_value", "messages[3]" },
        { CHAT("7", ""), "invalid_value", "messages[0]" },
        { CHAT("{\"role\":\"user\",\"content\":7}", ""), "invalid_type", "messages[0].content" },
        { CHAT("{\"role\":\"user\",\"content\":\"x\",\"text\":\"x\"}", ""), "unknown_parameter", "messages[0].text" },
        { CHAT("{\"role\":\"assistant\"}", ""), "missing_required_parameter", "messages[0]" },
        { CHAT(SAYS("user"), ",\"temperature\":3"), "invalid_value", "temperature" },
        { CHAT(SAYS("user"), ",\"tools\":[]"), "invalid_value", "tools" },
        { CHAT(SAYS("user"), ",\"tools\":{\"a\":1}"), "invalid_value", "tools" },
        { CHAT(SAYS("user"), ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"array\"}}}]"), "invalid_function_parameters",
          "tools[0].function" },
        { "7", "invalid_type", "" },
        { "nonsense", "invalid_type", "" },
        { "{\"model\":\"m\",\"messages\":{}}", "invalid_value", "messages" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        expect_complaint(openai_chat_check, all[i][0], all[i][1], all[i][2]);
}

static void test_speech_requests(void **state)
{
    static const char *const all[][3] = {
        { "{\"model\":\"m\",\"input\":\"x\",\"voice\":\"alloy\",\"response_format\":\"pcm\",\"speed\":1.5}", NULL, NULL },
        { "{\"model\":\"m\",\"input\":\"x\",\"voice\":\"cedar\",\"response_format\":\"wav\",\"instructions\":\"x\",\"stream_format\":\"audio\"}", NULL, NULL },
        { "{\"model\":\"m\",\"input\":\"x\",\"voice\":\"alloy\"}", "invalid_value", "response_format" },
        { "{\"model\":\"m\",\"input\":\"x\",\"voice\":\"alloy\",\"response_format\":\"pcm\",\"stream_format\":\"sse\"}", "invalid_value", "stream_format" },
        { "{\"model\":\"m\",\"input\":7,\"voice\":\"alloy\",\"response_format\":\"pcm\"}", "invalid_type", "input" },
        { "{\"model\":\"m\",\"voice\":\"alloy\",\"response_format\":\"pcm\"}", "missing_required_parameter", "input" },
        { "null", "invalid_type", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        expect_complaint(openai_speech_check, all[i][0], all[i][1], all[i][2]);
}

static void put(char *at, unsigned long v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(v >> 8 * i);
}

static void test_files(void **state)
{
    char wav[44 + 20] = "RIFF....WAVEfmt ....................data";
    struct shape_complaint c = { .code = NULL };
    struct text samples;
    unsigned rate;

    (void)state;
    put(wav + 4, sizeof wav - 8, 4);
    put(wav + 16, 16, 4);
    put(wav + 20, 1, 2);
    put(wav + 22, 1, 2);
    put(wav + 24, 8000, 4);
    put(wav + 28, 16000, 4);
    put(wav + 32, 2, 2);
    put(wav + 34, 16, 2);
    put(wav + 40, 20, 4);
    assert_true(openai_wav_check(text_make(wav, sizeof wav), &samples, &rate, &c));
    assert_true(samples.n == 20 && rate == 8000);
    for (size_t n = 0; n < sizeof wav; n++) {  /* its sizes do not fit any more */
        char *cut = malloc(n + 1);

        memcpy(cut, wav, n);
        c.code = NULL;
        assert_false(openai_wav_check(text_make(cut, n), &samples, &rate, &c));
        assert_non_null(c.code);
        free(cut);
    }
    for (size_t i = 0; i < 44; i++) {          /* each byte of the head counts, but for the length of "fmt ", which is not looked at */
        wav[i] = (char)(wav[i] ^ 0x15);
        c.code = NULL;
        assert_int_equal(openai_wav_check(text_make(wav, sizeof wav), &samples, &rate, &c), i >= 16 && i < 20);
        wav[i] = (char)(wav[i] ^ 0x15);
    }
}

/* ---- the port ---- */

static void on_moment(const char *what, struct text detail, void *arg)
{
    (void)what;
    (void)detail;
    (void)arg;
}

static void test_the_port_without_memory(void **state)
{
    const struct address any = { .host = "127.0.0.1" };
    const struct sim_service_options o = { .script = TEXT("hear x\ncall f {}\n"), .voice = "kal", .http = &any };
    struct loop *l = help_loop();

    (void)state;
    for (long n = 1;; n++) {
        struct sim_service *s = NULL;
        struct address at;
        char *problem = NULL;

        fail_alloc_at(n);
        const int err = sim_service_open(&s, l, &any, &sim_service_openai, &o, on_moment, NULL, &problem);
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        free(problem);
        assert_int_equal(err, hit ? -ENOMEM : 0);
        if (!hit) {
            assert_true(sim_service_http_address(s, &at) && at.port > 0);
            sim_service_close(s);
            break;
        }
    }
    struct sim_service *s = NULL;
    char *problem = NULL;

    assert_int_equal(sim_service_open(&s, l, &any, &sim_service_deepgram, &o, on_moment, NULL, &problem), -EINVAL); /* it has no such port */
    assert_null(problem);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_form),          cmocka_unit_test(test_a_form_cut_anywhere), cmocka_unit_test(test_chat_requests),
        cmocka_unit_test(test_speech_requests), cmocka_unit_test(test_files),               cmocka_unit_test(test_the_port_without_memory),
    };

    return cmocka_run_group_tests_name("sim_http", tests, NULL, NULL);
}
