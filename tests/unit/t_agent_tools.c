/* What the model is told of a tool: the comments of its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "app/agent_tools.h"
#include "fail_alloc.h"

static const char source[] =
    "-- A tool.\n"
    "-- @description When we are open,\r\n"
    "--   in words.\n"
    "-- @parameters {\"type\":\"object\",\n"
    "--   \"properties\":{}}\n"
    "-- @author nobody\n"
    "function run() end -- @description not this one\n"
    "-- a comment of its own\n";

static void test_comments(void **state)
{
    char *description, *parameters;
    const char *why = NULL;

    (void)state;
    assert_int_equal(tool_comments_read(text_of(source), &description, &parameters, &why), 0);
    assert_string_equal(description, "When we are open, in words.");
    assert_string_equal(parameters, "{\"type\":\"object\", \"properties\":{}}");
    free(description);
    free(parameters);
    assert_int_equal(tool_comments_read(TEXT("function run() end"), &description, &parameters, &why), 0);
    assert_null(description);
    assert_null(parameters);
}

static void expect_refused(const char *text, const char *word)
{
    char *description, *parameters;
    const char *why = NULL;

    assert_int_equal(tool_comments_read(text_of(text), &description, &parameters, &why), -EINVAL);
    assert_null(description);
    assert_null(parameters);
    assert_non_null(strstr(why, word));
}

static void test_refused(void **state)
{
    static char endless[40000];

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "-- @description ", 16);
    expect_refused(endless, "16 KiB");
}

static void test_without_memory(void **state)
{
    char *description, *parameters;
    const char *why;
    long n;

    (void)state;
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = tool_comments_read(text_of(source), &description, &parameters, &why);
        fail_alloc_off();
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_null(description);
    }
    assert_true(n > 2);
    free(description);
    free(parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
