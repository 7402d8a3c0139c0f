/* Events in one block: made from messages and from pairs, found again by number and by name. */
#include "tap/event.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"

static struct tap_event *event_from(const char *wire, enum tap_kind kind)
{
    struct ami_reader r;
    struct ami_message m;
    struct text in = text_of(wire);
    struct tap_event *e = NULL;

    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    assert_int_equal(m.kind, AMI_BANNER);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    assert_int_equal(tap_event_of(&e, kind, &m), 0);
    ami_reader_free(&r);
    return e;
}

static void assert_text(struct text t, const char *expected)
{
    assert_int_equal(t.n, strlen(expected));
    assert_memory_equal(t.p, expected, t.n);
}

#define HANGUP "Asterisk Call Manager/11.0.0\r\nEvent: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1795378410.343314\r\n" \
               "UniqueID: a-1.2\r\nX-Shop: 7\r\nCause: 17\r\nCause-txt: User busy\r\n"

static void every_name_finds_itself(void **state)
{
    (void)state;
    for (int h = TAP_H_OTHER + 1; h < TAP_HEADERS_END; h++)
        assert_int_equal(tap_header_of(tap_header_text((enum tap_header)h)), h);
    for (int n = TAP_E_OTHER + 1; n < TAP_EVENTS_END; n++)
        assert_int_equal(tap_name_of(tap_name_text((enum tap_name)n)), n);
    assert_int_equal(tap_header_of(TEXT("uniqueID")), TAP_H_UNIQUEID);
    assert_int_equal(tap_header_of(TEXT("")), TAP_H_OTHER);
    assert_int_equal(tap_header_of(TEXT("Uniqueidx")), TAP_H_OTHER);
    assert_int_equal(tap_name_of(TEXT("HANGUP")), TAP_E_HANGUP);
}

static void message_becomes_event(void **state)
{
    struct tap_event *e = event_from(HANGUP "\r\n", TAP_EVENT);
    struct text name, value;

    (void)state;
    assert_int_equal(e->name, TAP_E_HANGUP);
    assert_int_equal(e->emit_us, 1795378410343314);
    assert_int_equal(e->flags, 0);
    assert_int_equal(e->count, 7);
    assert_text(tap_get(e, TAP_H_UNIQUEID), "a-1.2");
    assert_text(tap_get(e, TAP_H_CAUSE_TXT), "User busy");
    assert_text(tap_get_named(e, TEXT("x-shop")), "7");
    assert_null(tap_get(e, TAP_H_LINKEDID).p);
    assert_null(tap_get_named(e, TEXT("X-Shops")).p);
    assert_true(tap_at(e, 4, &name, &value));
    assert_text(name, "X-Shop");
    assert_false(tap_at(e, 7, &name, &value));
    tap_event_free(e);
}

/* The names' numbers come of the reader's hash; however the bytes came, and whatever case the names are in. */
static void pieces_make_the_same_event(void **state)
{
    static const char wire[] = "Asterisk Call Manager/11.0.0\r\n" "event: Hangup\r\n\r\n"
                               "Event: Hangup\r\nPRIVILEGE: call,all\r\nTimestamp: 1795378410.343314\r\nodd\r\nuniqueid: a\r\nC: \r\nX: 1\r\n"
                               "LocalTwoConnectedLineName: Carol\r\nlocaltwoconnectedlinename: Eve\r\nLocalTwoConnectedLineNamf: 1\r\n\r\n";

    (void)state;
    for (size_t piece = 1; piece <= sizeof wire; piece++) {
        struct text all = text_make(wire, sizeof wire - 1);
        struct ami_reader r;
        struct ami_message m;
        struct tap_event *e = NULL;

        ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
        while (all.n > 0) {
            struct text in = text_head(all, piece);

            all = text_skip(all, piece);
            while (ami_read(&r, &in, &m) == 1)
                if (m.kind == AMI_EVENT)
                    assert_int_equal(tap_event_of(&e, TAP_EVENT, &m), 0);
        }
        assert_non_null(e);
        assert_int_equal(e->flags, TAP_SUSPECT);
        assert_int_equal(e->count, 9);
        assert_int_equal(e->emit_us, 1795378410343314);
        assert_int_equal(e->name, TAP_E_HANGUP);
        assert_text(tap_get(e, TAP_H_PRIVILEGE), "call,all");
        assert_text(tap_get(e, TAP_H_UNIQUEID), "a");
        assert_text(tap_get(e, TAP_H_LOCALTWOCONNECTEDLINENAME), "Carol");
        assert_text(tap_get_named(e, TEXT("LocalTwoConnectedLineNamf")), "1");
        assert_text(tap_get_named(e, TEXT("c")), "");
        assert_text(tap_get_named(e, TEXT("x")), "1");
        tap_event_free(e);
        ami_reader_free(&r);
    }
}

static void repeated_header_is_suspect_and_the_first_wins(void **state)
{
    struct tap_event *e = event_from(HANGUP "Cause: 16\r\n\r\n", TAP_EVENT);

    (void)state;
    assert_int_equal(e->flags, TAP_SUSPECT);
    assert_text(tap_get(e, TAP_H_CAUSE), "17");
    tap_event_free(e);
}

static void note_is_made_from_pairs(void **state)
{
    struct tap_event *e = NULL;
    const struct tap_pair pairs[] = { { TEXT("Reason"), TEXT("connection reset") }, { TEXT("Odd"), TEXT("") } };

    (void)state;
    assert_int_equal(tap_event_new(&e, TAP_DOWN, TEXT_NONE, pairs, 2), 0);
    assert_int_equal(e->kind, TAP_DOWN);
    assert_int_equal(e->name, TAP_E_OTHER);
    assert_int_equal(e->emit_us, TAP_NO_TIME);
    assert_text(tap_event_name(e), "");
    assert_text(tap_get(e, TAP_H_REASON), "connection reset");
    assert_text(tap_get_named(e, TEXT("odd")), "");
    tap_event_free(e);
    assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("Hold"), NULL, 0), 0);
    assert_text(tap_event_name(e), "Hold");
    assert_int_equal(e->name, TAP_E_HOLD);
    tap_event_free(e);
}

static void only_asterisks_form_is_a_time(void **state)
{
    static const char *const bad[] = { "", ".", "1", "1.5", "1.1234567", "x.123456", "1.12345x", "-1.123456", "1.-12345",
                                       "99999999999999999999.123456", "9223372036854775.123456" };

    (void)state;
    assert_int_equal(tap_time_of(text_of("0.000001")), 1);
    assert_int_equal(tap_time_of(TEXT_NONE), TAP_NO_TIME);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tap_time_of(text_of(bad[i])), TAP_NO_TIME);
}

static void no_memory_is_told(void **state)
{
    struct tap_event *e = NULL;

    (void)state;
    fail_alloc_at(1);
    assert_int_equal(tap_event_new(&e, TAP_UP, TEXT_NONE, NULL, 0), -ENOMEM);
    fail_alloc_off();
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_finds_itself), cmocka_unit_test(message_becomes_event), cmocka_unit_test(pieces_make_the_same_event),
        cmocka_unit_test(repeated_header_is_suspect_and_the_first_wins), cmocka_unit_test(note_is_made_from_pairs),
        cmocka_unit_test(only_asterisks_form_is_a_time), cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
