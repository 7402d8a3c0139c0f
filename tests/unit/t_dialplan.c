/* extensions.conf as a model: numbering, labels, merging, matching, jumps, and outsiders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"
#include "audit/dialplan.h"
#include "audit/flow.h"
#include "audit/outsiders.h"
#include "audit_files.h"
#include "base/buf.h"

static struct audit *open_text(struct audit_files *f, const char *text)
{
    const struct audit_options opt = { .folder = "/etc/asterisk", .source = &f->source };
    struct audit *a = NULL;

    audit_files_init(f, "extensions.conf", text);
    assert_int_equal(audit_open(&a, &opt), 0);
    assert_non_null(a->dialplan);
    return a;
}

static const struct dialplan_extension *extension(const struct audit *a, const char *context, const char *name)
{
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, text_of(context));

    return c ? dialplan_extension_of(a->dialplan, c, text_of(name), TEXT_NONE) : NULL;
}

static const char steps_text[] =
    "[globals]\nEXT=77\n[general]\nstatic=yes\n"
    "[tpl](!)\nexten => 9,1,NoOp(from template)\n"
    "[a]\n"
    "exten => 1,1(top),NoOp( x )\n"
    " same => n,Playback(a,b(c))\n"
    " same => n+2(later),Hangup\n"
    "exten => 13,n,Answer()\n"
    "exten => ${EXT},1,Answer()\n"
    "exten => 1 2 3,1,Answer()\n"
    "exten => 5/555,1,Answer()\n"
    "exten => 6,hint,PJSIP/6&PJSIP/7\n"
    "exten => 1,top+1,Answer()\n"
    "[b](tpl)\nexten => 1,1,Answer()\n"
    "[a]\nexten => 2,1,Answer()\ninclude => b,09:00-17:00,mon-fri,*,*\nswitch => Realtime/x@y\n";

static void test_steps(void **state)
{
    struct audit_files f;
    struct audit *a = open_text(&f, steps_text);
    const struct dialplan_extension *e = extension(a, "a", "1");

    (void)state;
    assert_int_equal(a->dialplan->context_count, 2);
    assert_int_equal(e->step_count, 3);
    assert_int_equal(e->steps[0].priority, 1);
    assert_int_equal(e->steps[1].priority, 2);
    assert_int_equal(e->steps[2].priority, 5); /* n+2 behind 2: seen on 22.10.1 */
    assert_true(text_eq(e->steps[0].args, TEXT(" x ")));
    assert_true(text_eq(e->steps[1].args, TEXT("a,b(c)")));
    assert_int_equal(e->steps[1].place.line, 9);
    assert_int_equal(e->steps[1].args_column, 21);
    assert_true(text_eq(e->steps[2].app, TEXT("Hangup")));
    assert_ptr_equal(dialplan_label_of(e, TEXT("later")), e->steps + 2);
    assert_int_equal(extension(a, "a", "13")->steps[0].priority, 6);
    assert_non_null(extension(a, "a", "77"));
    assert_non_null(extension(a, "a", "123"));
    assert_null(extension(a, "a", "5"));
    assert_true(text_eq(extension(a, "a", "6")->hint, TEXT("PJSIP/6&PJSIP/7")));
    assert_non_null(extension(a, "b", "9"));
    assert_non_null(extension(a, "a", "2"));
    assert_true(dialplan_context_of(a->dialplan, TEXT("a"))->has_switch);
    assert_ptr_equal(dialplan_context_of(a->dialplan, TEXT("a"))->includes[0].target, dialplan_context_of(a->dialplan, TEXT("b")));
    assert_int_equal(a->dialplan->problem_count, 1); /* top+1 is 2, and taken */
    assert_int_equal(a->dialplan->problems[0].fault, DIALPLAN_TWICE);
    audit_free(a);
}

static void test_matching(void **state)
{
    static const struct {
        const char *pattern, *dialled;
        bool matches;
    } cases[] = {
        { "100", "100", true },     { "100", "1000", false },  { "_XXX", "100", true },   { "_XXX", "10a", false },
        { "_NXX", "100", false },   { "_ZXX", "100", true },   { "_X.", "1", false },     { "_X.", "12", true },
        { "_X!", "1", true },       { "_X!", "a", false },     { "_[1-35]X", "40", false }, { "_[1-35]X", "50", true },
        { "_1-XX", "123", true },   { "_.", "s", true },       { "_", "", true },         { "_n", "n", false },
        { "_[n]", "n", true },      { "_*X", "*5", true },     { "n", "n", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (dialplan_matches(text_of(cases[i].pattern), text_of(cases[i].dialled)) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].dialled);
    assert_true(dialplan_rank(TEXT("_1XX"), TEXT("_NXX")) < 0);
    assert_true(dialplan_rank(TEXT("_XXX"), TEXT("_NXX")) > 0);
    assert_true(dialplan_rank(TEXT("_X."), TEXT("_XX")) > 0);
    assert_true(dialplan_rank(TEXT("_X!"), TEXT("_X.")) > 0);
    assert_true(dialplan_rank(TEXT("100"), TEXT("_100")) < 0);
    assert_int_equal(dialplan_rank(TEXT("_NXX"), TEXT("_[2-9]xx")), 0);
}

static void test_search(void **state)
{
    struct audit_files f;
    struct audit *a = open_text(&f, "[a]\nexten => _1XX,1,NoOp()\nexten => 100,1,NoOp()\nexten => _1XX,2,NoOp()\ninclude => b\n"
                                    "[b]\nexten => _.,1,NoOp()\nexten => _NXX,1,NoOp()\ninclude => a\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("a"));
    bool is_open;

    (void)state;
    assert_true(text_eq(dialplan_match(a->dialplan, c, TEXT("100"), 1, &is_open)->name, TEXT("100")));
    assert_true(text_eq(dialplan_match(a->dialplan, c, TEXT("100"), 2, &is_open)->name, TEXT("_1XX")));
    assert_true(text_eq(dialplan_match(a->dialplan, c, TEXT("200"), 1, &is_open)->name, TEXT("_NXX")));
    assert_true(text_eq(dialplan_match(a->dialplan, c, TEXT("h"), 0, &is_open)->name, TEXT("_.")));
    assert_null(dialplan_match(a->dialplan, c, TEXT("200"), 7, &is_open)); /* and the circle of includes ends */
    assert_false(is_open);
    audit_free(a);
}

static void test_targets(void **state)
{
    struct audit_files f;
    struct audit *a = open_text(&f, "[a]\nexten => 1,1,GotoIf($[\"${X}\" = \"a,b\"]?b,2,1:lab)\n same => n(lab),Dial(PJSIP/1&Local/2@b/n,20,tU(sub^1)b(b^2^1))\n"
                                    " same => n,Goto(${Y},s,1)\n same => n,ExecIf(${Z}?Gosub(b,2,1(7,8)):Goto(gone,1))\n"
                                    "[b]\nexten => 2,1,Return()\n[sub]\nexten => s,1,Return()\n");
    const struct dialplan_extension *e = extension(a, "a", "1");
    struct flow_target t[FLOW_TARGETS_MAX];
    struct flow_call calls[FLOW_CALLS_MAX];

    (void)state;
    assert_int_equal(flow_targets(a->dialplan, e->steps, t), 2);
    assert_true(t[0].state == FLOW_FOUND && t[0].is_named && t[0].is_sure && text_eq(t[0].context->name, TEXT("b")));
    assert_true(t[1].state == FLOW_FOUND && t[1].step == e->steps + 1);
    assert_int_equal(flow_targets(a->dialplan, e->steps + 1, t), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(t[i].state == FLOW_FOUND && t[i].returns);
    assert_int_equal(flow_targets(a->dialplan, e->steps + 2, t), 1);
    assert_int_equal(t[0].state, FLOW_DYNAMIC);
    assert_int_equal(flow_targets(a->dialplan, e->steps + 3, t), 2);
    assert_int_equal(t[0].state, FLOW_FOUND);
    assert_int_equal(t[1].state, FLOW_NO_EXTENSION);
    assert_int_equal(flow_calls(e->steps + 3, calls), 3);
    assert_true(flow_ends(e->steps) && !flow_ends(e->steps + 1) && flow_ends(e->steps + 2));
    audit_free(a);
}

static void test_outsiders(void **state)
{
    struct audit_files f;
    struct audit *a = open_text(&f, "[in]\n[office]\n[default]\n;; file pjsip.conf\n[anonymous]\ntype=endpoint\ncontext=in\n"
                                    "[100]\ntype=endpoint\ncontext=office\nauth=100\n");
    struct outsider out[OUTSIDERS_MAX];

    (void)state;
    assert_int_equal(outsiders_find(a, out), 2);
    assert_true(text_eq(out[0].context->name, TEXT("in")));
    assert_true(text_eq(out[1].context->name, TEXT("default")));
    audit_free(a);
}

/* As many lines as the largest dialplans have: every one is read, and every rule looks at it. */
static void test_large(void **state)
{
    static const char *const codes[] = { "ST101", "ST105", "ST120", "ST202" };
    struct audit_files f;
    struct audit *a = NULL;
    struct buf b;

    (void)state;
    buf_init(&b, 64 << 20);
    buf_add_text(&b, TEXT("[large]\n"));
    for (int i = 0; i < 10000; i++)
        buf_addf(&b, "exten => 5%05d,1,Set(X=${EXTEN})\n same => n,Hangup()\n", i);
    assert_non_null(buf_cstr(&b));
    audit_files_init(&f, "extensions.conf", b.p);
    assert_int_equal(audit_files_run(&a, &f, codes, 4), 0);
    assert_int_equal(a->dialplan->step_count, 20000);
    assert_int_equal(a->finding_count, 0);
    audit_free(a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),   cmocka_unit_test(test_matching),  cmocka_unit_test(test_search),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_outsiders), cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
