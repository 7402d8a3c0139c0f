/* What a model is given as a tool's answer: the value, an error with hostile words, and one that is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ai/tool_answer.h"

static void expect(size_t room, const char *before, int err, const char *result, const char *expected)
{
    struct buf b;

    buf_init(&b, room);
    buf_add_text(&b, text_of(before));
    tool_answer_write(&b, err, text_of(result));
    assert_int_equal(b.err, 0);
    assert_string_equal(buf_cstr(&b), expected);
    buf_free(&b);
}

static void test_answers(void **state)
{
    char longest[300];

    (void)state;
    expect(1000, "", 0, "{\"opens\":\"nine\"}", "{\"opens\":\"nine\"}");
    expect(1000, "before: ", 0, "7", "before: 7");
    expect(1000, "", -5, "no such \"thing\"\n", "{\"error\":\"no such \\\"thing\\\"\\n\"}");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    expect(100, "before: ", 0, longest, "{\"error\":\"the result is too long\"}");
    expect(100, "before: ", -5, longest, "{\"error\":\"the result is too long\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
