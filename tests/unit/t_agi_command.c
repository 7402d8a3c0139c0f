/* One command is one line: quoting, refusals, the length that would make two commands of it. */
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

/* Builds a line from words: 'w' word, 'q' quoted, 'r' raw; each letter takes the next argument. */
static int build(struct agi_command *c, struct text *out, const char *how, ...)
{
    va_list ap;

    agi_command_init(c);
    va_start(ap, how);
    for (; *how; how++) {
        const struct text t = text_of(va_arg(ap, const char *));

        if (*how == 'w')
            agi_command_word(c, t);
        else if (*how == 'q')
            agi_command_quoted(c, t);
        else
            agi_command_raw(c, t);
    }
    va_end(ap);
    return agi_command_finish(c, out);
}

#define ASSERT_LINE(expect, ...)                                                                                               \
    do {                                                                                                                       \
        struct agi_command c_;                                                                                                 \
        struct text line_ = TEXT_NONE;                                                                                         \
        assert_int_equal(build(&c_, &line_, __VA_ARGS__), 0);                                                                  \
        assert_true(text_eq(line_, text_of(expect)));                                                                          \
        agi_command_free(&c_);                                                                                                 \
    } while (0)
#define ASSERT_REFUSED(err, ...)                                                                                               \
    do {                                                                                                                       \
        struct agi_command c_;                                                                                                 \
        struct text line_ = TEXT_NONE;                                                                                         \
        assert_int_equal(build(&c_, &line_, __VA_ARGS__), err);                                                                \
        assert_null(line_.p);                                                                                                  \
        agi_command_free(&c_);                                                                                                 \
    } while (0)

static void test_builds_lines(void **state)
{
    (void)state;
    ASSERT_LINE("ANSWER\n", "w", "ANSWER");
    ASSERT_LINE("SET VARIABLE X \"a b\\\"c\\\\d\"\n", "wwwq", "SET", "VARIABLE", "X", "a b\"c\\d");
    ASSERT_LINE("STREAM FILE \"hello\" \"\"\n", "wwqq", "STREAM", "FILE", "hello", "");
    ASSERT_LINE("SAY ALPHA \"\t\xc3\xa9\" \"0#\"\n", "wwqq", "SAY", "ALPHA", "\t\xc3\xa9", "0#");
    ASSERT_LINE("NOOP \"open\n", "r", "NOOP \"open");
    ASSERT_LINE("WAIT FOR DIGIT failure\n", "wwww", "WAIT", "FOR", "DIGIT", "failure");
}

static void test_numbers(void **state)
{
    struct agi_command c;
    struct text line;

    (void)state;
    agi_command_init(&c);
    agi_command_word(&c, TEXT("X"));
    agi_command_int(&c, -1);
    agi_command_int(&c, INT64_MIN);
    assert_int_equal(agi_command_finish(&c, &line), 0);
    assert_true(text_eq(line, TEXT("X -1 -9223372036854775808\n")));
    agi_command_free(&c);
}

/* Trap 1 and command injection: no byte of an argument may end the line. */
static void test_refuses_line_ends_in_every_argument(void **state)
{
    static const char *const bad[] = { "a\nHANGUP", "a\r", "\n", "\r\n" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_REFUSED(-EINVAL, "wq", "NOOP", bad[i]);
        ASSERT_REFUSED(-EINVAL, "ww", "NOOP", bad[i]);
        ASSERT_REFUSED(-EINVAL, "w", bad[i]);
        ASSERT_REFUSED(-EINVAL, "r", bad[i]);
    }
}

static void test_refuses_nul(void **state)
{
    struct agi_command c;
    struct text line = TEXT_NONE;

    (void)state;
    agi_command_init(&c);
    agi_command_word(&c, TEXT("NOOP"));
    agi_command_quoted(&c, text_make("a\0b", 3));
    assert_int_equal(agi_command_finish(&c, &line), -EINVAL);
    agi_command_free(&c);
    agi_command_init(&c);
    agi_command_raw(&c, text_make("NOOP\0", 5));
    assert_int_equal(agi_command_finish(&c, &line), -EINVAL);
    agi_command_free(&c);
}

static void test_refuses_words_that_are_not_one_word(void **state)
{
    (void)state;
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "a b");
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "a\tb");
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "a\"b");
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "a\\b");
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "\x7f");
    ASSERT_REFUSED(-EINVAL, "ww", "GET", "");
    ASSERT_REFUSED(-EINVAL, "w", "");
    ASSERT_REFUSED(-EINVAL, "q", "");
    ASSERT_REFUSED(-EINVAL, "r", "");
    ASSERT_REFUSED(-EINVAL, "r", "  \t ");
    ASSERT_REFUSED(-EINVAL, "");
}

/* Trap 8. */
static void test_refuses_failure_as_first_word(void **state)
{
    (void)state;
    ASSERT_REFUSED(-EINVAL, "w", "failure");
    ASSERT_REFUSED(-EINVAL, "w", "FaiLureX");
    ASSERT_REFUSED(-EINVAL, "r", "FAILURE now");
    ASSERT_REFUSED(-EINVAL, "r", "  failure");
    ASSERT_LINE("\"failure\"\n", "q", "failure");
}

/* Trap 9. */
static void test_length_ceiling_is_exact(void **state)
{
    char big[AGI_LINE_MAX + 2];

    (void)state;
    memset(big, 'x', sizeof big);
    big[AGI_LINE_MAX] = '\0';
    {
        struct agi_command c;
        struct text line;

        assert_int_equal(build(&c, &line, "r", big), 0);
        assert_int_equal(line.n, AGI_LINE_MAX + 1);
        assert_int_equal(line.p[AGI_LINE_MAX], '\n');
        agi_command_free(&c);
    }
    big[AGI_LINE_MAX] = 'x';
    big[AGI_LINE_MAX + 1] = '\0';
    ASSERT_REFUSED(-EMSGSIZE, "r", big);
    ASSERT_REFUSED(-EMSGSIZE, "w", big);
    memset(big, '"', AGI_LINE_MAX / 2); /* each becomes two bytes */
    big[AGI_LINE_MAX / 2] = '\0';
    ASSERT_REFUSED(-EMSGSIZE, "wq", "N", big);
    big[(AGI_LINE_MAX - 4) / 2] = '\0';
    {
        struct agi_command c;
        struct text line;

        assert_int_equal(build(&c, &line, "wq", "N", big), 0);
        assert_int_equal(line.n, AGI_LINE_MAX + 1);
        agi_command_free(&c);
    }
}

static void test_the_first_error_sticks(void **state)
{
    struct agi_command c;
    struct text line = TEXT_NONE;

    (void)state;
    agi_command_init(&c);
    agi_command_word(&c, TEXT("bad word"));
    agi_command_word(&c, TEXT("NOOP"));
    assert_int_equal(agi_command_finish(&c, &line), -EINVAL);
    assert_int_equal(agi_command_finish(&c, &line), -EINVAL);
    assert_null(line.p);
    agi_command_free(&c);
}

static void test_a_finished_line_stays_one_line(void **state)
{
    struct agi_command c;
    struct text line;

    (void)state;
    assert_int_equal(build(&c, &line, "w", "NOOP"), 0);
    assert_int_equal(agi_command_finish(&c, &line), 0);
    assert_true(text_eq(line, TEXT("NOOP\n")));
    agi_command_word(&c, TEXT("HANGUP"));
    assert_int_equal(agi_command_finish(&c, &line), -EINVAL);
    agi_command_free(&c);
    assert_int_equal(build(&c, &line, "wr", "NOOP", "HANGUP"), -EINVAL);
    agi_command_free(&c);
}

static void test_survives_every_failing_allocation(void **state)
{
    long n;

    (void)state;
    for (n = 1;; n++) {
        struct agi_command c;
        struct text line;
        int err;

        fail_alloc_at(n);
        err = build(&c, &line, "wwwq", "SET", "VARIABLE", "X",
                    "a value that needs a second, larger buffer: 0123456789012345678901234");
        if (!fail_alloc_hit()) {
            fail_alloc_off();
            assert_int_equal(err, 0);
            agi_command_free(&c);
            break;
        }
        fail_alloc_off();
        assert_int_equal(err, -ENOMEM);
        agi_command_free(&c);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builds_lines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_refuses_line_ends_in_every_argument),
        cmocka_unit_test(test_refuses_nul),
        cmocka_unit_test(test_refuses_words_that_are_not_one_word),
        cmocka_unit_test(test_refuses_failure_as_first_word),
        cmocka_unit_test(test_length_ceiling_is_exact),
        cmocka_unit_test(test_the_first_error_sticks),
        cmocka_unit_test(test_a_finished_line_stays_one_line),
        cmocka_unit_test(test_survives_every_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
