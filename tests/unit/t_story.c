/* Lines come out in the order of their time, long ones are broken, hostile detail stays text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/story.h"

static struct story *story;
static char *told;
static size_t told_n;
static FILE *to;

static int begin(void **state)
{
    (void)state;
    to = open_memstream(&told, &told_n);
    return to && story_new(&story, to, false) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    story_free(story);
    fclose(to);
    free(told);
    return 0;
}

static void test_late_lines_find_their_place(void **state)
{
    (void)state;
    story_begin(story, 1000000);
    story_line(story, 3000000, "agent", "second");
    story_line(story, 2000000, "pbx", "first");
    story_line(story, 9000000, "caller", "held back");
    story_tell(story, 5000000, 500000);
    assert_string_equal(told, "     1.00  pbx     first\n     2.00  agent   second\n");
    story_tell(story, 0, 0);
    assert_non_null(strstr(told, "held back"));
}

static void test_long_lines_are_broken_at_blanks(void **state)
{
    (void)state;
    story_line(story, 0, "agent", "%s", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen");
    story_tell(story, 0, 0);
    for (const char *line = told; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 92);
    assert_non_null(strstr(told, "sixteen\n"));
}

static void test_facts_become_sentences(void **state)
{
    struct fact f = { .kind = "caller.said",
                      .detail = (char *)(uintptr_t)"{\"text\":\"hello\",\"intent\":\"greet\",\"score\":-1200,\"accepted\":1}" };
    struct fact bad = { .kind = "agent.said", .detail = (char *)(uintptr_t)"{" };
    struct fact other = { .kind = "unheard.of", .detail = (char *)(uintptr_t)"{}" };

    (void)state;
    story_fact(story, &f);
    story_fact(story, &bad);
    story_fact(story, &other);
    story_tell(story, 0, 0);
    assert_string_equal(told, "     0.00  agent   < \"hello\"  understood as greet, score -1200\n");
}

/* A short session has one fact, which tells its beginning, too; a long one two, and each line once. */
static void test_a_session_is_told_once(void **state)
{
    struct fact quick = { .wall_us = 2000000, .kind = "agi.end",
                          .detail = (char *)(uintptr_t)"{\"route\":\"r\",\"status\":\"HANDOFF\",\"reason\":\"reception\",\"commands\":1,\"command_max_us\":1500,"
                                                       "\"ms\":500,\"start_told\":0,\"caller_number\":\"1001\",\"exten\":\"100\",\"name\":\"Ada\"}" };
    struct fact still = { .wall_us = 4000000, .kind = "agi.start",
                          .detail = (char *)(uintptr_t)"{\"route\":\"r\",\"ms\":1000,\"caller_number\":\"1002\",\"exten\":\"100\"}" };
    struct fact over = { .wall_us = 5000000, .kind = "agi.end",
                         .detail = (char *)(uintptr_t)"{\"route\":\"r\",\"status\":\"OK\",\"commands\":2,\"ms\":2000,\"start_told\":1,\"caller_number\":\"1002\",\"name\":\"\"}" };

    (void)state;
    story_fact(story, &quick);
    story_fact(story, &still);
    story_fact(story, &over);
    story_tell(story, 0, 0);
    assert_string_equal(told, "     1.50  agi     1001 asks route r (extension 100)\n"
                              "     2.00  agi     looked up in the store: the caller is \"Ada\"\n"
                              "     2.00  agi     hands the call off to agent reception\n"
                              "     2.00  agi     back in the dialplan with SIDETONE_STATUS=HANDOFF after 1 command, the\n"
                              "                   slowest 1.50 ms\n"
                              "     3.00  agi     1002 asks route r (extension 100)\n"
                              "     5.00  agi     back in the dialplan with SIDETONE_STATUS=OK after 2 commands, the\n"
                              "                   slowest 0.00 ms\n");
}

static void test_more_than_is_held_is_told(void **state)
{
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        story_line(story, i, "pbx", "line %d", i);
    story_tell(story, 0, 0);
    for (const char *p = told; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_late_lines_find_their_place, begin, end),
        cmocka_unit_test_setup_teardown(test_long_lines_are_broken_at_blanks, begin, end),
        cmocka_unit_test_setup_teardown(test_facts_become_sentences, begin, end),
        cmocka_unit_test_setup_teardown(test_a_session_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(test_more_than_is_held_is_told, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
