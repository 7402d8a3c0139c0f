/* ami.c, ami_write.c, md5.c: messages whole and cut at every byte, forged ones, ceilings, and what may not be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "fail_alloc.h"
#include "wire/ami.h"
#include "wire/md5.h"

#define BANNER "Asterisk Call Manager/11.0.0\r\n"

/* Everything that a stream gives, as text. piece 0: whole. */
static void run(struct buf *log, enum ami_side side, struct text in, size_t piece, size_t max)
{
    struct ami_reader r;
    struct ami_message m;
    int got = 0;

    ami_reader_init(&r, side, max);
    while (got >= 0 && in.n > 0) {
        struct text part = text_head(in, piece ? piece : in.n);

        in = text_skip(in, part.n);
        while ((got = ami_read(&r, &part, &m)) > 0) {
            struct text name, value;

            buf_addf(log, "<%d %.*s dup %zu odd %zu cut %d>", m.kind, TEXT_ARG(m.name), m.duplicates, m.odd, m.is_cut);
            for (size_t i = 0; ami_at(&m, i, &name, &value); i++)
                buf_addf(log, "%.*s=%.*s;", TEXT_ARG(name), TEXT_ARG(value));
        }
    }
    buf_addf(log, "|%d %d", got, (int)r.blanks);
    ami_reader_free(&r);
}

static void check(enum ami_side side, struct text in, size_t max, const char *wanted)
{
    struct buf whole, split;

    buf_init(&whole, 1 << 24);
    run(&whole, side, in, 0, max);
    if (wanted)
        assert_string_equal(buf_cstr(&whole), wanted);
    for (size_t piece = 1; piece < 9; piece++) {
        buf_init(&split, 1 << 24);
        run(&split, side, in, piece, max);
        assert_int_equal(split.n, whole.n);
        assert_memory_equal(split.p, whole.p, whole.n);
        buf_free(&split);
    }
    buf_free(&whole);
}

static void a_login_is_read(void **state)
{
    (void)state;
    check(AMI_FROM_ASTERISK, TEXT(BANNER "Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"
                                         "Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully: Booted\r\nEmpty: \r\n\r\n"), 0,
          "<0 Asterisk Call Manager/11.0.0 dup 0 odd 0 cut 0>"
          "<1 Success dup 0 odd 0 cut 0>Response=Success;ActionID=1;Message=Authentication accepted;"
          "<2 FullyBooted dup 0 odd 0 cut 0>Event=FullyBooted;Privilege=system,all;Status=Fully: Booted;Empty=;|0 0");
}

static void the_first_of_equal_names_wins(void **state)
{
    struct ami_reader r;
    struct ami_message m;
    struct text in = TEXT(BANNER "Event: Hangup\r\nUniqueid: 1\r\nuniqueID: 2\r\nOutput: a\r\nOutput: b\r\nno colon\r\n: no name\r\n\r\n"), value;
    size_t at = 0;

    (void)state;
    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    assert_int_equal(ami_read(&r, &in, &m), 1);
    assert_true(text_eq(ami_get(&m, TEXT("UNIQUEID")), TEXT("1")));
    assert_null(ami_get(&m, TEXT("Unique")).p);
    assert_int_equal(m.duplicates, 1); /* Output is repeated by Asterisk itself */
    assert_int_equal(m.odd, 2);
    assert_true(ami_next_of(&m, TEXT("output"), &at, &value) && text_eq(value, TEXT("a")));
    assert_true(ami_next_of(&m, TEXT("output"), &at, &value) && text_eq(value, TEXT("b")));
    assert_false(ami_next_of(&m, TEXT("output"), &at, &value));
    assert_int_equal(ami_read(&r, &in, &m), 0);
    ami_reader_free(&r);
}

static void a_broken_message_is_marked(void **state)
{
    (void)state;
    /* As seen from a caller number with CR LF (ami-streams: hostile-sip). */
    check(AMI_FROM_ASTERISK, TEXT(BANNER "Event: Newchannel\r\nCallerIDNum: 20\r\n\r\nEvent: Hangup\r\nCause: 16\r\n\r\n\r\n"
                                         "CallerIDName: x\r\nUniqueid: 7\r\n\r\n"), 0,
          "<0 Asterisk Call Manager/11.0.0 dup 0 odd 0 cut 0>"
          "<2 Newchannel dup 0 odd 0 cut 0>Event=Newchannel;CallerIDNum=20;<2 Hangup dup 0 odd 0 cut 0>Event=Hangup;Cause=16;"
          "<4 x dup 0 odd 0 cut 0>CallerIDName=x;Uniqueid=7;|0 1");
    check(AMI_FROM_ASTERISK, TEXT(BANNER "nonsense\r\nEvent: Hangup\r\n\r\n"), 0,
          "<0 Asterisk Call Manager/11.0.0 dup 0 odd 0 cut 0><4 Hangup dup 0 odd 1 cut 0>Event=Hangup;|0 0");
}

static void a_lone_line_feed_ends_nothing_from_asterisk(void **state)
{
    (void)state;
    check(AMI_FROM_ASTERISK, TEXT(BANNER "Event: A\r\nName: x\nEvent: B\n\nC: 1\r\n\r\n"), 0,
          "<0 Asterisk Call Manager/11.0.0 dup 0 odd 0 cut 0><2 A dup 0 odd 0 cut 0>Event=A;Name=x\nEvent: B\n\nC: 1;|0 0");
    check(AMI_FROM_CLIENT, TEXT("Action:   Ping\nActionID: 1\r\n\r\n\n"), 0, "<3 Ping dup 0 odd 0 cut 0>Action=Ping;ActionID=1;|0 1");
}

static void ceilings_cut_and_the_next_is_whole(void **state)
{
    struct buf in;

    (void)state;
    buf_init(&in, 1 << 24);
    buf_add_text(&in, TEXT(BANNER "Event: VarSet\r\nUniqueid: 1\r\nValue: "));
    for (int i = 0; i < 4000; i++)
        buf_add_char(&in, 'v');
    buf_add_text(&in, TEXT("\r\nLast: 1\r\n\r\nEvent: B\r\n\r\n"));
    check(AMI_FROM_ASTERISK, buf_text(&in), 1000,
          "<0 Asterisk Call Manager/11.0.0 dup 0 odd 0 cut 0><2 VarSet dup 0 odd 0 cut 1>Event=VarSet;Uniqueid=1;"
          "<2 B dup 0 odd 0 cut 0>Event=B;|0 0");
    buf_free(&in);
    buf_init(&in, 1 << 24);
    buf_add_text(&in, TEXT(BANNER "Event: X\r\n"));
    for (int i = 0; i < AMI_HEADERS_MAX + 5; i++)
        buf_addf(&in, "N%d: %d\r\n", i, i);
    buf_add_text(&in, TEXT("\r\n"));
    {
        struct ami_reader r;
        struct ami_message m;
        struct text bytes = buf_text(&in);

        ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
        assert_int_equal(ami_read(&r, &bytes, &m), 1);
        assert_int_equal(ami_read(&r, &bytes, &m), 1);
        assert_true(m.is_cut);
        assert_int_equal(m.count, AMI_HEADERS_MAX);
        assert_true(text_eq(ami_get(&m, TEXT("n8000")), TEXT("8000")));
        ami_reader_free(&r);
    }
    buf_free(&in);
}

/* What lies whole in one read is parsed where it lies, what comes in pieces is gathered first: byte by byte is the measure of all others. */
static void whole_and_gathered_messages_are_the_same(void **state)
{
    static const char *const bits[] = { "Event: Hangup\r\n", "Event: ", "Response: Success\r\n", "Uniqueid: 1.2\r\n", "uniqueID: 3\r\n", "Output: a:b\r\n",
                                        "\r\n", "\r\n\r\n", "\n", "\r", ":", ": x\r\n", "no colon here\r\n", "A:b\r\n", "LongerNameThanSixteen: v\r\n",
                                        "Value: 0123456789012345678901234567890123456789\r\n", "Channel: PJSIP/100-00000001\r\n", "\x3b\x39\xba: \xba\r\n" };
    uint32_t chance = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        const enum ami_side side = round % 4 ? AMI_FROM_ASTERISK : AMI_FROM_CLIENT;
        const size_t max = round % 3 ? 0 : 120;
        struct buf in, one, other;

        buf_init(&in, 1 << 20);
        buf_init(&one, 1 << 24);
        if (side == AMI_FROM_ASTERISK)
            buf_add_text(&in, TEXT(BANNER));
        for (int i = 0; i < 120; i++) {
            chance = chance * 1664525u + 1013904223u;
            buf_add_text(&in, text_of(bits[(chance >> 16) % (sizeof bits / sizeof *bits)]));
        }
        run(&one, side, buf_text(&in), 1, max);
        for (size_t piece = 0; piece < 700; piece += 1 + piece / 3) {
            buf_init(&other, 1 << 24);
            run(&other, side, buf_text(&in), piece, max);
            assert_int_equal(other.n, one.n);
            assert_memory_equal(other.p, one.p, one.n);
            buf_free(&other);
        }
        buf_free(&one);
        buf_free(&in);
    }
}

static void what_is_no_manager_port_is_an_error(void **state)
{
    struct ami_reader r;
    struct ami_message m;
    char junk[AMI_BANNER_MAX + 10] = "";
    struct text in = text_make(junk, sizeof junk), more = TEXT("\r\n");

    (void)state;
    memset(junk, 'x', sizeof junk);
    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    assert_int_equal(ami_read(&r, &in, &m), -EPROTO);
    assert_int_equal(ami_read(&r, &more, &m), -EPROTO);
    ami_reader_free(&r);
}

static int write_one(struct text name, struct text value)
{
    struct ami_writer w;
    struct text out;
    int err;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("AGI"));
    ami_write(&w, name, value);
    err = ami_writer_finish(&w, &out);
    ami_writer_free(&w);
    return err;
}

static void the_writer_refuses_what_would_inject(void **state)
{
    char line[AMI_LINE_MAX + 1];
    struct ami_writer w;
    struct text out;

    (void)state;
    memset(line, 'x', sizeof line);
    assert_int_equal(write_one(TEXT("Command"), TEXT("a\nb")), -EINVAL);
    assert_int_equal(write_one(TEXT("Command"), TEXT("a\rb")), -EINVAL);
    assert_int_equal(write_one(TEXT("Command"), TEXT("a\0b")), -EINVAL);
    assert_int_equal(write_one(TEXT("Com mand"), TEXT("a")), -EINVAL);
    assert_int_equal(write_one(TEXT("Com:"), TEXT("a")), -EINVAL);
    assert_int_equal(write_one(TEXT(""), TEXT("a")), -EINVAL);
    assert_int_equal(write_one(TEXT("Command"), text_make(line, AMI_LINE_MAX - 9)), 0);
    assert_int_equal(write_one(TEXT("Command"), text_make(line, AMI_LINE_MAX - 8)), -EMSGSIZE);
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Originate"));
    for (int i = 1; i < AMI_LINES_MAX; i++)
        ami_write_int(&w, TEXT("Variable"), i);
    assert_int_equal(w.err, 0);
    ami_write(&w, TEXT("Variable"), TEXT("x"));
    assert_int_equal(ami_writer_finish(&w, &out), -EMSGSIZE);
    ami_writer_free(&w);
    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Event"), TEXT("VarSet"));
    ami_write(&w, TEXT("Value"), text_make(line, sizeof line));
    ami_write_int(&w, TEXT("N"), INT64_MIN);
    assert_int_equal(ami_writer_finish(&w, &out), 0);
    assert_true(text_ends(out, TEXT("x\r\nN: -9223372036854775808\r\n\r\n")));
    ami_writer_free(&w);
}

static void percent_codes_are_undone(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 20);
    assert_int_equal(ami_uri_decode(&b, TEXT("200%20result%3D1+%28%61%29%0A")), 0);
    assert_true(text_eq(buf_text(&b), TEXT("200 result=1+(a)\n")));
    assert_int_equal(ami_uri_decode(&b, TEXT("12345")), -ENOBUFS);
    buf_clear(&b);
    assert_int_equal(ami_uri_decode(&b, TEXT("a%2")), -EPROTO);
    assert_int_equal(ami_uri_decode(&b, TEXT("%")), -EPROTO);
    assert_int_equal(ami_uri_decode(&b, TEXT("%zz")), -EPROTO);
    buf_clear(&b);
    assert_int_equal(ami_uri_decode(&b, TEXT("%00")), 0);
    assert_true(text_eq(buf_text(&b), TEXT("\0")));
    buf_free(&b);
}

/* RFC 1321, A.5. */
static void md5_is_md5(void **state)
{
    char out[MD5_HEX + 1];

    (void)state;
    md5_hex(TEXT(""), TEXT(""), out);
    assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
    md5_hex(TEXT("message "), TEXT("digest"), out);
    assert_string_equal(out, "f96b697d7cb7938d525a2f31aaf161d0");
    md5_hex(TEXT("1234567890123456789012345678901234567890"), TEXT("1234567890123456789012345678901234567890"), out);
    assert_string_equal(out, "57edf4a22be3c955ac49da2e2107b67a");
    md5_hex(TEXT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), TEXT(""), out);
    assert_string_equal(out, "d174ab98d277d9f5a5611c2c9f419d9f");
}

static void lack_of_memory_is_an_error(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct ami_reader r;
        struct ami_message m;
        struct text in = TEXT(BANNER "Event: A\r\nB: 1\r\n\r\n");
        int got = 1;

        ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
        fail_alloc_at(n);
        while ((got = ami_read(&r, &in, &m)) > 0)
            ;
        if (!fail_alloc_hit()) {
            assert_int_equal(got, 0);
            ami_reader_free(&r);
            break;
        }
        fail_alloc_off();
        assert_int_equal(got, -ENOMEM);
        ami_reader_free(&r);
    }
    fail_alloc_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_read),
        cmocka_unit_test(the_first_of_equal_names_wins),
        cmocka_unit_test(a_broken_message_is_marked),
        cmocka_unit_test(a_lone_line_feed_ends_nothing_from_asterisk),
        cmocka_unit_test(ceilings_cut_and_the_next_is_whole),
        cmocka_unit_test(whole_and_gathered_messages_are_the_same),
        cmocka_unit_test(what_is_no_manager_port_is_an_error),
        cmocka_unit_test(the_writer_refuses_what_would_inject),
        cmocka_unit_test(percent_codes_are_undone),
        cmocka_unit_test(md5_is_md5),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
