/* rtp.c: heads read and written, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "wire/rtp.h"

/* As captured from Asterisk, with two bytes of sound. */
static const uint8_t seen[] = { 0x80, 0x00, 0x75, 0x99, 0, 0, 0, 0xa0, 0x28, 0xdd, 0x00, 0x3e, 0x7f, 0xff };

static void reads_what_asterisk_sends(void **state)
{
    struct rtp_packet p;
    const char *why;

    (void)state;
    assert_int_equal(rtp_parse(&p, seen, sizeof seen, &why), 0);
    assert_int_equal(p.type, RTP_ULAW);
    assert_false(p.has_marker);
    assert_int_equal(p.seq, 30105);
    assert_int_equal(p.timestamp, 160);
    assert_int_equal(p.ssrc, 0x28dd003e);
    assert_int_equal(p.n, 2);
    assert_ptr_equal(p.payload, seen + 12);
}

static void skips_sources_extension_and_padding(void **state)
{
    const uint8_t all[] = { 0xb2, 0xf6, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1, 1, 1, 2, 2, 2, 2, 0xbe, 0xde, 0, 1, 9, 9, 9, 9, 'a', 'b', 'c', 0, 2 };
    struct rtp_packet p;
    const char *why;

    (void)state;
    assert_int_equal(rtp_parse(&p, all, sizeof all, &why), 0);
    assert_int_equal(p.type, RTP_SLIN16);
    assert_true(p.has_marker);
    assert_int_equal(p.n, 3);
    assert_memory_equal(p.payload, "abc", 3);
    for (size_t n = 0; n < 28; n++) {  /* cut anywhere before the payload */
        uint8_t *cut = malloc(n ? n : 1);

        memcpy(cut, all, n);
        why = NULL;
        assert_int_equal(rtp_parse(&p, cut, n, &why), -EPROTO);
        assert_non_null(why);
        free(cut);
    }
}

static void refuses_false_padding_and_version(void **state)
{
    uint8_t b[sizeof seen];
    struct rtp_packet p;
    const char *why;

    (void)state;
    memcpy(b, seen, sizeof b);
    b[0] = 0xa0;
    b[13] = 0;
    assert_int_equal(rtp_parse(&p, b, sizeof b, &why), -EPROTO);
    b[13] = 3;
    assert_int_equal(rtp_parse(&p, b, sizeof b, &why), -EPROTO);
    b[13] = 2;
    assert_int_equal(rtp_parse(&p, b, sizeof b, &why), 0);
    assert_int_equal(p.n, 0);
    b[0] = 0x40;
    assert_int_equal(rtp_parse(&p, b, sizeof b, &why), -EPROTO);
}

static void writes_what_it_reads(void **state)
{
    struct rtp_packet p, q = { .type = 118, .has_marker = true, .seq = 65535, .timestamp = 0xfffefdfc, .ssrc = 0x81828384 };
    uint8_t b[RTP_HEAD];
    const char *why;

    (void)state;
    rtp_put_head(b, &q);
    assert_int_equal(rtp_parse(&p, b, sizeof b, &why), 0);
    assert_int_equal(p.type, 118);
    assert_true(p.has_marker);
    assert_int_equal(p.seq, 65535);
    assert_int_equal(p.timestamp, 0xfffefdfc);
    assert_int_equal(p.ssrc, 0x81828384);
}

static void numbers_wrap(void **state)
{
    (void)state;
    assert_int_equal(rtp_seq_diff(65535, 0), 1);
    assert_int_equal(rtp_seq_diff(0, 65535), -1);
    assert_int_equal(rtp_seq_diff(10, 10), 0);
}

static void events(void **state)
{
    struct rtp_event e;

    (void)state;
    assert_int_equal(rtp_event_parse(&e, (const uint8_t[]){ 11, 0x8a, 3, 0x20 }, 4), 0);
    assert_int_equal(e.digit, '#');
    assert_true(e.is_end);
    assert_int_equal(e.duration, 800);
    assert_int_equal(rtp_event_parse(&e, (const uint8_t[]){ 16, 0, 0, 0 }, 4), 0);
    assert_int_equal(e.digit, '\0');
    assert_int_equal(rtp_event_parse(&e, (const uint8_t[]){ 1, 0, 0 }, 3), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_asterisk_sends), cmocka_unit_test(skips_sources_extension_and_padding),
        cmocka_unit_test(refuses_false_padding_and_version), cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(numbers_wrap),
        cmocka_unit_test(events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
