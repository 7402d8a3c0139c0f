/* The environment block: fields, forged lines, ceilings, cuts at every byte. */
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

/* As Asterisk 22.10.1 sent it for AGI(agi://127.0.0.1:4573/path/x?a=1&b=2,one,two words,"q,c",). */
static const char plain[] = "agi_network: yes\n"
                            "agi_network_script: path/x?a=1&b=2\n"
                            "agi_request: agi://127.0.0.1:4573/path/x?a=1&b=2\n"
                            "agi_channel: Local/101@default-00000000;2\n"
                            "agi_language: en\n"
                            "agi_type: Local\n"
                            "agi_uniqueid: 1700000000.1\n"
                            "agi_version: 22.10.1+dfsg+~cs6.17\n"
                            "agi_callerid: 1001\n"
                            "agi_calleridname: Anna: B\n"
                            "agi_callingpres: 0\n"
                            "agi_callingani2: 0\n"
                            "agi_callington: 0\n"
                            "agi_callingtns: 0\n"
                            "agi_dnid: unknown\n"
                            "agi_rdnis: unknown\n"
                            "agi_context: default\n"
                            "agi_extension: 101\n"
                            "agi_priority: 2\n"
                            "agi_enhanced: 0.0\n"
                            "agi_accountcode: \n"
                            "agi_threadid: 140123456789\n"
                            "agi_arg_1: one\n"
                            "agi_arg_2: two words\n"
                            "agi_arg_3: q,c\n"
                            "agi_arg_4: \n"
                            "\n";

static void assert_value(const struct agi_env *e, const char *name, const char *value)
{
    const struct text got = agi_env_get(e, text_of(name));

    assert_non_null(got.p);
    assert_true(text_eq(got, text_of(value)));
}

static void feed_all(struct agi_env *e, const char *bytes, size_t n)
{
    agi_env_init(e);
    assert_int_equal(agi_env_feed(e, bytes, n), n);
}

/* Everything an outcome consists of, as one text. */
static char *outcome(const struct agi_env *e)
{
    struct text name, value;
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_addf(&b, "err %d fault %s done %d dup %zu odd %zu mis %zu\n", e->err, e->fault, e->done, e->duplicates, e->odd,
             e->misplaced);
    for (size_t i = 0; agi_env_at(e, i, &name, &value); i++) {
        buf_add_text(&b, name);
        buf_add_char(&b, '=');
        buf_add_text(&b, value);
        buf_add_char(&b, '\n');
    }
    assert_non_null(buf_cstr(&b));
    return b.p;
}

static void assert_split_same(const char *bytes, size_t n)
{
    struct agi_env e;
    char *whole, *split;
    ssize_t got;

    agi_env_init(&e);
    got = agi_env_feed(&e, bytes, n);
    assert_true(got == e.err || e.err == 0);
    whole = outcome(&e);
    agi_env_free(&e);
    for (size_t cut = 0; cut <= n; cut++) {
        agi_env_init(&e);
        got = agi_env_feed(&e, bytes, cut);
        if (got == (ssize_t)cut)
            got = agi_env_feed(&e, bytes + cut, n - cut);
        split = outcome(&e);
        assert_string_equal(split, whole);
        free(split);
        agi_env_free(&e);
    }
    agi_env_init(&e);
    for (size_t i = 0; i < n && agi_env_feed(&e, bytes + i, 1) == 1; i++)
        ;
    split = outcome(&e);
    assert_string_equal(split, whole);
    free(split);
    free(whole);
    agi_env_free(&e);
}

static void test_reads_a_seen_block(void **state)
{
    struct agi_env e;
    struct text name, value;

    (void)state;
    feed_all(&e, plain, sizeof plain - 1);
    assert_true(e.done);
    assert_int_equal(e.count, 26);
    assert_int_equal(e.duplicates + e.odd + e.misplaced, 0);
    assert_value(&e, "agi_network_script", "path/x?a=1&b=2");
    assert_value(&e, "agi_calleridname", "Anna: B");
    assert_value(&e, "agi_version", "22.10.1+dfsg+~cs6.17");
    assert_value(&e, "agi_accountcode", "");
    assert_true(text_eq(agi_env_arg(&e, 2), TEXT("two words")));
    assert_true(text_eq(agi_env_arg(&e, 4), TEXT("")));
    assert_non_null(agi_env_arg(&e, 4).p);
    assert_null(agi_env_arg(&e, 5).p);
    assert_null(agi_env_arg(&e, 0).p);
    assert_null(agi_env_get(&e, TEXT("AGI_TYPE")).p);
    assert_true(agi_env_at(&e, 25, &name, &value));
    assert_true(text_eq(name, TEXT("agi_arg_4")));
    assert_false(agi_env_at(&e, 26, &name, &value));
    agi_env_free(&e);
}

static void test_stops_behind_the_blank_line(void **state)
{
    static const char bytes[] = "agi_network: yes\n\n200 result=0\n";
    struct agi_env e;

    (void)state;
    agi_env_init(&e);
    assert_int_equal(agi_env_feed(&e, bytes, sizeof bytes - 1), 18);
    assert_true(e.done);
    assert_int_equal(agi_env_feed(&e, bytes + 18, 13), 0);
    agi_env_free(&e);
}

/* Trap 7: a caller name with LF forges lines. */
static void test_first_of_a_name_wins_and_forgery_shows(void **state)
{
    static const char bytes[] =
        "agi_network: yes\nagi_channel: PJSIP/a-1\nagi_callerid: 1\nagi_calleridname: Eve\nagi_channel: fake\n"
        "agi_extension: 999\nagi_callingpres: 0\nagi_extension: 101\n\n";
    struct agi_env e;

    (void)state;
    feed_all(&e, bytes, sizeof bytes - 1);
    assert_value(&e, "agi_channel", "PJSIP/a-1");
    assert_value(&e, "agi_extension", "999");
    assert_int_equal(e.duplicates, 2);
    assert_int_equal(e.misplaced, 1);
    assert_int_equal(e.count, 8);
    agi_env_free(&e);
}

static void test_a_forged_argument_shows_without_a_duplicate(void **state)
{
    static const char bytes[] = "agi_request: agi://h/x\nagi_calleridname: Eve\nagi_arg_1: admin\nagi_callingpres: 0\n\n";
    struct agi_env e;

    (void)state;
    feed_all(&e, bytes, sizeof bytes - 1);
    assert_int_equal(e.duplicates, 0);
    assert_int_equal(e.misplaced, 1);
    agi_env_free(&e);
}

static void test_keeps_cr_and_foreign_names_counts_odd_lines(void **state)
{
    static const char bytes[] =
        "agi_network: yes\r\nInjected: yes\r\nno colon here\nhttp://x\ntwo words: 1\n: empty\n\r\nagi_type:\n\n";
    struct agi_env e;

    (void)state;
    feed_all(&e, bytes, sizeof bytes - 1);
    assert_value(&e, "agi_network", "yes\r");
    assert_value(&e, "Injected", "yes\r");
    assert_value(&e, "agi_type", "");
    assert_int_equal(e.odd, 5);
    assert_int_equal(e.count, 3);
    agi_env_free(&e);
}

static void assert_refused(const char *bytes, size_t n, int err)
{
    struct agi_env e;

    agi_env_init(&e);
    assert_int_equal(agi_env_feed(&e, bytes, n), err);
    assert_true(strlen(e.fault) > 20);
    assert_null(strchr(e.fault, '\n'));
    assert_int_equal(agi_env_feed(&e, "agi_network: yes\n\n", 18), err);
    assert_false(e.done);
    agi_env_free(&e);
}

static void test_refuses_what_is_not_agi_at_once(void **state)
{
    (void)state;
    assert_refused("GET / HTTP/1.1\r\n\r\n", 18, -EPROTO);
    assert_refused("G", 1, -EPROTO);
    assert_refused("\n", 1, -EPROTO);
    assert_refused("agi\n", 4, -EPROTO);
    assert_refused("\0\0\0", 3, -EPROTO);
    assert_refused("AGI_network: yes\n", 17, -EPROTO);
}

static void test_ceilings_are_exact(void **state)
{
    struct agi_env e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < AGI_ENV_LINES_MAX; i++)
        buf_addf(&b, "agi_x%d: 1\n", i);
    feed_all(&e, b.p, b.n);
    assert_int_equal(agi_env_feed(&e, "\n", 1), 1);
    assert_true(e.done);
    agi_env_free(&e);
    buf_addf(&b, "odd\n");
    assert_refused(b.p, b.n, -EMSGSIZE);

    buf_clear(&b);
    buf_addf(&b, "agi_x: ");
    while (b.n < AGI_ENV_BYTES_MAX - 2)
        buf_add_char(&b, 'v');
    buf_addf(&b, "\n\n");
    feed_all(&e, b.p, b.n);
    assert_true(e.done);
    assert_int_equal(agi_env_get(&e, TEXT("agi_x")).n, AGI_ENV_BYTES_MAX - 2 - 7);
    agi_env_free(&e);
    b.n -= 2;
    buf_addf(&b, "v\n\n");
    assert_refused(b.p, b.n, -EMSGSIZE);
    buf_free(&b);
}

static void test_same_outcome_when_cut_anywhere(void **state)
{
    static const char hostile[] = "agi_a: 1\r\nx\n: \nagi_type: \xff\x01\nagi_type: 2\nagi_network: late\nq: \n\nrest: 1\n";
    static const char wrong[] = "agi-network: yes\n\n";
    struct buf b;

    (void)state;
    assert_split_same(plain, sizeof plain - 1);
    assert_split_same(hostile, sizeof hostile - 1);
    assert_split_same(wrong, sizeof wrong - 1);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < AGI_ENV_LINES_MAX + 2; i++)
        buf_addf(&b, "agi_%d:\n", i % 7);
    assert_split_same(b.p, b.n);
    buf_free(&b);
}

static void test_survives_every_failing_allocation(void **state)
{
    long n;

    (void)state;
    for (n = 1;; n++) {
        struct agi_env e;
        ssize_t got;

        agi_env_init(&e);
        fail_alloc_at(n);
        got = agi_env_feed(&e, plain, sizeof plain - 1);
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(got, sizeof plain - 1);
            agi_env_free(&e);
            break;
        }
        fail_alloc_off();
        assert_int_equal(got, -ENOMEM);
        assert_int_equal(agi_env_feed(&e, plain, sizeof plain - 1), -ENOMEM);
        agi_env_free(&e);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_seen_block),
        cmocka_unit_test(test_stops_behind_the_blank_line),
        cmocka_unit_test(test_first_of_a_name_wins_and_forgery_shows),
        cmocka_unit_test(test_a_forged_argument_shows_without_a_duplicate),
        cmocka_unit_test(test_keeps_cr_and_foreign_names_counts_odd_lines),
        cmocka_unit_test(test_refuses_what_is_not_agi_at_once),
        cmocka_unit_test(test_ceilings_are_exact),
        cmocka_unit_test(test_same_outcome_when_cut_anywhere),
        cmocka_unit_test(test_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
