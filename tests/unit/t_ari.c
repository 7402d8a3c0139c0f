/* ARI's JSON: seen events, fields of wrong kinds, hostile JSON, lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/ari.h"
#include "fail_alloc.h"

static const char start[] =
    "{\"type\":\"StasisStart\",\"timestamp\":\"2026-11-22T19:08:18.401+0000\",\"args\":[\"reception\",\"a b\"],\"channel\":{"
    "\"id\":\"1700000000.12\",\"name\":\"PJSIP/trunk-0000002a\",\"state\":\"Up\",\"protocol_id\":\"abc@10.0.0.1\","
    "\"caller\":{\"name\":\"Anna \\u00e9 "
    "\\\"B\\\"\",\"number\":\"1001\"},\"connected\":{\"name\":\"\",\"number\":\"\"},\"accountcode\":\"\","
    "\"dialplan\":{\"context\":\"default\",\"exten\":\"101\",\"priority\":3,\"app_name\":\"Stasis\",\"app_data\":\"sidetone,"
    "reception\"},"
    "\"creationtime\":\"2026-11-22T19:08:18.400+0000\",\"language\":\"en\"},\"asterisk_id\":\"02:00:00:00:00:01\","
    "\"application\":\"sidetone\"}";

static void assert_text(struct text got, const char *expect)
{
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(expect));
    assert_memory_equal(got.p, expect, got.n);
}

static struct ari_event parse(const char *json)
{
    struct ari_event e;

    assert_int_equal(ari_event_parse(&e, text_of(json)), 0);
    assert_string_equal(e.fault, "");
    return e;
}

static void assert_refused_n(const char *json, size_t n, const char *part)
{
    struct ari_event e;

    assert_int_equal(ari_event_parse(&e, text_make(json, n)), -EPROTO);
    assert_non_null(strstr(e.fault, part));
    assert_null(e.memory);
    assert_null(e.type.p);
    assert_null(e.channel.id.p);
    ari_event_free(&e); /* allowed, not needed */
}

static void assert_refused(const char *json, const char *part)
{
    assert_refused_n(json, strlen(json), part);
}

static void test_stasis_start(void **state)
{
    struct ari_event e = parse(start);

    (void)state;
    assert_int_equal(e.kind, ARI_STASIS_START);
    assert_text(e.type, "StasisStart");
    assert_text(e.application, "sidetone");
    assert_text(e.timestamp, "2026-11-22T19:08:18.401+0000");
    assert_text(e.channel.id, "1700000000.12");
    assert_text(e.channel.name, "PJSIP/trunk-0000002a");
    assert_text(e.channel.state, "Up");
    assert_text(e.channel.protocol_id, "abc@10.0.0.1");
    assert_text(e.channel.caller_name, "Anna \xc3\xa9 \"B\"");
    assert_text(e.channel.caller_number, "1001");
    assert_text(e.channel.context, "default");
    assert_text(e.channel.exten, "101");
    assert_int_equal(e.channel.priority, 3);
    assert_int_equal(e.arg_count, 2);
    assert_text(e.args[0], "reception");
    assert_text(e.args[1], "a b");
    assert_int_equal(e.cause, -1);
    assert_null(e.bridge_id.p);
    ari_event_free(&e);
    assert_null(e.memory);
}

static void test_each_kind(void **state)
{
    static const struct {
        const char *type;
        enum ari_event_kind kind;
    } rows[] = {
        { "StasisStart", ARI_STASIS_START },
        { "StasisEnd", ARI_STASIS_END },
        { "ChannelDestroyed", ARI_CHANNEL_DESTROYED },
        { "ChannelHangupRequest", ARI_CHANNEL_HANGUP_REQUEST },
        { "ChannelStateChange", ARI_CHANNEL_STATE_CHANGE },
        { "ChannelDtmfReceived", ARI_CHANNEL_DTMF },
        { "ChannelEnteredBridge", ARI_CHANNEL_ENTERED_BRIDGE },
        { "ChannelLeftBridge", ARI_CHANNEL_LEFT_BRIDGE },
        { "BridgeDestroyed", ARI_BRIDGE_DESTROYED },
        { "ApplicationReplaced", ARI_APPLICATION_REPLACED },
        { "ApplicationRegistered", ARI_APPLICATION_REGISTERED },
        { "ChannelVarset", ARI_OTHER },
        { "stasisstart", ARI_OTHER },
        { "StasisStart\\n", ARI_OTHER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[512];
        struct ari_event e;

        snprintf(json, sizeof json,
                 "{\"digit\":\"#\",\"duration_ms\":120,\"cause\":17,\"cause_txt\":\"User busy\",\"channel\":{\"id\":\"c1;2\"},"
                 "\"bridge\":{\"id\":\"b1\",\"bridge_type\":\"mixing\"},\"type\":\"%s\"}",
                 rows[i].type);
        e = parse(json);
        assert_int_equal(e.kind, rows[i].kind);
        assert_text(e.channel.id, "c1;2");
        assert_text(e.bridge_id, "b1");
        assert_text(e.digit, "#");
        assert_int_equal(e.duration_ms, 120);
        assert_int_equal(e.cause, 17);
        assert_text(e.cause_txt, "User busy");
        assert_null(e.application.p);
        ari_event_free(&e);
    }
}

static void test_null_is_absent_and_first_of_a_name_counts(void **state)
{
    struct ari_event e =
        parse(" {\"type\":\"StasisStart\",\"type\":\"StasisEnd\",\"channel\":{\"id\":\"a\",\"id\":7,\"caller\":null},"
              "\"channel\":{\"id\":\"b\"},\"bridge\":null,\"args\":null,\"cause\":null,\"Channel\":1}\n");

    (void)state;
    assert_int_equal(e.kind, ARI_STASIS_START);
    assert_text(e.channel.id, "a");
    assert_null(e.channel.caller_name.p);
    assert_int_equal(e.cause, -1);
    ari_event_free(&e);
}

static void test_unknown_types_are_read_leniently(void **state)
{
    struct ari_event e = parse("{\"type\":\"ChannelUserevent\",\"channel\":\"x\",\"args\":[1,{}],\"cause\":\"y\",\"digit\":12,"
                               "\"application\":\"percallapp:PJSIP/a-1\",\"timestamp\":5,\"bridge\":[]}");

    (void)state;
    assert_int_equal(e.kind, ARI_OTHER);
    assert_text(e.application, "percallapp:PJSIP/a-1");
    assert_null(e.timestamp.p);
    assert_null(e.channel.id.p);
    assert_int_equal(e.arg_count, 0);
    assert_int_equal(e.cause, -1);
    ari_event_free(&e);
}

static void test_wrong_kinds_and_missing_ids(void **state)
{
    (void)state;
    assert_refused("{}", "without a type");
    assert_refused("{\"type\":5}", "without a type");
    assert_refused("{\"type\":\"\"}", "without a type");
    assert_refused("[{\"type\":\"StasisEnd\"}]", "no object");
    assert_refused("\"StasisStart\"", "no object");
    assert_refused("{\"type\":\"StasisStart\"}", "StasisStart without a channel id");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{}}", "channel id");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"\"}}", "channel id");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":\"c1\"}", "StasisStart: \"channel\" is not an object");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":1}}", "\"id\" is not a string");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\",\"caller\":[]}}", "\"caller\" is not an object");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\",\"dialplan\":{\"priority\":1.5}}}", "whole number");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\"},\"args\":{}}", "\"args\" is not an array");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\"},\"args\":[\"a\",1]}", "array of strings");
    assert_refused("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\"},\"application\":1}", "\"application\"");
    assert_refused("{\"type\":\"ChannelDestroyed\",\"channel\":{\"id\":\"c\"},\"cause\":1e300}",
                   "\"cause\" is not a whole number");
    assert_refused("{\"type\":\"ChannelDtmfReceived\",\"channel\":{\"id\":\"c\"}}", "single digit");
    assert_refused("{\"type\":\"ChannelDtmfReceived\",\"channel\":{\"id\":\"c\"},\"digit\":\"12\"}", "single digit");
    assert_refused("{\"type\":\"ChannelEnteredBridge\",\"channel\":{\"id\":\"c\"}}", "bridge id");
    assert_refused("{\"type\":\"BridgeDestroyed\",\"bridge\":{\"id\":7}}", "\"id\" is not a string");
}

static void test_what_is_no_json(void **state)
{
    static const char *const rows[] = {
        "",
        "   ",
        "{",
        "{\"type\":\"X\"",
        "{\"type\":\"X\"}}",
        "{\"type\":\"X\"} x",
        "{'type':'X'}",
        "{\"type\":\"X\",}",
        "nul",
        "tru",
        "{\"a\" 1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "[1,]",
        "[,]",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\",
        "\xef\xbb\xbf{}",
        "{\"a\":NaN}",
        "{1:2}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":1111111111111111111111111111111111111111111111111111111111111111}",
        "<html>",
        "\"",
        "\"abc",
        "{\"a\":\"\\u00",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i], "an event that cannot be read: ");
    assert_refused_n("{\"a\0\":1}", 8, "control byte");
    assert_refused_n("{}\0", 3, "something follows");
    assert_refused_n(NULL, 0, "cannot be read");
}

static void test_surrogates_and_all_of_json(void **state)
{
    struct ari_event e =
        parse("\r\n\t{ \"type\" : \"X\" , \"application\":\"\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\" , \"n\":[ ] , \"o\":{ } ,"
              "\"v\":[0,-0.5e+10,1E-2,true,false,null,[[]],{\"\":{}}]}");

    (void)state;
    assert_text(e.application, "\xf0\x9f\x98\x80/\b\f\n\r\t\\");
    ari_event_free(&e);
}

static void nest(char *out, unsigned depth)
{
    strcpy(out, "{\"type\":\"X\",\"d\":");
    for (unsigned i = 1; i < depth; i++)
        strcat(out, "[");
    for (unsigned i = 1; i < depth; i++)
        strcat(out, "]");
    if (depth == 1)
        strcat(out, "0");
    strcat(out, "}");
}

static void test_depth_and_size_have_ceilings(void **state)
{
    char json[400];
    struct ari_event e;
    char *big;

    (void)state;
    nest(json, 32);
    e = parse(json);
    ari_event_free(&e);
    nest(json, 33);
    assert_refused(json, "deeper than 32");

    big = malloc((1 << 20) + 2);
    assert_non_null(big);
    memset(big, ' ', (1 << 20) + 1);
    memcpy(big, "{\"type\":\"X\"}", 12);
    assert_int_equal(ari_event_parse(&e, text_make(big, 1 << 20)), 0);
    ari_event_free(&e);
    assert_refused_n(big, (1 << 20) + 1, "longer than 1 MiB");
    memset(big, '[', 1 << 20);
    assert_refused_n(big, 1 << 20, "deeper than 32");
    free(big);
}

static void test_arguments_past_the_last_are_dropped(void **state)
{
    struct ari_event e =
        parse("{\"type\":\"StasisStart\",\"channel\":{\"id\":\"c\"},\"args\":[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
              "\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}");

    (void)state;
    assert_int_equal(e.arg_count, ARI_ARGS_MAX);
    assert_text(e.args[15], "15");
    ari_event_free(&e);
}

/* No prefix of an event is an event; each is copied so that a checker sees reads past its end. */
static void test_every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof start - 1; n++) {
        char *cut = malloc(n ? n : 1);

        assert_non_null(cut);
        memcpy(cut, start, n);
        assert_refused_n(cut, n, "cannot be read");
        free(cut);
    }
}

static void assert_list(char **list, size_t n, const char *first)
{
    size_t have = 0;

    while (list[have])
        have++;
    assert_int_equal(have, n);
    if (n)
        assert_string_equal(list[0], first);
}

static void test_lists(void **state)
{
    static const char app[] = "{\"name\":\"sidetone\",\"channel_ids\":[\"c1\",\"c2\"],\"bridge_ids\":[],\"endpoint_ids\":[],"
                              "\"device_names\":[],\"events_allowed\":[],\"events_disallowed\":[]}";
    char **a = NULL, **b = NULL;

    (void)state;
    assert_int_equal(ari_application_parse(text_of(app), &a, &b), 0);
    assert_list(a, 2, "c1");
    assert_string_equal(a[1], "c2");
    assert_list(b, 0, NULL);
    ari_list_free(a);
    ari_list_free(b);
    a = b = NULL;
    assert_int_equal(ari_application_parse(TEXT("{\"channel_ids\":[\"c\"],\"bridge_ids\":[1]}"), &a, &b), -EPROTO);
    assert_int_equal(ari_application_parse(TEXT("{\"channel_ids\":[\"c\"]}"), &a, &b), -EPROTO);
    assert_int_equal(ari_application_parse(TEXT("{\"channel_ids\":\"c\",\"bridge_ids\":[]}"), &a, &b), -EPROTO);
    assert_int_equal(ari_application_parse(TEXT("[]"), &a, &b), -EPROTO);
    assert_int_equal(ari_application_parse(TEXT("nope"), &a, &b), -EPROTO);
    assert_null(a);
    assert_null(b);
    assert_int_equal(ari_ids_parse(TEXT("[{\"id\":\"b1\",\"x\":[]},{\"y\":1,\"id\":\"b2\"}]"), &a), 0);
    assert_list(a, 2, "b1");
    ari_list_free(a);
    assert_int_equal(ari_ids_parse(TEXT("[]"), &a), 0);
    assert_list(a, 0, NULL);
    ari_list_free(a);
    a = NULL;
    assert_int_equal(ari_ids_parse(TEXT("[\"b1\"]"), &a), -EPROTO);
    assert_int_equal(ari_ids_parse(TEXT("[{\"id\":\"\"}]"), &a), -EPROTO);
    assert_int_equal(ari_ids_parse(TEXT("[{}]"), &a), -EPROTO);
    assert_int_equal(ari_ids_parse(TEXT("{\"id\":\"b\"}"), &a), -EPROTO);
    assert_null(a);
    ari_list_free(NULL);
}

static void test_error_text(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(ari_error_text(TEXT("{\"message\":\"Not found\",\"error\":\"x\"}"), out, sizeof out), 9);
    assert_string_equal(out, "Not found");
    assert_int_equal(ari_error_text(TEXT("{\"error\":\"a reason that is too long\"}"), out, sizeof out), 15);
    assert_string_equal(out, "a reason that i");
    assert_int_equal(ari_error_text(TEXT("{\"message\":5}"), out, sizeof out), 0);
    assert_string_equal(out, "");
    assert_int_equal(ari_error_text(TEXT("<html>"), out, sizeof out), 0);
    assert_int_equal(ari_error_text(TEXT_NONE, out, sizeof out), 0);
}

/* cJSON allocates outside our reach; what we allocate ourselves fails here. */
static void test_lists_survive_every_failing_allocation(void **state)
{
    char **a = NULL, **b = NULL;
    long n;

    (void)state;
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = ari_application_parse(TEXT("{\"channel_ids\":[\"c1\",\"c2\"],\"bridge_ids\":[\"b\"]}"), &a, &b);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(a);
        assert_null(b);
    }
    assert_int_equal(n, 6);
    ari_list_free(a);
    ari_list_free(b);
}

static void test_requests_over_the_websocket(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, ARI_REQUEST_MAX);
    assert_int_equal(ari_request_write(&b, 18446744073709551615u, "POST", "channels/a%3B2/x?y=\"", TEXT("{\"a\":\"\\n\"}")), 0);
    assert_string_equal(buf_cstr(&b), "{\"type\":\"RESTRequest\",\"request_id\":\"18446744073709551615\",\"method\":\"POST\",\"uri\":\"channels/a%3B2/x?y=\\\"\","
                                      "\"content_type\":\"application/json\",\"message_body\":\"{\\\"a\\\":\\\"\\\\n\\\"}\"}");
    buf_clear(&b);
    assert_int_equal(ari_request_write(&b, 1, "GET", "asterisk/ping", TEXT_NONE), 0);
    assert_string_equal(buf_cstr(&b), "{\"type\":\"RESTRequest\",\"request_id\":\"1\",\"method\":\"GET\",\"uri\":\"asterisk/ping\"}");
    buf_free(&b);
    buf_init(&b, 40);
    assert_int_equal(ari_request_write(&b, 1, "GET", "asterisk/ping", TEXT_NONE), -ENOBUFS);
    buf_free(&b);
}

#define PONG "{\"type\":\"RESTResponse\",\"request_id\":\"7\",\"status_code\":200,\"message_body\":\"{\\\"ping\\\":1}\"}"

static void test_answers_over_the_websocket(void **state)
{
    static const struct {
        const char *json;
        int err, status;
        uint64_t id;
    } rows[] = {
        { PONG, 0, 200, 7 },
        { "{\"request_id\":\"9\",\"status_code\":204,\"type\":\"RESTResponse\"}", 0, 204, 9 },
        { "{\"type\":\"RESTResponse\",\"status_code\":400,\"request_id\":\"\"}", 0, 400, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":400,\"request_id\":\"x1\"}", 0, 400, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":400,\"request_id\":\"-4\"}", 0, 400, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":400,\"request_id\":4}", 0, 400, 0 },
        { "{\"type\":\"RESTResponse\",\"request_id\":\"7\"}", -EPROTO, 0, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":\"200\"}", -EPROTO, 0, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":600}", -EPROTO, 0, 0 },
        { "{\"type\":\"RESTResponse\",\"status_code\":1e99}", -EPROTO, 0, 0 },
        { "{\"type\":\"StasisEnd\",\"channel\":{\"id\":\"RESTResponse\"}}", -ENOENT, 0, 0 },
        { "{\"type\":\"StasisEnd\"}", -ENOENT, 0, 0 },
        { "[\"RESTResponse\"]", -ENOENT, 0, 0 },
        { "\"RESTResponse\"", -ENOENT, 0, 0 },
        { "{\"type\":\"RESTResponse\",", -EPROTO, 0, 0 },
        { "", -ENOENT, 0, 0 },
    };
    struct ari_response r;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ari_response_parse(&r, text_of(rows[i].json)), rows[i].err);
        if (rows[i].err)
            continue;
        assert_int_equal(r.status, rows[i].status);
        assert_int_equal(r.id, rows[i].id);
        ari_response_free(&r);
    }
    assert_int_equal(ari_response_parse(&r, text_of(PONG)), 0);
    assert_true(text_eq(r.body, TEXT("{\"ping\":1}")));
    ari_response_free(&r);
    for (size_t n = 0; n + 1 < sizeof PONG - 1; n++)  /* cut anywhere: never an answer */
        assert_int_not_equal(ari_response_parse(&r, text_head(text_of(PONG), n)), 0);
}

/* Events are at most 1 MiB; an answer may be a list of ten thousand channels. */
static void test_a_long_answer(void **state)
{
    const size_t many = 40000;
    struct ari_response r;
    char **ids = NULL;
    struct buf list, message;
    size_t n = 0;

    (void)state;
    buf_init(&list, 1 << 24);
    buf_init(&message, 1 << 24);
    for (size_t i = 0; i < many; i++)
        buf_addf(&list, "%s{\"id\":\"channel-with-a-long-name-%zu\"}", i ? "," : "[", i);
    buf_add_char(&list, ']');
    assert_true(list.n > 1 << 20);
    buf_add_text(&message, TEXT("{\"type\":\"RESTResponse\",\"request_id\":\"1\",\"status_code\":200,\"message_body\":\""));
    buf_add_json(&message, buf_text(&list));
    buf_add_text(&message, TEXT("\"}"));
    assert_int_equal(ari_response_parse(&r, buf_text(&message)), 0);
    assert_true(text_eq(r.body, buf_text(&list)));
    assert_int_equal(ari_ids_parse(r.body, &ids), 0);
    while (ids[n])
        n++;
    assert_int_equal(n, many);
    ari_list_free(ids);
    ari_response_free(&r);
    buf_free(&list);
    buf_free(&message);
}

static void test_applications(void **state)
{
    static const char json[] = "[{\"name\":\"other\",\"channel_ids\":[\"0\"]},{\"name\":\"app\",\"channel_ids\":[\"1\",\"2\"]},"
                               "{\"name\":\"app:PJSIP/a-1\",\"channel_ids\":[\"3\"]},{\"name\":\"apple\",\"channel_ids\":[\"4\"]},"
                               "{\"name\":\"app:x\",\"channel_ids\":[]}]";
    char **ids = NULL;
    long n;

    (void)state;
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = ari_applications_parse(text_of(json), TEXT("app"), &ids);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_null(ids);
    }
    assert_true(n > 6);
    assert_string_equal(ids[0], "1");
    assert_string_equal(ids[1], "2");
    assert_string_equal(ids[2], "3");
    assert_null(ids[3]);
    ari_list_free(ids);
    assert_int_equal(ari_applications_parse(TEXT("[]"), TEXT("app"), &ids), 0);
    assert_null(ids[0]);
    ari_list_free(ids);
    assert_int_equal(ari_applications_parse(TEXT("{}"), TEXT("app"), &ids), -EPROTO);
    assert_int_equal(ari_applications_parse(TEXT("[{\"name\":\"app\"}]"), TEXT("app"), &ids), -EPROTO);
    assert_int_equal(ari_applications_parse(TEXT("[7,{\"name\":\"app\",\"channel_ids\":[7]}]"), TEXT("app"), &ids), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stasis_start),
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_null_is_absent_and_first_of_a_name_counts),
        cmocka_unit_test(test_unknown_types_are_read_leniently),
        cmocka_unit_test(test_wrong_kinds_and_missing_ids),
        cmocka_unit_test(test_what_is_no_json),
        cmocka_unit_test(test_surrogates_and_all_of_json),
        cmocka_unit_test(test_depth_and_size_have_ceilings),
        cmocka_unit_test(test_arguments_past_the_last_are_dropped),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_requests_over_the_websocket),
        cmocka_unit_test(test_answers_over_the_websocket),
        cmocka_unit_test(test_a_long_answer),
        cmocka_unit_test(test_applications),
        cmocka_unit_test(test_lists_survive_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
