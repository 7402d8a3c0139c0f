/* What an agent that takes over is told: the words of both sides, cut to what was heard, in whatever order words and sound came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "call/memory.h"

enum { HZ = 8000 };

static void expect(const struct memory *m, const char *expected)
{
    char all[400] = "";

    for (size_t i = 0; i < m->words.count; i++) {
        const struct talk_turn *t = talk_words_at(&m->words, i);
        const size_t n = strlen(all);

        snprintf(all + n, sizeof all - n, "%s%s: %s", n ? " / " : "", t->is_agent ? "agent" : "caller", t->words);
    }
    assert_string_equal(all, expected);
}

static void test_words_before_their_sound(void **state)
{
    struct memory m = { .next = 0 };

    (void)state;
    memory_agent(&m, 1, TEXT("good morning"), HZ);
    memory_sound(&m, 1, HZ);
    memory_caller(&m, TEXT("hello"));
    memory_caller(&m, TEXT(""));
    memory_agent(&m, 2, TEXT("one two three four"), HZ);
    memory_sound(&m, 2, HZ);
    memory_agent(&m, 3, TEXT("never heard"), HZ);
    memory_cut(&m, 2, 600, HZ);
    memory_caller(&m, TEXT("stop"));
    expect(&m, "agent: good morning / caller: hello / agent: one two / agent:  / caller: stop");
    memory_free(&m);
}

static void test_words_behind_their_sound(void **state)
{
    struct memory m = { .next = 0 };

    (void)state;
    memory_sound(&m, 1, HZ / 2);
    memory_sound(&m, 1, HZ / 2);
    memory_cut(&m, 1, 600, HZ);
    memory_agent(&m, 1, TEXT("one two three four"), HZ);
    memory_sound(&m, 2, HZ);
    memory_agent(&m, 2, TEXT("afterwards"), HZ);
    expect(&m, "agent: one two / agent: afterwards");
    memory_cut(&m, 2, 0, HZ);
    expect(&m, "agent: one two / agent: ");
    memory_free(&m);
}

static void test_items_of_the_next_agent_are_others(void **state)
{
    struct memory m = { .next = 0 };
    struct talk_words copy = { .count = 0 };

    (void)state;
    memory_agent(&m, 1, TEXT("the first agent"), HZ);
    memory_sound(&m, 1, HZ);
    memory_switch(&m);
    talk_words_copy(&copy, &m.words);
    memory_sound(&m, 1, HZ);
    memory_agent(&m, 1, TEXT("one two three four"), HZ);
    memory_cut(&m, 1, 300, HZ);
    expect(&m, "agent: the first agent / agent: one");
    assert_int_equal(copy.count, 1);
    assert_string_equal(talk_words_at(&copy, 0)->words, "the first agent");
    talk_words_free(&copy);
    memory_free(&m);
}

/* A talk of many turns keeps the latest, and an item that has lost its place is cut no more. */
static void test_it_is_bounded(void **state)
{
    struct memory m = { .next = 0 };
    char words[20];

    (void)state;
    for (uint32_t i = 1; i <= 100; i++) {
        snprintf(words, sizeof words, "number %u", i);
        memory_sound(&m, i, HZ);
        memory_agent(&m, i, text_of(words), HZ);
    }
    assert_int_equal(m.words.count, TALK_TURNS);
    assert_string_equal(talk_words_at(&m.words, 0)->words, "number 81");
    memory_cut(&m, 100, 0, HZ);
    assert_string_equal(talk_words_at(&m.words, TALK_TURNS - 1)->words, "");
    assert_string_equal(talk_words_at(&m.words, TALK_TURNS - 2)->words, "number 99");
    memory_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_before_their_sound),
        cmocka_unit_test(test_words_behind_their_sound),
        cmocka_unit_test(test_items_of_the_next_agent_are_others),
        cmocka_unit_test(test_it_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
