/* The demo's verdict: each step needs both who did it and who saw it, and any one that is missing is a NO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/demo_files.h"
#include "app/demo_proof.h"

enum { SEEN = 15 };

static void fact(struct demo_proof *p, int64_t at, const char *kind, const char *detail)
{
    struct fact f = { .wall_us = at, .detail = (char *)(uintptr_t)detail };

    text_copy(f.kind, sizeof f.kind, text_of(kind));
    demo_proof_fact(p, &f);
}

/* One thing that is seen in a good call; the table is the whole call. */
static void see(struct demo_proof *p, int which)
{
    switch (which) {
    case 0:
        fact(p, 10, "agi.end", "{\"name\":\"" DEMO_CALLER_NAME "\"}");
        break;
    case 1:
        demo_proof_event(p, TEXT("asked"), TEXT("HANDOFF"), TEXT(DEMO_CALLER_NAME), TEXT("reception"));
        break;
    case 2:
        fact(p, 30, "caller.said", "{\"text\":\"" DEMO_QUESTION "\",\"intent\":\"hours\",\"accepted\":1}");
        break;
    case 3:
        fact(p, 40, "tool", "{\"name\":\"opening_hours\",\"outcome\":\"ok\"}");
        break;
    case 4:
        fact(p, 50, "agent.said", "{\"text\":\"We are open from nine in the morning\"}");
        break;
    case 5:
        demo_proof_moment(p, 60, "said-stop", "say " DEMO_QUESTION);
        break;
    case 6:
        demo_proof_moment(p, 70, "heard-start", "");
        break;
    case 7:
        demo_proof_moment(p, 80, "said-start", "say " DEMO_REQUEST);
        break;
    case 8:
        fact(p, 85, "barge_in", "{\"by\":\"voice\",\"played_ms\":900}");
        break;
    case 9:
        demo_proof_moment(p, 90, "heard-stop", "");
        break;
    case 10:
        fact(p, 95, "caller.said", "{\"text\":\"" DEMO_REQUEST "\",\"intent\":\"operator\",\"accepted\":true}");
        break;
    case 11:
        demo_proof_event(p, TEXT("resumed"), TEXT("OK"), TEXT_NONE, TEXT("operator"));
        break;
    case 12:
        demo_proof_event(p, TEXT("measured"), TEXT("OK"), TEXT_NONE, TEXT_NONE);
        break;
    case 13:
        p->done[STEP_CLEAN] = true;
        break;
    default:
        fact(p, 99, "figures", "{\"route\":\"caller-name\",\"commands\":201,\"command_p50_us\":70,\"command_p99_us\":200}");
    }
}

static bool verdict(int without, char **told)
{
    struct demo_proof p = { 0 };
    size_t n;
    FILE *to = open_memstream(told, &n);
    bool all;

    assert_non_null(to);
    for (int i = 0; i < SEEN; i++)
        if (i != without)
            see(&p, i);
    all = demo_proof_print(&p, to);
    fclose(to);
    return all;
}

static void test_a_whole_call_is_proved(void **state)
{
    char *told;

    (void)state;
    assert_true(verdict(-1, &told));
    assert_null(strstr(told, "NO "));
    assert_non_null(strstr(told, "(201 commands)"));
    free(told);
}

static void test_each_thing_not_seen_is_a_no(void **state)
{
    (void)state;
    for (int without = 0; without < 14; without++) { /* the last one is figures only */
        char *told;

        assert_false(verdict(without, &told));
        assert_non_null(strstr(told, "NO "));
        free(told);
    }
}

static void test_other_words_do_not_count(void **state)
{
    struct demo_proof p = { 0 };

    (void)state;
    fact(&p, 1, "caller.said", "{\"text\":\"" DEMO_QUESTION "\",\"intent\":\"hours\",\"accepted\":0}");
    fact(&p, 1, "caller.said", "{\"text\":\"something else\",\"intent\":\"hours\",\"accepted\":1}");
    fact(&p, 1, "caller.said", "not json");
    demo_proof_event(&p, TEXT("resumed"), TEXT("ERROR"), TEXT_NONE, TEXT("operator"));
    demo_proof_moment(&p, 5, "heard-stop", "");
    assert_false(p.done[STEP_QUESTION]);
    assert_false(p.done[STEP_BACK]);
    assert_false(p.done[STEP_BARGE_IN]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_call_is_proved),
        cmocka_unit_test(test_each_thing_not_seen_is_a_no),
        cmocka_unit_test(test_other_words_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
