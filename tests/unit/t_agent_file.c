/* Agent files: a whole good one, the shipped one, and every kind of mistake with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include "ai/agent_file.h"
#include "fail_alloc.h"

static char path[64];
static char told[8192];
static int told_count;

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/t_agent_XXXXXX");
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void on_problem(const struct conf_place *place, const char *message, void *arg)
{
    const size_t n = strlen(told);

    (void)arg;
    told_count++;
    assert_non_null(place->file);
    snprintf(told + n, sizeof told - n, "%u: %s\n", place->line, message);
}

static int load_path(struct agent_file **out, const char *from)
{
    told[0] = '\0';
    told_count = 0;
    return agent_file_load(out, from, on_problem, NULL);
}

static int load(struct agent_file **out, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return load_path(out, path);
}

/* The file must be refused, with one sentence that begins with its line and holds want. */
static void refused(const char *text, unsigned line, const char *want)
{
    struct agent_file *a = NULL;
    char start[16];

    assert_int_equal(load(&a, text), -EINVAL);
    assert_null(a);
    snprintf(start, sizeof start, "%u: ", line);
    if (told_count != 1 || strncmp(told, start, strlen(start)) != 0 || !strstr(told, want))
        fail_msg("wanted \"%s...%s\", got\n%s", start, want, told);
}

#define AGENT "[agent]\ngreeting = Hello.\n" /* lines 1-2 */
#define INTENT "[intent a]\nsay = what is that\nanswer = That.\n"

static void test_defaults(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(load(&a, AGENT INTENT), 0);
    assert_int_equal(told_count, 0);
    assert_true(text_eq(a->greeting, TEXT("Hello.")));
    assert_true(text_eq(a->voice, TEXT("slt")));
    assert_true(text_eq(a->confirm, TEXT("Did you say {title}?")));
    assert_int_equal(a->no_input_ms, 8000);
    assert_int_equal(a->barge_in_ms, 120);
    assert_true(a->accept == -2300 && a->confirm_above == -3000);
    assert_true(a->barge_in_voice && a->barge_in_dtmf);
    assert_int_equal(a->intent_count, 1);
    const struct agent_intent *in = &a->intents[0];
    assert_true(text_eq(in->name, TEXT("a")) && text_eq(in->title, TEXT("a")) && text_eq(in->reason, TEXT("a")));
    assert_int_equal(in->then, AGENT_LISTEN);
    assert_int_equal(in->digit, 0);
    assert_null(in->tool.p);
    assert_int_equal(in->place.line, 3);
    assert_string_equal(in->place.file, path);
    agent_file_free(a);
    agent_file_free(NULL);
}

static void test_everything_given(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(
        load(&a, "[agent]\ngreeting = Hi \\; there\nvoice = rms\nreprompt = R\nconfirm = C {title}\ndigits_help = D {digits}\n"
                 "no_input = N\nno_input_after = 3s\ngoodbye = G\ngive_up = U\naccept = -2000\nconfirm_above = -2500\n"
                 "barge_in = dtmf\nbarge_in_after = 400ms\n"
                 "[intent opening-hours]\nsay = What   ARE your\thours\nsay = it's when\ndigit = *\ntool = hours_tool\n"
                 "answer = From {opens}.\nfailed = F\nthen = hand_back\nreason = why\n"
                 "[intent bye]\ndigit = #\nthen = hang_up\n"),
        0);
    assert_true(text_eq(a->greeting, TEXT("Hi ; there")));
    assert_true(text_eq(a->voice, TEXT("rms")) && text_eq(a->digits_help, TEXT("D {digits}")));
    assert_int_equal(a->no_input_ms, 3000);
    assert_int_equal(a->barge_in_ms, 400);
    assert_true(a->accept == -2000 && a->confirm_above == -2500);
    assert_true(!a->barge_in_voice && a->barge_in_dtmf);
    assert_int_equal(a->intent_count, 2);
    const struct agent_intent *in = &a->intents[0];
    assert_int_equal(in->phrase_count, 2);
    assert_true(text_eq(in->phrases[0], TEXT("what are your hours")));
    assert_true(text_eq(in->phrases[1], TEXT("it's when")));
    assert_true(text_eq(in->title, TEXT("opening hours")));
    assert_int_equal(in->digit, '*');
    assert_true(text_eq(in->tool, TEXT("hours_tool")) && text_eq(in->answer, TEXT("From {opens}.")));
    assert_int_equal(in->then, AGENT_HAND_BACK);
    assert_true(text_eq(in->reason, TEXT("why")));
    assert_int_equal(a->intents[1].then, AGENT_HANG_UP);
    agent_file_free(a);
}

static void test_template(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(load(&a, AGENT "[intent base](!)\nthen = hand_back\nreason = desk\n"
                                    "[intent a](intent base)\nsay = one more time\nreason = other\n"),
                     0);
    assert_int_equal(a->intent_count, 1);
    assert_int_equal(a->intents[0].then, AGENT_HAND_BACK);
    assert_true(text_eq(a->intents[0].reason, TEXT("other"))); /* an inherited key may be replaced */
    agent_file_free(a);
}

static void test_mistakes(void **state)
{
    (void)state;
    refused("[agent]\nvoice = slt\n" INTENT, 1, "no greeting");
    refused(INTENT, 1, "no [agent]");
    refused(AGENT, 1, "no [intent NAME]");
    refused(AGENT "gretting = x\n" INTENT, 3, "\"gretting\" in [agent]; the nearest is greeting");
    refused(AGENT INTENT "anwser = x\n", 6, "the nearest is answer");
    refused(AGENT "[agents]\nx = y\n" INTENT, 3, "no section [agents]");
    refused(AGENT "voice = bob\n" INTENT, 3, "no voice \"bob\"");
    refused(AGENT "reprompt =\n" INTENT, 3, "expected words");
    refused(AGENT "reprompt = a {mark}\n" INTENT, 3, "{mark} cannot be filled here");
    refused(AGENT "confirm = a {name}?\n" INTENT, 3, "only {title}");
    refused(AGENT "confirm = a {title?\n" INTENT, 3, "brace");
    refused(AGENT "no_input_after = soon\n" INTENT, 3, "expected a time");
    refused(AGENT "no_input_after = 1ms\n" INTENT, 3, "outside 1000 ...");
    refused(AGENT "accept = high\n" INTENT, 3, "expected a score");
    refused(AGENT "accept = 5\n" INTENT, 3, "expected a score");
    refused(AGENT "accept = -4000\n" INTENT, 1, "below confirm_above");
    refused(AGENT "barge_in = shout\n" INTENT, 3, "got \"shout\"");
    refused(AGENT "barge_in = none, dtmf\n" INTENT, 3, "none cannot");
    refused(AGENT "voice = slt\nvoice = rms\n" INTENT, 4, "given in line 3");
    refused(AGENT INTENT "[agent]\ngreeting = x\n", 6, "line 1 already");
    refused(AGENT INTENT "[intent a]\nsay = what is this\nanswer = x\n", 6, "line 3 already");
}

static void test_mistakes_of_intents(void **state)
{
    (void)state;
    refused(AGENT "[intent a b]\nsay = what is it\nanswer = x\n", 3, "got \"a b\"");
    refused(AGENT "[intent a]\nanswer = x\n", 3, "neither say nor digit");
    refused(AGENT "[intent a]\nsay = what is it\n", 3, "no answer");
    refused(AGENT INTENT "[intent b]\ndigit = 1\nanswer = x\n[intent c]\ndigit = 1\nanswer = x\n", 10, "[intent b], line 6");
    refused(AGENT INTENT "digit = 12\n", 6, "got \"12\"");
    refused(AGENT INTENT "digit = A\n", 6, "got \"A\"");
    refused(AGENT INTENT "then = leave\n", 6, "got \"leave\"");
    refused(AGENT INTENT "tool = a b\n", 6, "got \"a b\"");
    refused(AGENT INTENT "reason = a,b\n", 6, "got \"a,b\"");
    refused(AGENT "[intent a]\nsay = what is it\nanswer = {x}\n", 3, "no tool to fill it");
    refused(AGENT INTENT "say = press 1 now\n", 6, "digit 1");
    refused(AGENT INTENT "say = what, now\n", 6, "character ,");
    refused(AGENT INTENT "say = caf\xc3\xa9\n", 6, "byte 0xc3");
    refused(AGENT INTENT "say =\n", 6, "1 to 120");
    refused(AGENT INTENT "say = What is THAT\n", 6, "line 4 already");
}

static void test_every_mistake_at_once_in_file_order(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(load(&a, "[agent]\nvoice = bob\ncolour = red\n[intent a]\nsay = 1\ndigit = x\n[shop]\n"), -EINVAL);
    assert_null(a);
    unsigned last = 0;
    for (const char *line = told; *line; line = strchr(line, '\n') + 1) {
        const unsigned number = (unsigned)strtoul(line, NULL, 10);
        assert_true(number >= last);
        last = number;
    }
    assert_int_equal(last, 7);
    assert_int_equal(told_count, 7); /* greeting, voice, colour, say, digit, no answer, shop */
}

static void test_bounds(void **state)
{
    enum { SIZE = 80000 };
    struct agent_file *a = NULL;
    char *text = malloc(SIZE);

    (void)state;
    for (int phrases = 500; phrases <= 501; phrases++) {
        size_t n = (size_t)snprintf(text, SIZE, "%s", AGENT "[intent a]\nanswer = x\n");
        for (int i = 0; i < phrases; i++) {
            n += (size_t)snprintf(text + n, SIZE - n, "say = ask ");
            for (int k = i + 1000; k > 0; k /= 10)
                n += (size_t)snprintf(text + n, SIZE - n, "%c", 'a' + k % 10);
            n += (size_t)snprintf(text + n, SIZE - n, "\n");
        }
        assert_int_equal(load(&a, text), phrases == 500 ? 0 : -EINVAL);
        if (phrases == 500)
            assert_int_equal(a->intents[0].phrase_count, 500);
        else
            assert_non_null(strstr(told, "more than 500 phrases"));
        agent_file_free(a);
        a = NULL;
    }
    size_t n = (size_t)snprintf(text, SIZE, "%s", AGENT);
    for (int i = 0; i < 101; i++)
        n += (size_t)snprintf(text + n, SIZE - n, "[intent a%d]\nsay = %c%c\nanswer = x\n", i, 'a' + i / 26, 'a' + i % 26);
    assert_int_equal(load(&a, text), -EINVAL);
    assert_non_null(strstr(told, "more than 100 intents"));
    n = (size_t)snprintf(text, SIZE, "%s", AGENT INTENT "failed = ");
    memset(text + n, 'x', 601);
    text[n + 601] = '\0';
    assert_int_equal(load(&a, text), -EINVAL);
    assert_non_null(strstr(told, "601 bytes"));
    n = (size_t)snprintf(text, SIZE, "%s", "[agent]\n");
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(text + n, SIZE - n, "x%d = 1\n", i);
    assert_int_equal(load(&a, text), -EINVAL);
    assert_int_equal(told_count, 200); /* enough to mend first */
    free(text);
}

static void test_no_such_file(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(load_path(&a, "/nowhere/at/all.agent"), -ENOENT);
    assert_null(a);
}

static void test_a_listener_is_not_needed(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    load(&a, AGENT);
    assert_int_equal(agent_file_load(&a, path, NULL, NULL), -EINVAL);
}

/* The shipped example, found from this source file, whose name may be relative to the build directory, two above the program.
 */
static void source_path(char *out, size_t size, const char *name)
{
    const char *end = strstr(__FILE__, "tests/unit/");
    char exe[512];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    assert_non_null(end);
    assert_true(n > 0);
    exe[n] = '\0';
    *strrchr(exe, '/') = '\0';
    snprintf(out, size, "%s%s%.*s%s", __FILE__[0] == '/' ? "" : exe, __FILE__[0] == '/' ? "" : "/../../", (int)(end - __FILE__),
             __FILE__, name);
}

static void test_the_shipped_agent(void **state)
{
    struct agent_file *a = NULL;
    char file[1024];

    (void)state;
    source_path(file, sizeof file, "agents/reception.agent");
    assert_int_equal(load_path(&a, file), 0);
    assert_string_equal(told, "");
    assert_int_equal(a->intent_count, 4);
    for (size_t i = 0; i < a->intent_count; i++) {
        assert_true(a->intents[i].phrase_count >= 4);
        assert_true(a->intents[i].digit != 0);
        for (size_t k = 0; k < a->intents[i].phrase_count; k++)
            assert_true(text_find(a->intents[i].phrases[k], ' ') > 0);
    }
    agent_file_free(a);
}

static void test_allocation_failures(void **state)
{
    struct agent_file *a = NULL;

    (void)state;
    assert_int_equal(load(&a, AGENT INTENT), 0);
    agent_file_free(a);
    for (long n = 1;; n++) {
        a = NULL;
        fail_alloc_at(n);
        const int err = load_path(&a, path);
        const bool hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit) {
            assert_int_equal(err, 0);
            agent_file_free(a);
            return;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everything_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_template, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes_of_intents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_mistake_at_once_in_file_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test(test_no_such_file),
        cmocka_unit_test_setup_teardown(test_a_listener_is_not_needed, setup, teardown),
        cmocka_unit_test(test_the_shipped_agent),
        cmocka_unit_test_setup_teardown(test_allocation_failures, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
