/* How places of AGI move: the change as a diff, what is left to a person, and that a second time changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/dialplan_build.h"
#include "audit/plan_lines.h"
#include "audit_files.h"
#include "fail_alloc.h"
#include "wire/conf.h"

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
                                      "+ same => n,GotoIf($[\"${SIDETONE_STATUS}\" != \"\" & \"${SIDETONE_STATUS}\" != \"BUSY\" & "
                                      "\"${FILTER(a-z_,${SIDETONE_REASON})}\" != \"no_route\"]?sidetone-2)\n"
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

#define TALK "\n;; file a.py\nimport os\nvoice = os.fdopen(3, 'rb')\nprint('SET VARIABLE TOPIC x')\n"
#define GUARD "GotoIf($[\"${STASISSTATUS}\" = \"SUCCESS\" & \"${SIDETONE_STATUS}\" != \"BUSY\" & (\"${SIDETONE_STATUS}:${SIDETONE_REASON}\" =~ " \
              "\"^ERROR:no_agent|^ERROR:no_media|^ERROR:talk_failed|^ERROR:answer_|^ERROR:bridge_|^ERROR:join_|^ERROR:media_[rft]\") = 0]?sidetone-2)"

static void test_talk(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct buf b;
    const struct plan *p = plan_with(&a, &f, "[in]\nexten => 1,1(top),EAGI(a.py,x) ; why\n same => n,Hangup()\n" TALK, true);

    (void)state;
    buf_init(&b, 10000);
    assert_int_equal(p->moves[0].state, PLAN_PATCH);
    assert_true(p->moves[0].route->is_talk);
    assert_int_equal(plan_patch(p, &b), 0);
    assert_string_equal(buf_cstr(&b), "--- extensions.conf\n+++ extensions.conf\n@@ -1,4 +1,11 @@\n [in]\n"
                                      "-exten => 1,1(top),EAGI(a.py,x) ; why\n"
                                      "+exten => 1,1(top),Set(SIDETONE_STATUS=)\n"
                                      "+ same => n,Set(SIDETONE_LIMIT=${TIMEOUT(absolute)})\n"
                                      "+ same => n,ExecIf($[\"${SIDETONE_LIMIT}\" = \"0\"]?Set(TIMEOUT(absolute)=3600))\n"
                                      "+ same => n,Stasis(sidetone,a)\n"
                                      "+ same => n,ExecIf($[\"${SIDETONE_LIMIT}\" = \"0\"]?Set(TIMEOUT(absolute)=0))\n"
                                      "+ same => n," GUARD "\n"
                                      "+ same => n,EAGI(a.py,x) ; why\n"
                                      "+ same => n(sidetone-2),NoOp(${SIDETONE_STATUS})\n"
                                      "  same => n,Hangup()\n \n");
    buf_free(&b);
    audit_free(a);
}

static void test_talk_states(void **state)
{
    static const struct {
        const char *text;
        bool with_talks;
        enum plan_state want;
        const char *why;
    } rows[] = {
        { "[in]\nexten => 1,1,EAGI(a.py)\n same => n,Hangup()\n" TALK, false, PLAN_HAND, "--with-talks" },
        { "[in]\nexten => 1,1,AGI(a.py)\n same => n,Hangup()\n" TALK, true, PLAN_PATCH, NULL },
        { "[in]\nexten => h,1,EAGI(a.py)\n same => n,Hangup()\n" TALK, true, PLAN_HAND, "nobody left" },
        { "[in]\nexten => 1,1,EAGI(a.py)\n same => n,Hangup()\n" SCRIPT, true, PLAN_HAND, "AGI() instead of EAGI()" },
        { "[in]\nexten => 1,1,EAGI(${X})\n same => n,Hangup()\n" TALK, true, PLAN_HAND, "decided in the call" },
        { "[in]\nexten => 1,1,EAGI(a.py)\nexten => 1,2,Hangup()\n" TALK, true, PLAN_HAND, "numbers" },
        { "[in]\nexten => 1,1,NoOp()\n same => n," GUARD "\n same => n,EAGI(a.py)\n same => n(sidetone-2),NoOp()\n" TALK, false, PLAN_DONE, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit_files f;
        struct audit *a = NULL;
        const struct plan *p = plan_with(&a, &f, rows[i].text, rows[i].with_talks);

        assert_int_equal(p->move_count, 1);
        if (p->moves[0].state != rows[i].want)
            fail_msg("row %zu: state %d, %s", i, (int)p->moves[0].state, p->moves[0].why ? p->moves[0].why : "");
        if (rows[i].why)
            assert_true(text_find_text(text_of(p->moves[0].why), text_of(rows[i].why)) >= 0);
        audit_free(a);
    }
}

/* A script that AGI runs here and EAGI there has a route and an agent; names are never given twice, whatever the files are called. */
static void test_names(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    const struct plan *p = plan_of(&a, &f, "[in]\nexten => 1,1,AGI(a-2.py)\n same => n,AGI(a.py)\n same => n,AGI(x/a.py)\n same => n,AGI(default.py)\n"
                                           " same => n,AGI(\xc3\xa4 b.py)\n same => n,Hangup()\n"
                                           ";; file a-2.py\nagi.set_variable('X', 1)\n;; file x/a.py\nagi.set_variable('X', 1)\n"
                                           ";; file default.py\nagi.set_variable('X', 1)\n;; file \xc3\xa4 b.py\nagi.set_variable('X', 1)\n"
                                           ";; file a.py\nagi.set_variable('X', 1)\n");
    static const char *const want[] = { "a-2", "a", "a-3", "default-2", "---b" };

    (void)state;
    assert_int_equal(p->route_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(p->routes[i].name, want[i]);
    audit_free(a);
}

static void test_labels_are_not_taken_twice(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    const struct plan *p = plan_of(&a, &f, "[in]\nexten => 1,1,AGI(a.py)\n same => n(sidetone-2),NoOp()\n same => n,Hangup()\n" SCRIPT);

    (void)state;
    assert_int_equal(p->moves[0].state, PLAN_PATCH);
    assert_string_equal(p->moves[0].label, "sidetone-2a");
    audit_free(a);
}

/* Every line that the patch makes is one that Asterisk reads, or the place is left to a person. */
static void test_long_lines(void **state)
{
    (void)state;
    for (size_t length = 7700; length < CONF_LINE_MAX; length += 10)
        for (int kind = 0; kind < 3; kind++) {
            struct audit_files f;
            struct audit *a = NULL;
            struct buf text, b;
            struct text rest, line;
            const struct plan *p;

            buf_init(&text, 100000);
            buf_init(&b, 100000);
            buf_add_text(&text, TEXT("[in]\nexten => 1,1,NoOp()\n"));
            buf_add_text(&text, kind == 0 ? TEXT("same=>n,AGI(a.py,") : kind == 1 ? TEXT("same=>n,AGI(a.py,x) ;") : TEXT("same=>"));
            for (size_t i = 0; i < length - 22; i++)
                buf_add_char(&text, kind == 2 ? ' ' : 'y');
            buf_add_text(&text, kind == 0 ? TEXT(")\n") : kind == 1 ? TEXT("\n") : TEXT("n,AGI(a.py,x)\n"));
            buf_add_text(&text, TEXT(" same => n,Hangup()\n" SCRIPT));
            p = plan_of(&a, &f, buf_cstr(&text));
            assert_int_equal(p->move_count, 1);
            assert_int_equal(plan_patch(p, &b), 0);
            rest = buf_text(&b);
            while (text_cut(&rest, '\n', &line))
                assert_true(line.n < CONF_LINE_MAX);
            assert_int_equal(p->moves[0].state, length > 8100 ? PLAN_HAND : p->moves[0].state);
            if (length < 7800)
                assert_int_equal(p->moves[0].state, PLAN_PATCH);
            if (p->moves[0].state == PLAN_HAND)
                assert_true(text_find_text(text_of(p->moves[0].why), TEXT("too long")) > 0);
            buf_free(&b);
            buf_free(&text);
            audit_free(a);
        }
}

/* Tabs, blanks, letters beyond ASCII, a file without an end of line: what is kept of the line is kept byte for byte. */
static void test_odd_lines(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "[in]\nexten\t=>\t1,1,\tAGI( a.py , x )\t; \xc3\xa4\n same => n,Hangup()\n" SCRIPT,
          "+exten\t=>\t1,1,\tSet(SIDETONE_STATUS=)\n+ same => n,AGI(agi://127.0.0.1:4573/a, x )\n" },
        { "[in]\nexten => 1,1,AGI(a.py,\xc3\xa4\xe2\x82\xac)\n same => n,Hangup()\n" SCRIPT, "+ same => n,AGI(a.py,\xc3\xa4\xe2\x82\xac)\n" },
        { "[in]\nexten => 1,1,AGI(a.py) x\n same => n,Hangup()\n" SCRIPT, "+ same => n,AGI(a.py) x\n" },
        { "[in]\nexten => 1,1,agi(a.py)\n same => n,Hangup()\n" SCRIPT, "+ same => n,agi(a.py)\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit_files f;
        struct audit *a = NULL;
        struct buf b;
        const struct plan *p = plan_of(&a, &f, rows[i].text);

        buf_init(&b, 10000);
        assert_int_equal(plan_patch(p, &b), 0);
        if (text_find_text(buf_text(&b), text_of(rows[i].want)) < 0)
            fail_msg("row %zu: %s\n%s", i, p->moves[0].why ? p->moves[0].why : "", buf_cstr(&b));
        buf_free(&b);
        audit_free(a);
    }
}

/* One step of another language, at line 3 of its file, column 9; another one behind it. */
static struct plan *plan_in(struct audit **a, struct audit_files *f, enum dialplan_origin origin, const char *text, const char *app, bool with_talks)
{
    static const char *const none = "ST101", *const files[] = { NULL, "/etc/asterisk/extensions.ael", "/etc/asterisk/extensions.lua" };
    const struct conf_place place = { .file = files[origin], .line = 3, .column = 9 };
    struct dialplan_build b = { .origin = origin };
    struct inventory *v = NULL;
    struct plan *p = NULL;
    struct dialplan_extension *e;

    audit_files_init(f, "extensions.conf", text);
    assert_int_equal(audit_files_run(a, f, &none, 1), 0);
    b.d = (*a)->dialplan;
    e = dialplan_extension_put(&b, dialplan_context_put(&b, TEXT("more"), place), TEXT("7"), TEXT_NONE, place);
    assert_non_null(e);
    dialplan_step_put(&b, e, (struct dialplan_step){ .place = place, .app_column = 9, .args_column = 10 + (unsigned)strlen(app), .priority = 1,
                                                     .app = text_of(app), .args = TEXT("a.py,x") });
    dialplan_step_put(&b, e, (struct dialplan_step){ .place = place, .priority = 2, .app = TEXT("Goto"), .args = TEXT("more,7,3") });
    dialplan_step_put(&b, e, (struct dialplan_step){ .place = place, .priority = 3, .app = TEXT("NoOp") });
    assert_int_equal(b.err, 0);
    assert_int_equal(inventory_make(&v, *a, "/etc/asterisk"), 0);
    assert_int_equal(plan_make(&p, *a, v, &(struct plan_options){ .with_talks = with_talks }), 0);
    assert_int_equal(p->move_count, 1);
    return p;
}

#define AEL(line, script) "[in]\n;; file extensions.ael\ncontext more {\n    7 => {\n" line "\n    }\n}\n" script

static void test_ael(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct buf b;
    const struct plan *p = plan_in(&a, &f, DIALPLAN_AEL, AEL("        AGI(a.py,x); // why", SCRIPT), "AGI", false);

    (void)state;
    buf_init(&b, 10000);
    assert_int_equal(p->moves[0].state, PLAN_PATCH);
    assert_int_equal(plan_patch(p, &b), 0);
    assert_string_equal(buf_cstr(&b), "--- extensions.ael\n+++ extensions.ael\n@@ -1,6 +1,12 @@\n context more {\n     7 => {\n"
                                      "-        AGI(a.py,x); // why\n"
                                      "+        {\n"
                                      "+            Set(SIDETONE_STATUS=);\n"
                                      "+            AGI(agi://127.0.0.1:4573/a,x);\n"
                                      "+            if (\"${SIDETONE_STATUS}\" = \"\" | \"${SIDETONE_STATUS}\" = \"BUSY\" | "
                                      "\"${FILTER(a-z_,${SIDETONE_REASON})}\" = \"no_route\") {\n"
                                      "+                AGI(a.py,x); // why\n"
                                      "+            }\n"
                                      "+        }\n"
                                      "     }\n }\n \n");
    audit_free(a);
    buf_clear(&b);
    p = plan_in(&a, &f, DIALPLAN_AEL, AEL("        EAGI(a.py,x);", TALK), "EAGI", true);
    assert_int_equal(plan_patch(p, &b), 0);
    assert_true(text_find_text(buf_text(&b), TEXT("@@ -1,6 +1,19 @@\n")) > 0);
    assert_true(text_find_text(buf_text(&b), TEXT("+            Stasis(sidetone,a);\n")) > 0);
    assert_true(text_find_text(buf_text(&b), TEXT("media_[rft]\") = 0)) {\n+                EAGI(a.py,x);\n+            }\n+        }\n     }\n")) > 0);
    audit_free(a);
    buf_free(&b);
}

/* What a patch cannot do is told, with the lines to paste and the route that they need. */
static void test_lines_to_paste(void **state)
{
    static const struct {
        enum dialplan_origin origin;
        const char *text, *want;
    } rows[] = {
        { DIALPLAN_AEL, AEL("  if(1) AGI(a.py,x);", SCRIPT), "{\n    Set(SIDETONE_STATUS=);\n    AGI(agi://127.0.0.1:4573/a,x);\n" },
        { DIALPLAN_AEL, AEL("        AGI(a.py,x); NoOp();", SCRIPT), "        /* the old line */\n    }\n}\n" },
        { DIALPLAN_AEL, AEL("        AGI(a.py,x)", SCRIPT), "{\n" },
        { DIALPLAN_AEL, AEL("        AGI(a.py,x); /* why", SCRIPT), "{\n" },
        { DIALPLAN_LUA, "[in]\n;; file extensions.lua\nextensions = {}\n\n        app.agi('a.py,x')\n" SCRIPT, "app.agi(\"agi://127.0.0.1:4573/a\")    -- and the arguments" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit_files f;
        struct audit *a = NULL;
        struct buf b;
        const struct plan *p = plan_in(&a, &f, rows[i].origin, rows[i].text, "AGI", false);

        buf_init(&b, 10000);
        assert_int_equal(p->moves[0].state, PLAN_HAND);
        if (p->route_count != 1)
            fail_msg("row %zu: %s", i, p->moves[0].why);
        assert_false(plan_has_patch(p));
        plan_lines_paste(p, &p->moves[0], "", &b);
        if (text_find_text(buf_text(&b), text_of(rows[i].want)) < 0)
            fail_msg("row %zu: %s\n%s", i, p->moves[0].why, buf_cstr(&b));
        buf_clear(&b);
        assert_int_equal(plan_patch(p, &b), 0);
        assert_int_equal(b.n, 0);
        buf_free(&b);
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
        if (!err)
            err = plan_json(p, &b);
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
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_talk_states),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_labels_are_not_taken_twice),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_ael),
        cmocka_unit_test(test_lines_to_paste),
        cmocka_unit_test(test_memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
