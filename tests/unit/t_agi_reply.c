/* Replies: every form of the grammar, what is no answer, values over LF, ceilings, cuts at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/agi.h"
#include "fail_alloc.h"

/* The one reply in bytes, which must be all of it. Texts live in *r. */
static struct agi_reply one(struct agi_reply_reader *r, const char *bytes)
{
    struct agi_reply reply, more;

    agi_reply_reader_init(r);
    assert_int_equal(agi_reply_feed(r, bytes, strlen(bytes)), 0);
    assert_int_equal(agi_reply_next(r, &reply), 1);
    assert_int_equal(agi_reply_next(r, &more), 0);
    assert_int_equal(reply.body.n, strlen(bytes) - 1);
    return reply;
}

static void assert_text(struct text got, const char *expect)
{
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(expect));
    assert_memory_equal(got.p, expect, got.n);
}

#define ASSERT_FINAL(bytes, result_, value_, extra_)                                                                           \
    do {                                                                                                                       \
        struct agi_reply_reader r_;                                                                                            \
        const struct agi_reply reply_ = one(&r_, bytes);                                                                       \
        const char *value_text_ = value_;                                                                                      \
        assert_int_equal(reply_.kind, AGI_REPLY_FINAL);                                                                        \
        assert_int_equal(reply_.code, 200);                                                                                    \
        assert_text(reply_.result, result_);                                                                                   \
        assert_int_equal(reply_.has_value, value_text_ != NULL);                                                               \
        if (value_text_)                                                                                                       \
            assert_text(reply_.value, value_text_);                                                                            \
        assert_text(reply_.extra, extra_);                                                                                     \
        agi_reply_reader_free(&r_);                                                                                            \
    } while (0)

static void test_results_values_extras(void **state)
{
    (void)state;
    ASSERT_FINAL("200 result=0\n", "0", NULL, "");
    ASSERT_FINAL("200 result=1 (1001)\n", "1", "1001", "");
    ASSERT_FINAL("200 result=1 ()\n", "1", "", "");
    ASSERT_FINAL("200 result= (timeout)\n", "", "timeout", "");
    ASSERT_FINAL("200 result=\n", "", NULL, "");
    ASSERT_FINAL("200 result=123 (timeout)\n", "123", "timeout", "");
    ASSERT_FINAL("200 result=-1 endpos=0\n", "-1", NULL, "endpos=0");
    ASSERT_FINAL("200 result=0 (timeout) endpos=8000\n", "0", "timeout", "endpos=8000");
    ASSERT_FINAL("200 result=0 Gosub complete\n", "0", NULL, "Gosub complete");
    ASSERT_FINAL("200 result=1 (a) b=(c)\n", "1", "a) b=(c", "");
    ASSERT_FINAL("200 result=1 (\"x)\" y)\n", "1", "\"x)\" y", "");
    ASSERT_FINAL("200 result=1 ((((\\)\n", "1", "(((\\", "");
}

static void test_speech_results_with_brackets_in_quotes(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;

    (void)state;
    reply = one(&r, "200 result=1 (speech) endpos=0 results=1 score0=900 text0=\"call (the) \"boss\" now\" grammar0=(null) \n");
    assert_text(reply.value, "speech");
    assert_text(agi_reply_extra(&reply, TEXT("score0")), "900");
    assert_text(agi_reply_extra(&reply, TEXT("text0")), "call (the) \"boss\" now");
    agi_reply_reader_free(&r);

    reply = one(&r, "200 result=1 (digit) digit=5 endpos=12\n");
    assert_text(reply.value, "digit");
    assert_text(agi_reply_extra(&reply, TEXT("digit")), "5");
    assert_text(agi_reply_extra(&reply, TEXT("endpos")), "12");
    assert_null(agi_reply_extra(&reply, TEXT("end")).p);
    assert_null(agi_reply_extra(&reply, TEXT("")).p);
    agi_reply_reader_free(&r);

    reply = one(&r, "200 result=1 (x) a=\"\" b= c=\"open\n200 result=0)\n");
    assert_text(reply.value, "x) a=\"\" b= c=\"open\n200 result=0");
    agi_reply_reader_free(&r);
}

static void test_numbers(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    int64_t n = 77;

    (void)state;
    reply = one(&r, "200 result=-1\n");
    assert_int_equal(agi_reply_int(&reply, &n), 0);
    assert_int_equal(n, -1);
    agi_reply_reader_free(&r);
    reply = one(&r, "200 result= (timeout)\n");
    assert_int_equal(agi_reply_int(&reply, &n), -EINVAL);
    agi_reply_reader_free(&r);
    reply = one(&r, "200 result=99999999999999999999\n");
    assert_int_equal(agi_reply_int(&reply, &n), -EINVAL);
    assert_int_equal(n, -1);
    agi_reply_reader_free(&r);
}

static void test_errors_are_final(void **state)
{
    static const struct {
        const char *bytes;
        int code;
    } rows[] = {
        { "510 Invalid or unknown command\n", 510 },
        { "511 Command Not Permitted on a dead channel or intercept routine\n", 511 },
        { "520 Invalid command syntax.  Proper usage not available.\n", 520 },
        { "520-Invalid command syntax.  Proper usage follows:\nUsage: SET <x>\n\n200 result=0\nHANGUP\n520-\n520 End of proper "
          "usage.\n",
          520 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct agi_reply_reader r;
        const struct agi_reply reply = one(&r, rows[i].bytes);

        assert_int_equal(reply.kind, AGI_REPLY_FINAL);
        assert_int_equal(reply.code, rows[i].code);
        assert_false(reply.has_value);
        agi_reply_reader_free(&r);
    }
}

/* Traps 4 and 10. */
static void test_hangup_and_trying_are_no_answers(void **state)
{
    static const char bytes[] = "HANGUP\n100 result=0 Trying...\nHANGUP\n200 result=0 Gosub complete\n";
    static const enum agi_reply_kind kinds[] = { AGI_REPLY_HANGUP, AGI_REPLY_TRYING, AGI_REPLY_HANGUP, AGI_REPLY_FINAL };
    struct agi_reply_reader r;
    struct agi_reply reply;

    (void)state;
    agi_reply_reader_init(&r);
    assert_int_equal(agi_reply_feed(&r, bytes, sizeof bytes - 1), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(agi_reply_next(&r, &reply), 1);
        assert_int_equal(reply.kind, kinds[i]);
        assert_int_equal(reply.code, reply.kind == AGI_REPLY_TRYING ? 100 : reply.kind == AGI_REPLY_FINAL ? 200 : 0);
    }
    assert_int_equal(agi_reply_next(&r, &reply), 0);
    agi_reply_reader_free(&r);
}

static void test_strays_are_told_apart(void **state)
{
    static const char *const rows[] = { "\n",       "agi_extension: 101\n", "HANGUP \n",      "hangup\n",      "200\n",
                                        "200 OK\n", "200 results=1\n",      "404 not here\n", "5100\n",        "100\n",
                                        "520End\n", " 200 result=1\n",      "\xff\xfe\n",     "200result=1\n", "HANGUP\r\n" };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct agi_reply_reader r;
        const struct agi_reply reply = one(&r, rows[i]);

        assert_int_equal(reply.kind, AGI_REPLY_STRAY);
        assert_int_equal(reply.code, 0);
        agi_reply_reader_free(&r);
    }
}

/* Trap 7, as seen: the variable's value was "l1 LF l2) x". */
static void test_values_run_over_line_ends(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;

    (void)state;
    reply = one(&r, "200 result=1 (l1\nl2) x)\n");
    assert_text(reply.value, "l1\nl2) x");
    agi_reply_reader_free(&r);
    reply = one(&r, "200 result=1 (\n\nHANGUP\n200 result=0\n) endpos=5\n");
    assert_text(reply.value, "\n\nHANGUP\n200 result=0\n");
    assert_text(reply.extra, "endpos=5");
    agi_reply_reader_free(&r);
    reply = one(&r, "200 result=1 (a(b\nc\n)\n");
    assert_text(reply.value, "a(b\nc\n");
    agi_reply_reader_free(&r);
}

/* What cannot be framed: the value's first line looks finished. The rest must not pass for an answer. */
static void test_a_value_that_looks_finished_leaves_a_stray(void **state)
{
    static const char bytes[] = "200 result=1 (a)\nb)\n200 result=0\n";
    struct agi_reply_reader r;
    struct agi_reply reply;

    (void)state;
    agi_reply_reader_init(&r);
    assert_int_equal(agi_reply_feed(&r, bytes, sizeof bytes - 1), 0);
    assert_int_equal(agi_reply_next(&r, &reply), 1);
    assert_text(reply.value, "a");
    assert_int_equal(agi_reply_next(&r, &reply), 1);
    assert_int_equal(reply.kind, AGI_REPLY_STRAY);
    assert_int_equal(agi_reply_next(&r, &reply), 1);
    assert_int_equal(reply.kind, AGI_REPLY_FINAL);
    agi_reply_reader_free(&r);
}

static void add_outcome(struct buf *log, int got, const struct agi_reply *reply)
{
    if (got != 1) {
        buf_addf(log, "end %d\n", got);
        return;
    }
    buf_addf(log, "%d %d %d [", reply->kind, reply->code, reply->has_value);
    buf_add_text(log, reply->result);
    buf_addf(log, "][");
    buf_add_text(log, reply->value);
    buf_addf(log, "][");
    buf_add_text(log, reply->extra);
    buf_addf(log, "][");
    buf_add_text(log, reply->body);
    buf_addf(log, "]\n");
}

/* Feeds [0,first) then the rest in pieces of step, taking every reply out between them. */
static void run(struct buf *log, const char *bytes, size_t n, size_t first, size_t step)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    int got = 0;

    buf_init(log, 1 << 22);
    agi_reply_reader_init(&r);
    for (size_t at = 0; at < n && got == 0;) {
        const size_t want = at < first ? first - at : step;
        const size_t take = want < n - at ? want : n - at;

        got = agi_reply_feed(&r, bytes + at, take);
        at += take;
        while (got == 0 && (got = agi_reply_next(&r, &reply)) == 1) {
            add_outcome(log, got, &reply);
            got = 0;
        }
    }
    add_outcome(log, got, NULL);
    agi_reply_reader_free(&r);
}

static void assert_split_same(const char *bytes, size_t n, size_t cut_step)
{
    struct buf whole, split;

    run(&whole, bytes, n, n, n);
    for (size_t cut = 0; cut <= n; cut += cut_step) {
        run(&split, bytes, n, cut, n);
        assert_true(text_eq(buf_text(&whole), buf_text(&split)));
        buf_free(&split);
    }
    run(&split, bytes, n, 0, 1);
    assert_true(text_eq(buf_text(&whole), buf_text(&split)));
    buf_free(&split);
    buf_free(&whole);
}

static void test_same_outcome_when_cut_anywhere(void **state)
{
    static const char bytes[] =
        "200 result=1 (l1\nl2) x)\nHANGUP\n520-Invalid\nusage (\n520 End\n100 result=0 Trying...\n200 result=0 endpos=1\n\n"
        "junk\n200 result= (timeout)\n200 result=1 (a) b=\"c) d=\"\n511 x\n200 result=1 (((\n) \n)\n200 result=1 (tail";

    (void)state;
    assert_split_same(bytes, sizeof bytes - 1, 1);
}

/* One reply of `size` bytes without its LF: "200 result=1 (xxx...)". */
static void make_big(struct buf *b, size_t size)
{
    buf_init(b, 1 << 20);
    buf_addf(b, "200 result=1 (");
    while (b->n < size - 1)
        buf_add_char(b, 'x');
    buf_addf(b, ")\n");
}

static void test_ceiling_is_exact_however_cut(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    struct buf b, log;

    (void)state;
    make_big(&b, AGI_REPLY_MAX);
    agi_reply_reader_init(&r);
    assert_int_equal(agi_reply_feed(&r, b.p, b.n), 0);
    assert_int_equal(agi_reply_next(&r, &reply), 1);
    assert_int_equal(reply.value.n, AGI_REPLY_MAX - 15);
    agi_reply_reader_free(&r);
    assert_split_same(b.p, b.n, 4099);
    buf_free(&b);

    make_big(&b, AGI_REPLY_MAX + 1);
    run(&log, b.p, b.n, b.n, b.n);
    assert_true(text_ends(buf_text(&log), TEXT("end -90\n")));
    buf_free(&log);
    assert_split_same(b.p, b.n, 4099);
    buf_free(&b);
}

static void test_refuses_without_end(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    char junk[4096];
    int err = 0;
    size_t fed = 0;

    (void)state;
    memset(junk, 'j', sizeof junk);
    agi_reply_reader_init(&r);
    while (!err && fed < 1 << 20) {
        err = agi_reply_feed(&r, junk, sizeof junk);
        if (!err)
            err = agi_reply_next(&r, &reply);
        fed += sizeof junk;
    }
    assert_int_equal(err, -EMSGSIZE);
    assert_true(fed <= AGI_REPLY_MAX + 2 * sizeof junk);
    assert_int_equal(agi_reply_feed(&r, "\nHANGUP\n", 8), -EMSGSIZE);
    assert_int_equal(agi_reply_next(&r, &reply), -EMSGSIZE);
    agi_reply_reader_free(&r);

    agi_reply_reader_init(&r);
    for (err = 0, fed = 0; !err && fed < 1 << 20; fed += sizeof junk)
        err = agi_reply_feed(&r, junk, sizeof junk); /* nobody takes anything out */
    assert_int_equal(err, -EMSGSIZE);
    agi_reply_reader_free(&r);
}

static void test_many_replies_in_one_feed(void **state)
{
    struct agi_reply_reader r;
    struct agi_reply reply;
    struct buf b;
    size_t n = 0;

    (void)state;
    buf_init(&b, AGI_REPLY_MAX);
    while (b.n + 7 <= AGI_REPLY_MAX)
        buf_addf(&b, "HANGUP\n");
    agi_reply_reader_init(&r);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(agi_reply_feed(&r, b.p, b.n), 0);
        while (agi_reply_next(&r, &reply) == 1)
            n += reply.kind == AGI_REPLY_HANGUP;
    }
    assert_int_equal(n, 50 * (AGI_REPLY_MAX / 7));
    agi_reply_reader_free(&r);
    buf_free(&b);
}

static void test_survives_every_failing_allocation(void **state)
{
    static const char bytes[] = "200 result=1 (a value longer than the first buffer of sixty-four bytes, so that it grows)\n";
    long n;

    (void)state;
    for (n = 1;; n++) {
        struct agi_reply_reader r;
        struct agi_reply reply;
        int err = 0;

        agi_reply_reader_init(&r);
        fail_alloc_at(n);
        for (size_t i = 0; i < sizeof bytes - 1 && !err; i++)
            err = agi_reply_feed(&r, bytes + i, 1);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(agi_reply_next(&r, &reply), 1);
            agi_reply_reader_free(&r);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(agi_reply_next(&r, &reply), -ENOMEM);
        agi_reply_reader_free(&r);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_values_extras),
        cmocka_unit_test(test_speech_results_with_brackets_in_quotes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_errors_are_final),
        cmocka_unit_test(test_hangup_and_trying_are_no_answers),
        cmocka_unit_test(test_strays_are_told_apart),
        cmocka_unit_test(test_values_run_over_line_ends),
        cmocka_unit_test(test_a_value_that_looks_finished_leaves_a_stray),
        cmocka_unit_test(test_same_outcome_when_cut_anywhere),
        cmocka_unit_test(test_ceiling_is_exact_however_cut),
        cmocka_unit_test(test_refuses_without_end),
        cmocka_unit_test(test_many_replies_in_one_feed),
        cmocka_unit_test(test_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
