/* The caller's script: what it may say, and how it refuses the rest. */
#include "sim/caller.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fail_alloc.h"

static void whole_language(void **state)
{
    static const char script[] = "# greeting\n"
                                 "\n"
                                 "  wait 1500ms\r\n"
                                 "wait-speech 10s\n"
                                 "\twait-silence 700ms 20s\n"
                                 "say  Good day, number #5 please.  \n"
                                 "play tone.wav\n"
                                 "wait-hangup 20s\n"
                                 "hang-up";
    struct caller_step *s;
    size_t n;
    char *problem;

    (void)state;
    assert_int_equal(caller_script_parse("x", text_of(script), &s, &n, &problem), 0);
    assert_null(problem);
    assert_int_equal(n, 7);
    assert_int_equal(s[0].verb, CALLER_WAIT);
    assert_int_equal(s[0].ms, 1500);
    assert_int_equal(s[0].line, 3);
    assert_int_equal(s[1].verb, CALLER_WAIT_SPEECH);
    assert_int_equal(s[1].limit_ms, 10000);
    assert_int_equal(s[2].verb, CALLER_WAIT_SILENCE);
    assert_int_equal(s[2].ms, 700);
    assert_int_equal(s[2].limit_ms, 20000);
    assert_int_equal(s[3].verb, CALLER_SAY);
    assert_string_equal(s[3].text, "Good day, number #5 please.");
    assert_int_equal(s[4].verb, CALLER_PLAY);
    assert_string_equal(s[4].text, "tone.wav");
    assert_int_equal(s[5].verb, CALLER_WAIT_HANGUP);
    assert_int_equal(s[5].limit_ms, 20000);
    assert_int_equal(s[6].verb, CALLER_HANG_UP);
    assert_int_equal(s[6].line, 9);
    caller_script_free(s, n);
}

static void file_beside_script(void **state)
{
    static const struct {
        const char *name, *script, *path;
    } cases[] = {
        { "dir/sub/x.script", "play a b.wav", "dir/sub/a b.wav" },
        { "dir/x.script", "play /abs/a.wav", "/abs/a.wav" },
        { "x.script", "play a.wav", "a.wav" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct caller_step *s;
        size_t n;
        char *problem;

        assert_int_equal(caller_script_parse(cases[i].name, text_of(cases[i].script), &s, &n, &problem), 0);
        assert_string_equal(s[0].text, cases[i].path);
        caller_script_free(s, n);
    }
}

static void refusals_name_the_line(void **state)
{
    static const struct {
        const char *script, *problem;
    } cases[] = {
        { "wait 1s\nsing la\n", "x:2: unknown step \"sing\"" },
        { "wait\n", "x:1: a time is missing: wait TIME (as in 1500ms, 10s)" },
        { "wait soon\n", "x:1: \"soon\" is not a time between 0 and 24h: wait TIME (as in 1500ms, 10s)" },
        { "wait -5ms\n", "x:1: \"-5ms\" is not a time between 0 and 24h: wait TIME (as in 1500ms, 10s)" },
        { "wait 25h\n", "x:1: \"25h\" is not a time between 0 and 24h: wait TIME (as in 1500ms, 10s)" },
        { "wait 1s 2s\n", "x:1: \"2s\" is too much: wait TIME" },
        { "#\nwait-speech\n", "x:2: a time is missing: wait-speech LIMIT (as in 1500ms, 10s)" },
        { "wait-silence 700ms\n", "x:1: a time is missing: wait-silence TIME LIMIT (as in 1500ms, 10s)" },
        { "wait-silence 2s 1s\n", "x:1: the limit is shorter than the silence: wait-silence TIME LIMIT" },
        { "say\n", "x:1: nothing follows: say TEXT" },
        { "say \001\n", "x:1: nothing follows: say TEXT" },
        { "say a\001b\n", "x:1: more than 2000 bytes, or unprintable ones: say TEXT" },
        { "play  \n", "x:1: nothing follows: play FILE.wav" },
        { "hang-up now\n", "x:1: \"now\" is too much: hang-up" },
        { "Hang-up\n", "x:1: unknown step \"Hang-up\"" },
        { "", "x:1: holds no step" },
        { "# nothing\n\n", "x:3: holds no step" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct caller_step *s = NULL;
        size_t n = 77;
        char *problem;

        assert_int_equal(caller_script_parse("x", text_of(cases[i].script), &s, &n, &problem), -EINVAL);
        assert_string_equal(problem, cases[i].problem);
        assert_null(s); /* outputs are untouched */
        assert_int_equal(n, 77);
        free(problem);
    }
}

static char *repeated(const char *line, size_t count)
{
    const size_t n = strlen(line);
    char *all = malloc(n * count + 1);

    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * n, line, n);
    all[n * count] = '\0';
    return all;
}

static void ceilings(void **state)
{
    struct caller_step *s;
    size_t n;
    char *problem, *script;

    (void)state;
    script = repeated("wait 1\n", 1000);
    assert_int_equal(caller_script_parse("x", text_of(script), &s, &n, &problem), 0);
    assert_int_equal(n, 1000);
    caller_script_free(s, n);
    free(script);
    script = repeated("wait 1\n", 1001);
    assert_int_equal(caller_script_parse("x", text_of(script), &s, &n, &problem), -EINVAL);
    assert_string_equal(problem, "x:1001: more than 1000 steps");
    free(problem);
    free(script);
    script = repeated("# a comment\n", 30000);
    assert_int_equal(caller_script_parse("x", text_of(script), &s, &n, &problem), -EINVAL);
    assert_string_equal(problem, "x:0: longer than 262144 bytes");
    free(problem);
    free(script);
}

static void short_of_memory(void **state)
{
    static const char script[] = "say one\nsay two\nplay three.wav\nwait 1\nsing\n";
    struct caller_step *s;
    size_t n;
    char *problem;
    long at;

    (void)state;
    for (at = 1;; at++) {
        int err;

        fail_alloc_at(at);
        err = caller_script_parse("x", text_of(script), &s, &n, &problem);
        if (!fail_alloc_hit())
            break;
        assert_true(err == -ENOMEM || err == -EINVAL);
        free(problem);
    }
    fail_alloc_off();
    free(problem);
    assert_true(at > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_language), cmocka_unit_test(file_beside_script), cmocka_unit_test(refusals_name_the_line),
        cmocka_unit_test(ceilings),       cmocka_unit_test(short_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
