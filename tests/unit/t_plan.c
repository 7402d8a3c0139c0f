/* How places of AGI move: the change as a diff, what is left to a person, and that a second time changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/plan.h"
#include "audit_files.h"
#include "fail_alloc.h"

#define SCRIPT "\n;; file a.py\nfrom asterisk.agi import AGI\nagi.set_variable('X', agi.get_variable('Y'))\n"

static struct plan *plan_with(struct audit **a, struct audit_files *f, const char *text, bool with_talks)
{
    static const char *const none = "ST101";
    struct inventory *v = NULL;
    struct plan *p = NULL;

    audit_files_init(f, "extensions.conf", text);
    assert_int_equal(audit_files_run(a, f, &none, 1), 0);
    assert_int_equal(inventory_make(&v, *a, "/etc/asterisk"), 0);
    assert_int_equal(plan_make(&p, *a, v, &(struct plan_options){ .with_talks = with_talks }), 0);
    return p;
}

static struct plan *plan_of(struct audit **a, struct audit_files *f, const char *text)
{
    return plan_with(a, f, text, false);
}

static void test_patch(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct buf b;
    const struct plan *p = plan_of(&a, &f, "[in]\nexten => _X.,1(top),AGI(a.py,${EXTEN:1}) ; why\n same => n,Hangup()\n" SCRIPT);

    (void)state;
    buf_init(&b, 10000);
    assert_int_equal(p->move_count, 1);
    assert_int_equal(p->moves[0].state, PLAN_PATCH);
    assert_int_equal(plan_patch(p, &b), 0);
    assert_string_equal(buf_cstr(&b), "--- extensions.conf\n+++ extensions.conf\n@@ -1,4 +1,8 @@\n [in]\n"
                                      "-exten => _X.,1(top),AGI(a.py,${EXTEN:1}) ; why\n"
                                      "+exten => _X.,1(top),Set(SIDETONE_STATUS=)\n"
                                      "+ same => n,AGI(agi://127.0.0.1:4573/a,${EXTEN:1})\n"
                                      "+ same => n,GotoIf($[\"${SIDETONE_STATUS}\" != \"\" & \"${SIDETONE_STATUS}\" != \"BUSY\"]?sidetone-2)\n"
                                      "+ same => n,AGI(a.py,${EXTEN:1}) ; why\n"
                                      "+ same => n(sidetone-2),NoOp(${SIDETONE_STATUS})\n"
                                      "  same => n,Hangup()\n \n");
    buf_free(&b);
    audit_free(a);
}

static void test_states(void **state)
{
    static const struct {
        const char *text;
        enum plan_state want;
    } rows[] = {
        { "[in]\nexten => 1,1,NoOp()\n same => n,AGI(a.py)\n same => n(l),Hangup()\n" SCRIPT, PLAN_PATCH },
        { "[in]\nexten => 1,1,AGI(a.py)\nexten => 1,2,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(a.py)\n same => n,Goto(1,3)\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(a.py)\n same => n,Goto(l)\n same => n(l),Hangup()\n" SCRIPT, PLAN_PATCH },
        { "[in]\nexten => 1,1,AGI(a.py)\n same => n,NoOp(${AGISTATUS})\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,ExecIf($[1]?AGI(a.py))\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(a.py,x\\;y)\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,EAGI(a.py)\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(${X})\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(gone.py)\n same => n,Hangup()\n" SCRIPT, PLAN_HAND },
        { "[t](!)\nexten => 1,1,AGI(a.py)\n same => n,Hangup()\n[in](t)\n" SCRIPT, PLAN_HAND },
        { "[in]\nexten => 1,1,AGI(agi://h/x)\n same => n,Hangup()\n" SCRIPT, PLAN_LEAVE },
        { "[in]\nexten => 1,1,AGI(a.py)\n same => n,Hangup()\n\n;; file a.py\nagi.set_priority(5)\nagi.set_variable('X', 1)\n", PLAN_HAND },
        { "[in]\nexten => 1,1,GotoIf($[\"${SIDETONE_STATUS}\" != \"\"]?d)\n same => n,AGI(a.py)\n same => n(d),Hangup()\n" SCRIPT, PLAN_DONE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit_files f;
        struct audit *a = NULL;
        const struct plan *p = plan_of(&a, &f, rows[i].text);

        assert_int_equal(p->move_count, 1);
        if (p->moves[0].state != rows[i].want)
            fail_msg("row %zu: state %d, %s", i, (int)p->moves[0].state, p->moves[0].why ? p->moves[0].why : "");
        assert_int_equal(p->moves[0].why != NULL, rows[i].want == PLAN_HAND || rows[i].want == PLAN_LEAVE);
        audit_free(a);
    }
}

/* Lines that end with CR LF keep their ends; what is put in has LF alone, which Asterisk reads as well. */
static void test_carriage_returns(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct buf b;
    const struct plan *p = plan_of(&a, &f, "[in]\r\nexten => 1,1,AGI(a.py)\r\n same => n,Hangup()\r\n" SCRIPT);

    (void)state;
    buf_init(&b, 10000);
    assert_int_equal(p->moves[0].state, PLAN_PATCH);
    assert_int_equal(plan_patch(p, &b), 0);
    assert_true(text_find_text(buf_text(&b), TEXT("\n-exten => 1,1,AGI(a.py)\r\n+exten => 1,1,Set(SIDETONE_STATUS=)\n")) > 0);
    assert_true(text_find_text(buf_text(&b), TEXT("\n+ same => n,AGI(a.py)\r\n")) > 0);
    buf_free(&b);
    audit_free(a);
}

/* Two places six lines apart share a hunk, seven apart do not; lines count on. */
static void test_hunks(void **state)
{
    static const char fill[] = " same => n,NoOp()\n same => n,NoOp()\n same => n,NoOp()\n same => n,NoOp()\n same => n,NoOp()\n";

    (void)state;
    for (int apart = 6; apart <= 7; apart++) {
        struct audit_files f;
        struct audit *a = NULL;
        struct buf text, b;
        const struct plan *p;

        buf_init(&text, 10000);
        buf_init(&b, 10000);
        buf_addf(&text, "[in]\nexten => 1,1,AGI(a.py)\n%s%s same => n,AGI(a.py,2)\n same => n,Hangup()" SCRIPT, fill, apart == 7 ? " same => n,NoOp()\n" : "");
        p = plan_of(&a, &f, buf_cstr(&text));
        assert_int_equal(p->route_count, 1);
        assert_int_equal(plan_patch(p, &b), 0);
        if (apart == 6)
            assert_true(text_find_text(buf_text(&b), TEXT("@@ -1,9 +1,17 @@\n")) > 0);
        else
            assert_true(text_find_text(buf_text(&b), TEXT("@@ -1,5 +1,9 @@\n")) > 0 && text_find_text(buf_text(&b), TEXT("@@ -6,5 +10,9 @@\n")) > 0);
        buf_free(&b);
        buf_free(&text);
        audit_free(a);
    }
}

static void test_memory_may_fail(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct inventory *v = NULL;
    bool is_hit = true;

    (void)state;
    plan_of(&a, &f, "[in]\nexten => 1,1,AGI(a.py)\n same => n,Hangup()\n" SCRIPT);
    assert_int_equal(inventory_make(&v, a, "/etc/asterisk"), 0);
    for (long n = 1; is_hit; n++) {
        struct plan *p = NULL;
        struct buf b;
        int err;

        buf_init(&b, 10000);
        fail_alloc_at(n);
        err = plan_make(&p, a, v, &(struct plan_options){ .with_talks = true });
        if (!err)
            err = plan_patch(p, &b);
        is_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_int_equal(err, is_hit ? -ENOMEM : 0);
        buf_free(&b);
    }
    audit_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patch),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_carriage_returns),
        cmocka_unit_test(test_hunks),
        cmocka_unit_test(test_memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
