/* media_ws.c: what chan_websocket says, in both forms, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fail_alloc.h"
#include "wire/media_ws.h"

/* As captured from Asterisk 22.10.1. */
#define START_PLAIN                                                                                                          \
    "MEDIA_START connection_id:media1 channel:WebSocket/media1/0x7f6f70015160 channel_id:node1-1795374935.32 format:ulaw "  \
    "optimal_frame_size:160 ptime:20"
#define START_JSON                                                                                                           \
    "{\"event\":\"MEDIA_START\",\"connection_id\":\"m\",\"channel\":\"WebSocket/m/0x7\",\"channel_id\":\"1.2\",\"format\":\"slin16\"," \
    "\"optimal_frame_size\":640,\"ptime\":20,\"channel_variables\":{\"A\":\"b\"}}"

static struct media_ws_event good(const char *message)
{
    struct media_ws_event e;
    const char *why;

    assert_int_equal(media_ws_parse(&e, text_of(message), &why), 0);
    return e;
}

static void reads_the_beginning_in_both_forms(void **state)
{
    struct media_ws_event e = good(START_PLAIN);

    (void)state;
    assert_int_equal(e.kind, MEDIA_WS_START);
    assert_false(e.is_json);
    assert_string_equal(e.format, "ulaw");
    assert_int_equal(e.frame_bytes, 160);
    assert_int_equal(e.ptime_ms, 20);
    e = good(START_JSON);
    assert_int_equal(e.kind, MEDIA_WS_START);
    assert_true(e.is_json);
    assert_string_equal(e.format, "slin16");
    assert_int_equal(e.frame_bytes, 640);
}

static void reads_the_other_events(void **state)
{
    (void)state;
    assert_int_equal(good("DTMF_END digit:# channel_id:1.2").digit, '#');
    assert_int_equal(good("{\"event\":\"DTMF_END\",\"channel_id\":\"1.2\",\"digit\":\"7\"}").digit, '7');
    assert_int_equal(good("MEDIA_XOFF").kind, MEDIA_WS_XOFF);
    assert_int_equal(good("{\"event\":\"MEDIA_XON\"}").kind, MEDIA_WS_XON);
    assert_string_equal(good("MEDIA_MARK_PROCESSED 125").id, "125");
    assert_string_equal(good("MEDIA_MARK_PROCESSED").id, "");
    assert_string_equal(good("{\"event\":\"MEDIA_MARK_PROCESSED\",\"correlation_id\":\"7\"}").id, "7");
    assert_string_equal(good("ERROR channel_id:1.2 error_text:Unable to do\tthis: now\n").said, "Unable to do this: now");
    assert_string_equal(good("{\"event\":\"ERROR\",\"error_text\":\"no\"}").said, "no");
    assert_int_equal(good("QUEUE_DRAINED").kind, MEDIA_WS_OTHER);
    assert_int_equal(good("SOMETHING_NEW a:b").kind, MEDIA_WS_OTHER);
    assert_int_equal(good("{\"event\":\"STATUS\",\"queue_length\":1}").kind, MEDIA_WS_OTHER);
}

static void refuses_with_a_sentence(void **state)
{
    static const char *const bad[] = {
        "", " ", "{", "{}", "{\"event\":7}", "[1]x{", "DTMF_END", "DTMF_END digit:", "DTMF_END digit:12", "DTMF_END digit:x",
        "{\"event\":\"DTMF_END\",\"digit\":5}", "MEDIA_START", "MEDIA_START format:ulaw", "MEDIA_START format:ulaw optimal_frame_size:-1 ptime:20",
        "MEDIA_START format:ulaw optimal_frame_size:160 ptime:20x", "MEDIA_START format:ulaw optimal_frame_size:70000 ptime:20",
        "MEDIA_START format:\x06ulaw optimal_frame_size:160 ptime:20", "MEDIA_START format: optimal_frame_size:160 ptime:20", "MEDIA_START format:aformatoffartoolong optimal_frame_size:160 ptime:20",
        "{\"event\":\"MEDIA_START\",\"format\":\"ulaw\",\"optimal_frame_size\":1e99,\"ptime\":20}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct media_ws_event e = { .digit = 'q' };
        const char *why = NULL;
        const int err = media_ws_parse(&e, text_of(bad[i]), &why);

        if (i == 5) {
            assert_int_equal(err, 0); /* a plain word that we do not know */
            continue;
        }
        assert_int_equal(err, -EPROTO);
        assert_true(why && *why);
        assert_int_equal(e.digit, 'q');
    }
}

/* Each beginning of a message is an ordinary result, and reads nothing behind its end. */
static void every_cut_is_an_ordinary_result(void **state)
{
    static const char *const whole[] = { START_PLAIN, START_JSON, "ERROR channel_id:1 error_text:x y", "MEDIA_MARK_PROCESSED 12345" };

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        for (size_t n = 0; n <= strlen(whole[i]); n++) {
            char *copy = malloc(n ? n : 1);
            struct media_ws_event e;
            const char *why = NULL;
            int err;

            assert_non_null(copy);
            memcpy(copy, whole[i], n);
            err = media_ws_parse(&e, text_make(copy, n), &why);
            assert_true(err == 0 || (err == -EPROTO && why && *why));
            free(copy);
        }
}

static void writes_both_forms(void **state)
{
    char out[MEDIA_WS_COMMAND_MAX];

    (void)state;
    assert_int_equal(media_ws_put(out, false, MEDIA_WS_SAY_FLUSH, NULL), strlen("FLUSH_MEDIA"));
    assert_string_equal(out, "FLUSH_MEDIA");
    media_ws_put(out, false, MEDIA_WS_SAY_MARK, "25");
    assert_string_equal(out, "MARK_MEDIA 25");
    media_ws_put(out, true, MEDIA_WS_SAY_MARK, "25");
    assert_string_equal(out, "{\"command\":\"MARK_MEDIA\",\"correlation_id\":\"25\"}");
    assert_int_equal(media_ws_put(out, true, MEDIA_WS_SAY_BUFFER, NULL), strlen("{\"command\":\"START_MEDIA_BUFFERING\"}"));
    assert_string_equal(out, "{\"command\":\"START_MEDIA_BUFFERING\"}");
}

static void without_memory_nothing_is_said(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct media_ws_event e = { .digit = 'q' };
        const char *why;
        int err;

        fail_alloc_at(n);
        err = media_ws_parse(&e, text_of(START_JSON), &why);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(e.digit, 'q');
    }
    fail_alloc_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_beginning_in_both_forms), cmocka_unit_test(reads_the_other_events),
        cmocka_unit_test(refuses_with_a_sentence),           cmocka_unit_test(every_cut_is_an_ordinary_result),
        cmocka_unit_test(writes_both_forms),                 cmocka_unit_test(without_memory_nothing_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
