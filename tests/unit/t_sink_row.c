/* Rows as JSON, keys, the set of keys, and texts without secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"
#include "sink/sink_parts.h"

static const struct sink_row fact = { .id = 7, .node = "pbx1", .kind = "call.ended", .call = "17.1", .detail = "{\"a\":1}", .session = 1700000000000001,
                                      .at_us = 1700000000123456, .seq = 42, .n = 3 };

static void test_a_row_is_one_line(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(sink_row_json(&b, &fact), 0);
    assert_string_equal(buf_cstr(&b), "{\"key\":\"pbx1/1700000000000001/42/3\",\"id\":7,\"type\":\"fact\",\"node\":\"pbx1\",\"session\":1700000000000001,"
                                      "\"seq\":42,\"n\":3,\"at\":\"2023-11-14T22:13:20.123Z\",\"at_us\":1700000000123456,\"kind\":\"call.ended\","
                                      "\"call\":\"17.1\",\"detail\":{\"a\":1}}");
    buf_free(&b);
}

static void test_hostile_text_stays_inside_its_place(void **state)
{
    struct sink_row row = fact;
    struct buf b;

    (void)state;
    row.node = "a/b \n\"\xff";
    row.kind = "k\",\"id\":9";
    row.call = "\x01\xc3\x28\"";
    row.detail = "{\"a\":\"b\"\n,\r\n\"c\":1}";
    row.is_event = true;
    buf_init(&b, 4096);
    assert_int_equal(sink_row_json(&b, &row), 0);
    assert_string_equal(buf_cstr(&b), "{\"key\":\"a%2Fb%20%0A%22%FF/1700000000000001/42/e\",\"id\":7,\"type\":\"event\",\"node\":\"a/b \\n\\\"\xef\xbf\xbd\","
                                      "\"session\":1700000000000001,\"seq\":42,\"n\":3,\"at\":\"2023-11-14T22:13:20.123Z\",\"at_us\":1700000000123456,"
                                      "\"kind\":\"k\\\",\\\"id\\\":9\",\"call\":\"\\u0001\xef\xbf\xbd(\\\"\",\"detail\":{\"a\":\"b\" ,  \"c\":1}}");
    row.detail = "not an object";
    buf_clear(&b);
    assert_int_equal(sink_row_json(&b, &row), 0);
    assert_non_null(strstr(buf_cstr(&b), "\"detail\":{}}"));
    buf_free(&b);
}

static void test_headers_that_come_again_turn_into_an_array(void **state)
{
    const struct tap_pair pairs[] = { { TEXT("Event"), TEXT("X") }, { TEXT("Variable"), TEXT("a") }, { TEXT("Uniqueid"), TEXT("1\"\xff") },
                                      { TEXT("variable"), TEXT("b") }, { TEXT("Variable"), TEXT("") } };
    struct tap_event *e;
    struct buf b;

    (void)state;
    assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("X"), pairs, 5), 0);
    buf_init(&b, 4096);
    assert_int_equal(sink_event_json(&b, e), 0);
    assert_non_null(strstr(buf_cstr(&b), "\"Variable\":[\"a\",\"b\",\"\"]"));
    assert_non_null(strstr(b.p, "\"Uniqueid\":\"1\\\"\xef\xbf\xbd\""));
    assert_null(strstr(b.p, "\"variable\""));
    buf_free(&b);
    tap_event_free(e);
}

static void test_every_ceiling_is_an_error(void **state)
{
    (void)state;
    for (size_t max = 1; max < 250; max++) {
        struct buf b;

        buf_init(&b, max);
        sink_row_json(&b, &fact);
        assert_true(b.n <= max);
        if (max < 200)
            assert_int_equal(b.err, -ENOBUFS);
        buf_free(&b);
    }
}

static void test_the_set_of_keys(void **state)
{
    struct sink_seen seen = { 0 };
    struct sink_row row = fact;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_false(sink_seen_has(&seen, &row));
    row.node = "odd \"/node";
    for (unsigned i = 0; i < 1000; i += 2) {
        row.seq = i;
        buf_clear(&b);
        assert_int_equal(sink_row_json(&b, &row), 0);
        assert_int_equal(sink_seen_add_line(&seen, buf_text(&b)), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        row.seq = i;
        assert_int_equal(sink_seen_has(&seen, &row), i % 2 == 0);
    }
    row.seq = 2;
    row.n = 9;
    assert_false(sink_seen_has(&seen, &row));
    row.n = 3;
    row.is_event = true;
    assert_false(sink_seen_has(&seen, &row));
    row.is_event = false;
    row.node = "other";
    assert_false(sink_seen_has(&seen, &row));
    assert_int_equal(sink_seen_add_key(&seen, TEXT("other/1700000000000001/2/3")), 0);
    assert_true(sink_seen_has(&seen, &row));
    row.is_event = true;
    assert_int_equal(sink_seen_add_key(&seen, TEXT("other/1700000000000001/2/e")), 0);
    assert_true(sink_seen_has(&seen, &row));
    buf_free(&b);
    sink_seen_free(&seen);
}

static void test_what_is_no_key_is_passed_over(void **state)
{
    static const char *const lines[] = { "", "{", "{\"key\":\"", "{\"key\":\"a/b/c/d\"}", "{\"key\":\"a/1/2\"}", "{\"key\":\"a/1/2/-1\"}",
                                         "{\"key\":\"a/1/2/99999999999\"}", "garbage \xff", "{\"key\":\"a/1/2/3" };
    struct sink_seen seen = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(sink_seen_add_line(&seen, text_of(lines[i])), 0);
    assert_int_equal(seen.count, 0);
    sink_seen_free(&seen);
}

static void test_the_youngest_keys_stay(void **state)
{
    struct sink_seen seen = { 0 };
    struct sink_row row = fact;
    char key[64];

    (void)state;
    for (unsigned i = 0; i < SINK_SEEN_MAX + 100; i++) {
        snprintf(key, sizeof key, "n/1/%u/0", i);
        assert_int_equal(sink_seen_add_key(&seen, text_of(key)), 0);
    }
    assert_int_equal(seen.count, SINK_SEEN_MAX);
    row.node = "n";
    row.session = 1;
    row.n = 0;
    row.seq = SINK_SEEN_MAX + 99;
    assert_true(sink_seen_has(&seen, &row));
    row.seq = 100;
    assert_true(sink_seen_has(&seen, &row));
    row.seq = 99;
    assert_false(sink_seen_has(&seen, &row));
    sink_seen_free(&seen);
}

static void test_secrets_are_starred(void **state)
{
    const struct sink_settings set = { .secret = "s3cret word", .hmac_secret = "hm", .url = "postgres://me:u-r-l@host/db?token=abcdef" };
    char why[SINK_WHY];

    (void)state;
    snprintf(why, sizeof why, "no s3cret word, s3cret%%20word; me:u-r-l@host ?token=abcdef\n");
    sink_why_clean(why, &set);
    assert_string_equal(why, "no ***, ***; me:***@host ?***");
    /* A text cut at its end within the secret. */
    memset(why, 'x', sizeof why - 1);
    memcpy(why + sizeof why - 1 - 5, "s3cre", 6);
    sink_why_clean(why, &set);
    assert_null(strstr(why, "s3cre"));
    assert_non_null(strstr(why, "***"));
}

static void test_memory_short(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct sink_batch b;
        struct sink_seen seen = { 0 };
        struct buf line;
        int err;

        fail_alloc_at(n);
        buf_init(&line, 4096);
        err = sink_batch_new(&b, 10, NULL, 0);
        if (!err)
            err = sink_row_json(&line, &fact);
        if (!err)
            err = sink_seen_add_line(&seen, buf_text(&line));
        const bool hit = fail_alloc_hit();

        fail_alloc_off();
        assert_int_equal(err, hit ? -ENOMEM : 0);
        sink_batch_free(&b);
        sink_seen_free(&seen);
        buf_free(&line);
        if (!hit)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_one_line),
        cmocka_unit_test(test_hostile_text_stays_inside_its_place),
        cmocka_unit_test(test_headers_that_come_again_turn_into_an_array),
        cmocka_unit_test(test_every_ceiling_is_an_error),
        cmocka_unit_test(test_the_set_of_keys),
        cmocka_unit_test(test_what_is_no_key_is_passed_over),
        cmocka_unit_test(test_the_youngest_keys_stay),
        cmocka_unit_test(test_secrets_are_starred),
        cmocka_unit_test(test_memory_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
