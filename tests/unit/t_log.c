/* One line per event; hostile values cannot forge fields or lines; secrets have no way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/log.h"

static char written[8192];

static void capture(enum log_level at, void (*act)(const struct log *))
{
    int fd[2];
    struct log_sink sink;
    struct log log;
    ssize_t n;

    assert_int_equal(pipe(fd), 0);
    sink = (struct log_sink){ .fd = fd[1], .level = at, .journal = true };
    log = (struct log){ .sink = &sink, .module = "test" };
    act(&log);
    close(fd[1]);
    n = read(fd[0], written, sizeof written - 1);
    close(fd[0]);
    assert_true(n >= 0);
    written[n] = '\0';
}

static void write_hostile(const struct log *log)
{
    log_warn(log, "queue_full", kv_str("call", "1 level=error\nlevel=error"), kv_int("dropped", -3), kv_err(-ECONNREFUSED),
             kv_secret("password"), kv_str("plain", "ab.c"), kv_text("none", TEXT_NONE), kv_str("quote", "a\"b\\\x01"));
}

static void test_hostile_values_stay_inside(void **state)
{
    (void)state;
    capture(LOG_DEBUG, write_hostile);
    assert_string_equal(written, "level=warn mod=test event=queue_full call=\"1 level=error\\nlevel=error\" dropped=-3 "
                                 "error=\"Connection refused\" password=*** plain=ab.c none=\"\" quote=\"a\\\"b\\\\\\x01\"\n");
}

static void write_long(const struct log *log)
{
    char big[5000];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_error(log, "big", kv_str("value", big), kv_int("after", 1));
}

static void test_long_lines_are_cut_and_say_so(void **state)
{
    (void)state;
    capture(LOG_DEBUG, write_long);
    assert_int_equal(strlen(written), strcspn(written, "\n") + 1);
    assert_true(strlen(written) <= 2048);
    assert_non_null(strstr(written, " cut=1\n"));
}

static void write_quiet(const struct log *log)
{
    log_info(log, "nothing");
    log_error(log, "something");
}

static void test_level_decides(void **state)
{
    enum log_level level;

    (void)state;
    capture(LOG_ERROR, write_quiet);
    assert_string_equal(written, "level=error mod=test event=something\n");
    assert_int_equal(log_level_parse(TEXT("WARN"), &level), 0);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_parse(TEXT("loud"), &level), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_values_stay_inside),
        cmocka_unit_test(test_long_lines_are_cut_and_say_so),
        cmocka_unit_test(test_level_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
