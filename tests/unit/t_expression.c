/* ${} and $[] as trees: nesting, names, functions, faults, ceilings, splitting of arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/expression.h"
#include "base/buf.h"
#include "fail_alloc.h"

/* The tree as one line: t text, v variable, f function, m sum; parts in <>. */
static void dump(struct buf *b, const struct expression *e)
{
    for (; e; e = e->next) {
        if (e->kind == EXPRESSION_TEXT)
            buf_addf(b, "t'%.*s'", TEXT_ARG(e->text));
        else
            buf_addf(b, "%c%.*s", "tvfm"[e->kind], TEXT_ARG(e->name));
        if (e->parts) {
            buf_add_char(b, '<');
            dump(b, e->parts);
            buf_add_char(b, '>');
        }
    }
}

static const char *fault_of(const char *source, const char *expected)
{
    struct expression_fault fault;
    struct expression *tree;
    struct arena *memory;
    struct buf b;

    assert_int_equal(arena_new(&memory, 1 << 20), 0);
    assert_int_equal(expression_parse(&tree, &fault, memory, text_of(source)), 0);
    buf_init(&b, 1 << 16);
    dump(&b, tree);
    if (expected)
        assert_string_equal(b.n ? buf_cstr(&b) : "", expected);
    buf_free(&b);
    arena_free(memory);
    return fault.what;
}

static void test_trees(void **state)
{
    (void)state;
    assert_null(fault_of("", ""));
    assert_null(fault_of("plain $ text", "t'plain $ text'"));
    assert_null(fault_of("${A}b", "vA<t'A'>t'b'"));
    assert_null(fault_of("${A:1:2}", "vA<t'A:1:2'>"));
    assert_null(fault_of("${A${B}}", "v<t'A'vB<t'B'>>"));
    assert_null(fault_of("${FILTER(0-9,${EXTEN:1})}", "fFILTER<t'0-9,'vEXTEN<t'EXTEN:1'>>"));
    assert_null(fault_of("$[${A} + ${LEN(x)}]", "m<vA<t'A'>t' + 'fLEN<t'x'>>"));
    /* An offset may hold calls of its own: the function's arguments end before it. */
    assert_null(fault_of("${CALLERID(name):0:${LEN(${X})}}", "fCALLERID<t'name'>"));
    assert_null(fault_of("${CUT(A,:,${N}):1}", "fCUT<t'A,:,'vN<t'N'>>"));
    /* Quotes shield no bracket: Asterisk closes at the "}" between them, and the "$[" stays open. */
    assert_non_null(fault_of("${IF($[\"${A}\"=\"}\"]?1:2)}", NULL));
}

static void test_faults(void **state)
{
    char deep[4 * (EXPRESSION_DEPTH_MAX + 8)] = "";

    (void)state;
    assert_non_null(fault_of("a ${B", "t'a 't'${B'"));
    assert_non_null(fault_of("$[1", NULL));
    assert_non_null(fault_of("${A${B}", NULL));
    for (int i = 0; i < EXPRESSION_DEPTH_MAX + 4; i++)
        strcat(deep, "${");
    for (int i = 0; i < EXPRESSION_DEPTH_MAX + 4; i++)
        strcat(deep, "}");
    assert_string_equal(fault_of(deep, NULL), "nested too deep to be read");
}

static void test_many(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < EXPRESSION_NODES_MAX; i++)
        buf_add_text(&b, TEXT("${A}"));
    assert_string_equal(fault_of(buf_cstr(&b), NULL), "too many parts to be read");
    buf_free(&b);
}

static void test_cut(void **state)
{
    struct text rest = TEXT("a,\"b,c\",f(x,y),${D(1,2)},,e\\,f"), head;
    static const char *const expected[] = { "a", "\"b,c\"", "f(x,y)", "${D(1,2)}", "", "e\\,f" };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        assert_true(expression_cut(&rest, ',', &head));
        assert_true(text_eq(head, text_of(expected[i])));
    }
    assert_false(expression_cut(&rest, ',', &head));
}

static void test_memory(void **state)
{
    struct expression_fault fault;
    struct expression *tree;
    struct arena *memory;

    (void)state;
    assert_int_equal(arena_new(&memory, 600), 0);
    assert_int_equal(expression_parse(&tree, &fault, memory, TEXT("${A}${B}${C}${D}${E}")), -ENOMEM);
    arena_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees), cmocka_unit_test(test_faults), cmocka_unit_test(test_many),
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
