/* Tapes, masks, recordings, differences: the pure parts of the flight recorder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "fail_alloc.h"
#include "route/asked.h"
#include "route/compare.h"
#include "route/mask.h"
#include "route/tape.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void env_make(struct agi_env *env, const char *lines)
{
    agi_env_init(env);
    assert_int_equal(agi_env_feed(env, lines, strlen(lines)), strlen(lines));
    assert_true(env->done);
}

/* ---- tape ---- */

static struct tape *tape_make(void)
{
    struct tape *t = tape_new(0);
    struct agi_env env;

    assert_non_null(t);
    env_make(&env, "agi_network: yes\nagi_callerid: 1001\nagi_callerid: 6\nagi_uniqueid: 17.1\nagi_arg_1:\n\n");
    tape_add_env(t, &env);
    agi_env_free(&env);
    tape_add(t, TAPE_COMMAND, 10, TEXT("GET VARIABLE \"X\""));
    tape_add(t, TAPE_REPLY, 20, text_make("200 result=1 (a\nb\0c 7 r)\n)", 26));
    tape_add(t, TAPE_HANGUP, 25, TEXT(""));
    tape_add(t, TAPE_COMMAND, 30, TEXT("NOOP"));
    tape_add(t, TAPE_NO_REPLY, 40, TEXT(""));
    tape_add(t, TAPE_END, 50, TEXT("OK "));
    return t;
}

static void a_tape_survives_writing(void **state)
{
    struct tape *t = tape_make(), *u;
    struct tape_entry a, b;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    assert_int_equal(tape_write(t, &out), 0);
    assert_int_equal(tape_read(&u, buf_text(&out)), 0);
    assert_int_equal(tape_count(u), 11);
    assert_int_equal(tape_count(u), tape_count(t));
    assert_int_equal(tape_commands(u), 2);
    for (size_t i = 0; tape_at(t, i, &a); i++) {
        assert_true(tape_at(u, i, &b));
        assert_int_equal(a.kind, b.kind);
        assert_int_equal(a.us, b.us);
        assert_true(text_eq(a.text, b.text));
    }
    assert_true(text_eq(tape_env(u, TEXT("agi_callerid")), TEXT("1001")));
    assert_true(text_eq(tape_env(u, TEXT("agi_arg_1")), TEXT("")));
    assert_null(tape_env(u, TEXT("agi_caller")).p);
    assert_true(tape_has_ended(u) && !tape_is_cut(u));
    for (size_t n = 1; n < out.n; n++) { /* half of one is none, or a shorter one: never a crash */
        struct tape *half;

        if (tape_read(&half, text_head(buf_text(&out), n)) == 0) {
            assert_true(tape_count(half) < tape_count(t));
            ref_drop(half);
        }
    }
    ref_drop(t);
    ref_drop(u);
    buf_free(&out);
}

static void nonsense_is_no_tape(void **state)
{
    static const char *const bad[] = { "z 1 2 ab\n", "c 1 2 abc\n", "c -1 2 ab\n", "c 1 -2 ab\n", "c 1 99999999999999999999 a\n", "c 1 4294967296 a\n",
                                       "c 1", "c", "\n", "c 1 2\nab\n", "c  1 2 ab\n", "e 0 3 a: \nx" };
    struct tape *t;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(tape_read(&t, text_of(bad[i])), -EINVAL);
    assert_int_equal(tape_read(&t, TEXT("")), 0);
    assert_int_equal(tape_count(t), 0);
    ref_drop(t);
}

static unsigned told;

static void on_change(void *arg)
{
    assert_ptr_equal(arg, &told);
    told++;
}

static void a_full_tape_is_cut_and_stays_so(void **state)
{
    struct tape *t = tape_new(10);
    struct tape_entry e;

    (void)state;
    told = 0;
    tape_listen(t, on_change, &told);
    tape_add(t, TAPE_COMMAND, 1, TEXT("1234567890"));
    assert_false(tape_has_ended(t));
    tape_add(t, TAPE_REPLY, 2, TEXT("x"));
    tape_add(t, TAPE_COMMAND, 3, TEXT(""));
    assert_true(tape_is_cut(t) && tape_has_ended(t));
    assert_int_equal(tape_count(t), 1);
    assert_int_equal(told, 2);
    assert_true(tape_at(t, 0, &e) && text_eq(e.text, TEXT("1234567890")) && !tape_at(t, 1, &e));
    ref_drop(t);
    t = tape_new(0);
    for (int i = 0; i < TAPE_ENTRIES_MAX + 5; i++)
        tape_add(t, TAPE_HANGUP, i, TEXT(""));
    assert_int_equal(tape_count(t), TAPE_ENTRIES_MAX);
    assert_true(tape_is_cut(t));
    ref_drop(t);
}

/* ---- mask ---- */

static struct mask mask_make(const char *lines)
{
    struct agi_env env;
    struct mask m;

    env_make(&env, lines);
    mask_learn(&m, &env);
    agi_env_free(&env);
    return m;
}

static void numbers_are_hidden_alike(void **state)
{
    const struct mask m = mask_make("agi_network: yes\nagi_callerid: +49 (30) 123-4567\nagi_dnid: 100\nagi_rdnis: unknown\nagi_callerid: 0815471100\n\n");
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "49301234567", "00000000001" },
        { "x49301234567y49301234567", "x00000000001y00000000001" },
        { "+49 (30) 123-4567", "+00 (00) 000-0001" },
        { "0301234567", "0000000001" },       /* national */
        { "123 45 67", "000 00 01" },
        { "1234567", "0000001" },
        { "234567", "234567" },                /* too little to be known again */
        { "100", "002" },
        { "2100", "2100" }, { "1001", "1001" }, { "a100b", "a002b" }, { "100-100", "002-002" },
        { "0815471100", "0000000003" },
        { "471100 815471100", "471100 000000003" },
        { "49301234568", "49301234568" },
        { "", "" },
        { "4930123456", "4930123456" },
    };

    (void)state;
    assert_int_equal(m.count, 3);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out;

        buf_init(&out, 200);
        mask_add(&m, &out, text_of(cases[i].in));
        if (!text_eq(out.n ? buf_text(&out) : TEXT(""), text_of(cases[i].out)))
            fail_msg("\"%s\" became \"%.*s\"", cases[i].in, TEXT_ARG(buf_text(&out)));
        buf_free(&out);
    }
}

static void short_and_missing_numbers_are_left(void **state)
{
    const struct mask m = mask_make("agi_network: yes\nagi_callerid: 12\nagi_dnid: unknown\nagi_extension: 4711\n\n");
    char text[] = "12 4711";

    (void)state;
    assert_int_equal(m.count, 0);
    mask_text(&m, text, strlen(text));
    assert_string_equal(text, "12 4711");
}

static void many_numbers_are_bounded(void **state)
{
    char lines[4000] = "agi_network: yes\n";
    struct mask m;

    (void)state;
    for (int i = 0; i < 40; i++)
        sprintf(lines + strlen(lines), "agi_callerid: 55501%02d%s\n", i, i == 39 ? "99999999999999999999999999999999999999999" : "");
    strcat(lines, "\n");
    m = mask_make(lines);
    assert_int_equal(m.count, MASK_NUMBERS_MAX);
    strcpy(lines, "5550100");
    mask_text(&m, lines, 7);
    assert_string_equal(lines, "0000001");
}

/* ---- compare ---- */

static void the_same_words_are_the_same_command(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "ANSWER", "answer", true },
        { "GET VARIABLE \"X\"", "get  variable\tX", true },
        { "GET VARIABLE x", "GET VARIABLE X", false },
        { "SET VARIABLE X \"a b\\\"c\\\\\"", "SET VARIABLE \"X\" a\\ b\\\"c\\\\", true },
        { "SET VARIABLE X \"\"", "SET VARIABLE X", false },
        { "EXEC NoOp \"a,b\"", "EXEC NoOp a,b", true },
        { "EXEC NoOp a", "EXEC noop a", false },
        { "GET FULL VARIABLE X", "get full variable X", true },
        { "STREAM FILE a \"\"", "STREAM FILE a \"\" ", true },
        { "", "", true },
        { "NOOP", "NOOP a", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (command_same(text_of(cases[i].a), text_of(cases[i].b)) != cases[i].same)
            fail_msg("%s | %s", cases[i].a, cases[i].b);
        assert_int_equal(command_same(text_of(cases[i].b), text_of(cases[i].a)), cases[i].same);
    }
}

static void variables_are_read(void **state)
{
    char *name, *value;

    (void)state;
    assert_int_equal(command_sets(TEXT("SET VARIABLE \"A(b)\" \"x \\\"y\\\\\""), &name, &value), 1);
    assert_string_equal(name, "A(b)");
    assert_string_equal(value, "x \"y\\");
    free(name);
    free(value);
    assert_int_equal(command_sets(TEXT("set variable E \"\""), &name, &value), 1);
    assert_string_equal(value, "");
    free(name);
    free(value);
    assert_int_equal(command_sets(TEXT("SET VARIABLE E"), &name, &value), 0);
    assert_int_equal(command_sets(TEXT("SET CALLERID 1"), &name, &value), 0);
}

/* Every pair of short lists over three commands: the rows rebuild both lists, and no shorter difference exists. */
static size_t longest(const char *a, const char *b)
{
    size_t x, y;

    if (!*a || !*b)
        return 0;
    if (*a == *b)
        return 1 + longest(a + 1, b + 1);
    x = longest(a + 1, b);
    y = longest(a, b + 1);
    return x > y ? x : y;
}

static size_t list_make(struct text *list, char *letters, unsigned code)
{
    static const char *const words[] = { "A", "B", "C" };
    const unsigned n = code % 5;

    code /= 5;
    for (unsigned i = 0; i < n; i++, code /= 3) {
        list[i] = text_of(words[code % 3]);
        letters[i] = (char)('A' + code % 3);
    }
    letters[n] = '\0';
    return n;
}

static void check_pair(unsigned one, unsigned two)
{
    struct text old[5], new[5];
    char a[6], b[6];
    const size_t n = list_make(old, a, one), m = list_make(new, b, two);
    struct compare_row *rows;
    size_t count, i = 0, k = 0, both = 0;

    assert_int_equal(compare_commands(old, n, new, m, &rows, &count), 0);
    for (size_t r = 0; r < count; r++) {
        if (rows[r].side != COMPARE_NEW)
            assert_int_equal(rows[r].old_at, i++);
        if (rows[r].side != COMPARE_OLD)
            assert_int_equal(rows[r].new_at, k++);
        if (rows[r].side == COMPARE_BOTH) {
            assert_int_equal(a[rows[r].old_at], b[rows[r].new_at]);
            both++;
        }
    }
    assert_int_equal(i, n);
    assert_int_equal(k, m);
    assert_int_equal(both, longest(a, b));
    free(rows);
}

static void differences_are_the_shortest(void **state)
{
    (void)state;
    for (unsigned one = 0; one < 5 * 81; one++)
        for (unsigned two = 0; two < 5 * 81; two++)
            check_pair(one, two);
}

static void long_lists_end(void **state)
{
    struct text old[600], new[600];
    struct compare_row *rows;
    size_t count;

    (void)state;
    for (size_t i = 0; i < 600; i++) {
        old[i] = i == 0 || i == 599 ? TEXT("S") : TEXT("A");
        new[i] = i == 0 || i == 599 ? TEXT("S") : TEXT("B");
    }
    assert_int_equal(compare_commands(old, 600, new, 600, &rows, &count), 0); /* over COMPARE_CELLS_MAX: told bluntly */
    assert_int_equal(count, 2 + 2 * 598);
    assert_int_equal(rows[0].side, COMPARE_BOTH);
    assert_int_equal(rows[1].side, COMPARE_OLD);
    assert_int_equal(rows[599].side, COMPARE_NEW);
    assert_int_equal(rows[count - 1].side, COMPARE_BOTH);
    free(rows);
    assert_int_equal(compare_commands(old, COMPARE_COMMANDS_MAX + 1, new, 0, &rows, &count), -E2BIG);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    for (long n = 1; n < 1000; n++) {
        struct tape *t, *u = NULL;
        struct buf out;
        bool hit;

        buf_init(&out, 1 << 20);
        fail_alloc_at(n);
        t = tape_new(0);
        if (t) {
            for (int i = 0; i < 100; i++)
                tape_add(t, TAPE_COMMAND, i, TEXT("GET VARIABLE X"));
            if (tape_write(t, &out) == 0 && tape_read(&u, buf_text(&out)) == 0)
                ref_drop(u);
        }
        hit = fail_alloc_hit();
        fail_alloc_off();
        if (t && !hit)
            assert_int_equal(tape_commands(t), 100);
        ref_drop(t);
        buf_free(&out);
        if (!hit)
            return;
    }
    fail_msg("it never ran without a failure");
}

/* The same question gets its answers in their order, then the last one; other questions get none. */
static void questions_are_answered_in_order(void **state)
{
    struct tape *t = tape_new(0), *again;
    struct asked a = { 0 };
    struct buf out;
    char *big = calloc(1, ASKED_MAX + 1);

    (void)state;
    assert_non_null(t);
    assert_non_null(big);
    asked_add(t, 1, TEXT("store.get t k"), TEXT("=one"));
    tape_add(t, TAPE_COMMAND, 2, TEXT("store.get t k"));
    asked_add(t, 3, TEXT("store.get t other"), TEXT("-"));
    asked_add(t, 4, TEXT("store.get t k"), TEXT("=two\nlines"));
    asked_add(t, 5, TEXT("store.get t big"), text_make(big, ASKED_MAX + 1)); /* left out, and nothing else with it */
    asked_add(t, 6, TEXT("GET http://x/"), TEXT("=200 body"));
    tape_add(t, TAPE_ASKED, 7, TEXT("store.get t cut")); /* its answer did not fit any more */
    buf_init(&out, 1 << 16);
    assert_int_equal(tape_write(t, &out), 0);
    assert_int_equal(tape_read(&again, buf_text(&out)), 0);
    assert_true(text_eq(asked_find(&a, again, TEXT("store.get t k")), TEXT("=one")));
    assert_true(text_eq(asked_find(&a, again, TEXT("store.get t k")), TEXT("=two\nlines")));
    assert_true(text_eq(asked_find(&a, again, TEXT("store.get t k")), TEXT("=two\nlines")));
    assert_true(text_eq(asked_find(&a, again, TEXT("store.get t other")), TEXT("-")));
    assert_true(text_eq(asked_find(&a, again, TEXT("GET http://x/")), TEXT("=200 body")));
    assert_null(asked_find(&a, again, TEXT("store.get t big")).p);
    assert_null(asked_find(&a, again, TEXT("store.get t cut")).p);
    assert_null(asked_find(&a, again, TEXT("store.get t")).p);
    assert_int_equal(tape_commands(again), 1);
    asked_clear(&a);
    buf_free(&out);
    free(big);
    ref_drop(again);
    ref_drop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tape_survives_writing), cmocka_unit_test(nonsense_is_no_tape), cmocka_unit_test(a_full_tape_is_cut_and_stays_so),
        cmocka_unit_test(numbers_are_hidden_alike), cmocka_unit_test(short_and_missing_numbers_are_left),
        cmocka_unit_test(many_numbers_are_bounded), cmocka_unit_test(the_same_words_are_the_same_command),
        cmocka_unit_test(variables_are_read), cmocka_unit_test(differences_are_the_shortest), cmocka_unit_test(long_lists_end),
        cmocka_unit_test(questions_are_answered_in_order), cmocka_unit_test(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
