/* AEL: the steps that each construct becomes, what is told of damaged files, included files, ceilings, memory that fails. What Asterisk itself makes of
 * the same is in tests/asterisk/test_ael.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/audit.h"
#include "audit/dialplan.h"
#include "audit_files.h"
#include "fail_alloc.h"

static struct audit *open_text(const char *text)
{
    static struct audit_files f;
    static const char *const codes[] = { "ST103" };
    struct audit *a = NULL;

    audit_files_init(&f, "extensions.ael", text);
    assert_int_equal(audit_files_run(&a, &f, codes, 1), 0);
    return a;
}

/* The steps of an extension: "1 Answer()|2[label] Hangup()". */
static const char *steps_of(const struct audit *a, const char *context, const char *extension)
{
    static char out[4000];
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, text_of(context));
    const struct dialplan_extension *e = c ? dialplan_extension_of(a->dialplan, c, text_of(extension), TEXT_NONE) : NULL;
    int n = 0;

    out[0] = '\0';
    for (size_t i = 0; e && i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;

        n += snprintf(out + n, sizeof out - (size_t)n, "%s%u%s%.*s%s %.*s(%.*s)", i ? "|" : "", s->priority, s->label.n ? "[" : "", TEXT_ARG(s->label),
                      s->label.n ? "]" : "", TEXT_ARG(s->app), TEXT_ARG(s->args));
    }
    return out;
}

/* One extension of one context. */
static void assert_steps(const char *body, const char *want)
{
    char text[2000];
    struct audit *a;

    snprintf(text, sizeof text, "context a { 1 => { %s } }\n", body);
    a = open_text(text);
    assert_string_equal(steps_of(a, "a", "1"), want);
    assert_int_equal(a->dialplan->problem_count, 0);
    audit_free(a);
}

static void test_plain_statements(void **state)
{
    (void)state;
    assert_steps("Answer(); Wait( 1 ); Hangup;", "1 Answer()|2 Wait( 1 )|3 Hangup()");
    assert_steps("x=1; y = ${x} + 1 ; CALLERID(name)=a b; local z=\"q\";",
                 "1 MSet(x=$[1])|2 MSet(y=$[ ${x} + 1 ])|3 MSet(CALLERID(name)=$[a b])|4 MSet(LOCAL(z)=$[\"q\"])");
    assert_steps("here: NoOp(a;b,(c,d),\\)); // Hangup();\n /* Hangup(); */ return;", "1[here] NoOp(a;b,(c,d),\\))|2 Return()");
    assert_steps("NoOp(); end:", "1 NoOp()|2[end] NoOp(A NoOp to follow a trailing label end)");
    assert_steps("MacroExit(); ; ;", "1 Return()");
    assert_steps("NoOp(no // comment here);", "1 NoOp(no // comment here)");
}

static void test_conditions(void **state)
{
    (void)state;
    assert_steps("if (${x}=1) Answer();", "1 GotoIf($[${x}=1]?2:3)|2 Answer()|3 NoOp(Finish if_a_1)");
    assert_steps("if (x) Answer(); else Busy();", "1 GotoIf($[x]?2:4)|2 Answer()|3 Goto(5)|4 Busy()|5 NoOp(Finish if_a_1)");
    assert_steps("random(5) Answer();", "1 GotoIf($[${RAND(0,99)} < (5)]?2:3)|2 Answer()|3 NoOp(Finish if_a_1)");
    assert_steps("ifTime(9:00-17:00|mon-fri|*|jan) Answer(); else Busy();",
                 "1 GotoIfTime(9:00-17:00,mon-fri,*,jan?3)|2 Goto(5)|3 Answer()|4 Goto(6)|5 Busy()|6 NoOp(Finish iftime_a_1)");
    assert_steps("if (a) if (b) Answer();",
                 "1 GotoIf($[a]?2:5)|2 GotoIf($[b]?3:4)|3 Answer()|4 NoOp(Finish if_if_a_1_2)|5 NoOp(Finish if_a_1)");
}

static void test_loops(void **state)
{
    (void)state;
    assert_steps("while (x) { if (y) break; continue; }",
                 "1 GotoIf($[x]?2:7)|2 GotoIf($[y]?3:4)|3 Goto(7)|4 NoOp(Finish if_while_a_1_2)|5 Goto(1)|6 Goto(1)|7 NoOp(Finish while_a_1)");
    assert_steps("for (i=0; ${i}<3; i=${i}+1) { continue; }",
                 "1 MSet(i=$[0])|2 GotoIf($[ ${i}<3]?3:6)|3 Goto(4)|4 MSet(i=$[${i}+1])|5 Goto(2)|6 NoOp(Finish for_a_1)");
    assert_steps("for (Answer(); 1; &m(2)) ;", "1 Answer()|2 GotoIf($[ 1]?3:5)|3 Gosub(m,2)|4 Goto(2)|5 NoOp(Finish for_a_1)");
}

static void test_jumps(void **state)
{
    struct audit *a = open_text("context a { 1 => { x: goto x; goto 1,x; goto b|1|y; jump 1@b; jump 1; Goto(b,1,y); } }\ncontext b { 1 => { NoOp(); y: NoOp(); } }\n");

    (void)state;
    assert_string_equal(steps_of(a, "a", "1"), "1[x] Goto(x)|2 Goto(1,x)|3 Goto(b,1,y)|4 Goto(b,1,1)|5 Goto(1,1)|6 Goto(b,1,y)");
    assert_int_equal(a->finding_count, 0);
    audit_free(a);
}

static void test_switch(void **state)
{
    struct audit *a = open_text("context a { 1 => { switch (${X}) { case 1: NoOp(${EXTEN}); case 2: break; pattern N[ab].: in: Busy(); default: Answer(); }\n"
                                "goto in; } }\n");

    (void)state;
    assert_string_equal(steps_of(a, "a", "1"), "1 MSet(~~EXTEN~~=${EXTEN})|2 Goto(sw_1_${X},10)|3 NoOp(Finish switch_a_1)|4 Goto(_sw_1_N[ab].,in)");
    assert_string_equal(steps_of(a, "a", "sw_1_1"), "10 NoOp(${~~EXTEN~~})|11 Goto(sw_1_2,10)");
    assert_string_equal(steps_of(a, "a", "sw_1_2"), "10 Goto(1,3)");
    assert_string_equal(steps_of(a, "a", "_sw_1_N[ab]."), "10[in] Busy()|11 Goto(sw_1_.,10)");
    assert_string_equal(steps_of(a, "a", "_sw_1_."), "10 Answer()|11 Goto(1,3)");
    assert_string_equal(steps_of(a, "a", "sw_1_"), "10 Goto(sw_1_.,10)");
    audit_free(a);
}

static void test_macros(void **state)
{
    struct audit *a = open_text("macro m(x, y) { Dial(${x}); catch o { NoOp(o); } }\ncontext a { 1 => { &m(1,${EXTEN}); &n(); } }\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("m"));

    (void)state;
    assert_string_equal(steps_of(a, "m", "~~s~~"), "1 MSet(LOCAL(x)=${ARG1})|2 MSet(LOCAL(y)=${ARG2})|3 Dial(${x})|4 Return()");
    assert_string_equal(steps_of(a, "m", "o"), "1 NoOp(o)");
    assert_string_equal(steps_of(a, "a", "1"), "1 Gosub(m,~~s~~,1(1,${EXTEN}))|2 Gosub(n,~~s~~,1)");
    assert_int_equal(c->include_count, 1);
    assert_ptr_equal(c->includes[0].target, dialplan_context_of(a->dialplan, TEXT("ael-builtin-h-bubble")));
    assert_memory_equal(steps_of(a, "ael-builtin-h-bubble", "h"), "1 Goto(9991)|9991 Set(", 22);
    audit_free(a);
}

static void test_contexts(void **state)
{
    struct audit *a = open_text("globals { G=77; }\nabstract context a { includes { b; default|9:00-10:00|*|*|*; } switches { R/x@y; } eswitches { E/z; } ignorepat => 9;\n"
                                "hint(PJSIP/1&Custom:x y) ${G} => NoOp(); regexten 2 => NoOp(); _3/555 => NoOp(); 4@b => NoOp(); v=1; }\n"
                                "context default { 1 => NoOp(); }\nextend context a { 5 => NoOp(); }\ncontext b { }\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("a"));

    (void)state;
    assert_string_equal(steps_of(a, "a", "77"), "1 NoOp()");
    assert_true(text_eq(c->extensions[0]->hint, TEXT("PJSIP/1&Custom:x y")));
    assert_string_equal(steps_of(a, "a", "2"), "2 NoOp()");
    assert_non_null(dialplan_extension_of(a->dialplan, c, TEXT("_3"), TEXT("555")));
    assert_string_equal(steps_of(a, "a", "4@b"), "1 NoOp()");
    assert_string_equal(steps_of(a, "a", "5"), "1 NoOp()");
    assert_int_equal(c->include_count, 2);
    assert_non_null(c->includes[0].target);
    assert_true(text_eq(c->includes[1].times, TEXT("9:00-10:00,*,*,*")));
    assert_true(c->has_switch && c->line_count == 3);
    assert_int_equal(c->extensions[0]->origin, DIALPLAN_AEL);
    assert_int_equal(a->finding_count, 0);
    audit_free(a);
}

static void test_places(void **state)
{
    struct audit *a = open_text("context a {\n  1 => {\n    if (${x}) {\n      Dial(PJSIP/1);\n    }\n  }\n}\n");
    const struct dialplan_extension *e = dialplan_extension_of(a->dialplan, dialplan_context_of(a->dialplan, TEXT("a")), TEXT("1"), TEXT_NONE);

    (void)state;
    assert_int_equal(e->steps[1].place.line, 4);
    assert_int_equal(e->steps[1].app_column, 7);
    assert_int_equal(e->steps[1].args_column, 12);
    assert_int_equal(e->steps[0].place.line, 3);
    assert_int_equal(e->steps[2].app_column, 0); /* Asterisk's own */
    assert_string_equal(e->steps[1].place.file, "/etc/asterisk/extensions.ael");
    audit_free(a);
}

static void test_words(void **state)
{
    struct audit *a = open_text("context defaultx {\r\n  casex => { contextual=1; a${b c}d[e](x); /* ** / **/ NoOp(hidden); /* */ }\n \xc3\xa4 => NoOp();\n}\n");

    (void)state;
    assert_string_equal(steps_of(a, "defaultx", "casex"), "1 MSet(contextual=$[1])|2 a${b c}d[e](x)");
    assert_string_equal(steps_of(a, "defaultx", "\xc3\xa4"), "1 NoOp()");
    assert_int_equal(a->dialplan->problem_count, 0);
    audit_free(a);
}

/* ---- damage ---- */

static const struct {
    const char *text, *says;       /* "line:column: what" of the first finding */
} damaged[] = {
    { "context a { 1 => { Answer() Hangup(); } 2 => NoOp(); }\n", "1:29: expected \";\" behind the application, and found \"Hangup\"" },
    { "context a { 1 => { if (x { NoOp(); } } 2 => NoOp(); }\n", "1:38: expected \")\" in the condition, and found \"}\"" },
    { "context a { 2 => NoOp(); 1 => { for (;; x}) NoOp(); } }\n", "1:42: expected \")\" in the condition, and found \"}\"" },
    { "context a { 1 => NoOp(x}); 2 => NoOp(); }\n", "1:24: \"}\" closes nothing in the list of arguments: Asterisk takes it for text" },
    { "context a {\n 2 => NoOp(); 1 => NoOp(x;\n", "2:25: the list of arguments that begins here has no end" },
    { "context a { 2 => NoOp(); /* open\n", "1:26: the comment that begins here has no end" },
    { "}\ncontext a { 2 => NoOp(); }\n", "1:1: expected \"context\", \"macro\" or \"globals\", and found \"}\"" },
    { "context a { 2 => NoOp();\n", "2:1: expected \"}\" behind the context, and found the end of the file" },
    { "context a { 1 => ; 3 => { x }; 2 => NoOp(); }\n", "1:29: expected \"(\", \"=\", \":\" or \";\" behind the word" },
    { "context a { 2 => NoOp(); 1 => { ifTime(9:00|*|*|*) NoOp(); } }\n", "1:44: expected \":\" between hours and minutes" },
    { "context a { 1 => { switch (x) { NoOp(); } } 2 => NoOp(); }\n", "1:33: expected \"case\", \"pattern\" or \"default\"" },
    { "context a { 1 => { switch (x) { } } 2 => NoOp(); }\n", "1:20: a switch without a case: Asterisk crashes" },
    { "context a { 1 => { Goto(); } 2 => NoOp(); }\n", "1:20: Goto() without a place: Asterisk crashes" },
    { "context a { 1 => { while (1) { switch (x) { case 1: continue; } } } 2 => NoOp(); }\n", "1:53: continue in a switch: Asterisk crashes" },
    { "context a { 1 => { break; } 2 => NoOp(); }\n", "1:20: break stands in no loop" },
    { "context a { 1 => { continue; } 2 => NoOp(); }\n", "1:20: continue stands in no loop" },
    { "context a { 1 => { goto x; } 2 => NoOp(); }\n", "1:20: Asterisk's compiler finds no label \"x\"" },
    { "context a { 1 => { x: NoOp(); x: NoOp(); } 2 => NoOp(); }\n", "1:31: " },
    { "macro m(x) { }\ncontext a { 1 => &m(); 2 => NoOp(); }\n", "2:19: the macro takes 1 arguments, and is called with 0" },
    { "macro m(x) { includes { a; } }\ncontext a { 2 => NoOp(); }\n", "1:25: Asterisk ignores includes in a macro" },
    { "context a { 1 => m(1); 2 => { &a(); } }\nmacro m(x) { }\n", "1:18: \"m\" is a macro, and has no \"&\" before it" },
    { "context a { 1 => NoOp() % ; 2 => NoOp(); }\n", "1:25: a character that has no meaning here" },
    { "context a { 2 => NoOp(); }\n#include \"none.ael\"\n", "2:1: \"/etc/asterisk/none.ael\" cannot be read" },
    { "context a { 2 => NoOp(); } macro\n", "2:1: expected the name of a macro" },
    { "context a { 2 => NoOp(); } globals { x y }\n", "1:40: expected \"=\" behind the name of the variable" },
    { "context a { 2 => NoOp(); hint(PJSIP/1 3 => NoOp(); }\n", "1:41: expected \")\" behind the devices" },
    { "context a { 2 => NoOp(); includes { b c; } switches { ; } }\n", "1:39: expected \";\" behind the name of the context" },
};

static void test_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct audit *a = open_text(damaged[i].text);
        char said[300];

        assert_true(a->finding_count > 0);
        snprintf(said, sizeof said, "%u:%u: %s", a->findings[0].place.line, a->findings[0].place.column, a->findings[0].message);
        assert_memory_equal(said, damaged[i].says, strlen(damaged[i].says));
        assert_true(steps_of(a, "a", "2")[0] == '1'); /* the rest is read all the same */
        audit_free(a);
    }
}

/* A bracket of the wrong kind is told once, and nothing behind it that is sound. */
static void test_wrong_bracket(void **state)
{
    struct audit *a = open_text("context a { 1 => { if (\"$(A}\" = \"x\") { NoOp(${B)); Hangup(); } NoOp(c]); } 2 => NoOp(); }\nNoOp(); Hangup(); }\ncontext b { 3 => NoOp(); }\n");
    size_t told = 0;

    (void)state;
    for (size_t i = 0; i < a->finding_count; i++)
        told += strcmp(a->findings[i].rule->code, "ST103") == 0;
    assert_int_equal(told, 4); /* "}", ")", "]", and NoOp outside of a context */
    assert_true(steps_of(a, "a", "2")[0] == '1');
    assert_true(steps_of(a, "b", "3")[0] == '1');
    audit_free(a);
}

/* Every beginning of a file is read to an end. */
static void test_cut_anywhere(void **state)
{
    static const char whole[] = "globals { A=1; }\nmacro m(x,y) { switch (${x}) { case 1: &m(1,2); pattern X.: break; default: NoOp(); } catch a { Hangup(); } }\n"
                                "context a { includes { b|*|*|*|*; } hint(P/1) 1 => { for (i=0; 1; i=2) { l: NoOp(\"${x[1]}\"); } ifTime(1:00-2:00|*|*|*) jump 1,l@a; } }\n";
    static const char *const codes[] = { "ST101", "ST103", "ST106" };
    char text[sizeof whole];

    (void)state;
    for (size_t n = 0; n < sizeof whole; n++) {
        struct audit_files f;
        struct audit *a = NULL;
        int err;

        memcpy(text, whole, n);
        text[n] = '\0';
        audit_files_init(&f, "extensions.ael", text);
        err = audit_files_run(&a, &f, codes, 3);
        assert_true(err == 0 || err == -ENOENT); /* nothing in it yet */
        assert_true(n < sizeof whole - 2 || (err == 0 && !a->dialplan->problem_count));
        audit_free(a);
    }
}

static void assert_survives(const char *open, const char *middle, const char *close, size_t times)
{
    const size_t n = (strlen(open) + strlen(close)) * times + strlen(middle) + 100;
    char *text = malloc(n), *at = text;
    struct audit *a;

    assert_non_null(text);
    at += sprintf(at, "context a { 1 => ");
    for (size_t i = 0; i < times; i++)
        at += sprintf(at, "%s", open);
    at += sprintf(at, "%s", middle);
    for (size_t i = 0; i < times; i++)
        at += sprintf(at, "%s", close);
    sprintf(at, "; }\n");
    a = open_text(text);
    assert_true(a->finding_count > 0 && a->finding_count < 500);
    audit_free(a);
    free(text);
}

static void test_hostile(void **state)
{
    (void)state;
    assert_survives("{", "NoOp();", "}", 5000);
    assert_survives("if (x) ", "NoOp();", "", 5000);
    assert_survives("switch (x) { case 1: ", "NoOp();", "}", 5000);
    assert_survives("NoOp(", "", ")", 5000);
    assert_survives("${", "", "}", 5000);
    assert_survives("%", "NoOp()", "", 5000);
    assert_survives("} x => ", "NoOp()", "", 5000);
}

/* ---- files ---- */

static void test_included(void **state)
{
    struct audit *a = open_text("#include \"one.ael\"\ncontext a { 1 => NoOp();\n#include \"two.ael\"\n}\n;; file one.ael\ncontext b { 1 => NoOp(); }\n"
                                ";; file two.ael\n2 => NoOp(); 3 => Hangup();\n");
    const struct dialplan_extension *e;

    (void)state;
    assert_string_equal(steps_of(a, "b", "1"), "1 NoOp()");
    e = dialplan_extension_of(a->dialplan, dialplan_context_of(a->dialplan, TEXT("a")), TEXT("3"), TEXT_NONE);
    assert_string_equal(e->place.file, "/etc/asterisk/two.ael");
    assert_int_equal(e->place.line, 1);
    assert_int_equal(a->finding_count, 0);
    audit_free(a);
    a = open_text("context a { 1 => NoOp(); }\n#include \"one.ael\"\n#include \"one.ael\"\n;; file one.ael\n#include \"extensions.ael\"\n#include \"one.ael\"\n");
    assert_true(a->finding_count > 0); /* in a circle, and yet read to an end */
    audit_free(a);
}

static void test_beside_others(void **state)
{
    struct audit *a = open_text("context a { 1 => { NoOp(ael); goto conf,1,1; } 2 => NoOp(ael); }\n;; file extensions.conf\n[conf]\nexten => 1,1,Hangup()\n[a]\nexten => 1,1,NoOp(conf)\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("a"));

    (void)state;
    assert_string_equal(steps_of(a, "a", "1"), "1 NoOp(conf)|2 Goto(conf,1,1)"); /* what was there stays */
    assert_int_equal(c->extensions[0]->origin, DIALPLAN_CONF);
    assert_int_equal(c->extensions[1]->origin, DIALPLAN_AEL);
    audit_free(a);
    a = open_text("context a { 1 => NoOp(); }\n;; file modules.conf\n[modules]\nautoload=yes\nnoload => pbx_ael.so\n");
    assert_null(a->dialplan);
    audit_free(a);
}

static int read_refused(void *arg, const char *path, struct text *out)
{
    const struct audit_files *f = arg;

    return text_ends(text_of(path), TEXT("extensions.ael")) ? -EACCES : f->source.read((void *)f, path, out);
}

/* A dialplan that is not seen may hold anything: no folder is clean by it. */
static void test_not_readable(void **state)
{
    static const char *const codes[] = { "ST103" };
    struct audit_files f;
    struct conf_source source;
    struct audit *a = NULL;

    (void)state;
    audit_files_init(&f, "extensions.conf", "[a]\nexten => 1,1,Hangup()\n");
    source = f.source;
    source.read = read_refused;
    source.arg = &f;
    assert_int_equal(audit_open(&a, &(struct audit_options){ .folder = "/etc/asterisk", .source = &source }), 0);
    assert_int_equal(audit_run(a, codes, 1), 0);
    assert_int_equal(a->finding_count, 1);
    assert_string_equal(a->findings[0].place.file, "/etc/asterisk/extensions.ael");
    assert_non_null(strstr(a->findings[0].message, "extensions.ael cannot be read: "));
    audit_free(a);
}

/* Contexts that all include each other: each is looked at once for a jump that leads nowhere. */
static void test_included_in_circles(void **state)
{
    enum { CONTEXTS = 30 };
    static char text[CONTEXTS * (CONTEXTS * 6 + 80)];
    struct audit *a;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < CONTEXTS; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "context c%d { includes { ", i);
        for (int k = 0; k < CONTEXTS; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "c%d; ", k);
        n += (size_t)snprintf(text + n, sizeof text - n, "} 1 => { goto 2,%s; } }\n", i ? "there" : "nowhere");
    }
    snprintf(text + n, sizeof text - n, "context last { 2 => { there: NoOp(); } }\ncontext c%d { includes { last; } }\n", CONTEXTS);
    a = open_text(text);
    assert_int_equal(a->finding_count, CONTEXTS); /* nobody includes the one that includes the last */
    audit_free(a);
    memcpy(strstr(text, "c29; }"), "c30", 3);
    a = open_text(text);
    assert_int_equal(a->finding_count, 1);
    assert_non_null(strstr(a->findings[0].message, "nowhere"));
    audit_free(a);
}

static void test_silenced(void **state)
{
    struct audit *a = open_text("context a {\n 1 => { break; } // audit-ignore ST103 never mind agi://x\n // audit-ignore ST103 why\n 2 => { break; }\n"
                                " 3 => { NoOp(agi://x); break; } /* audit-ignore ST103 */\n 4 => { break; } // no audit-ignore ST103\n}\n");

    (void)state;
    assert_int_equal(a->finding_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(a->findings[i].silenced_by != NULL, i < 3);
    audit_free(a);
}

static void test_memory_fails(void **state)
{
    static const char text[] = "globals { A=1; }\n#include \"b.ael\"\nmacro m(x) { switch (${x}) { case 1: break; pattern X.: l: NoOp(${EXTEN}); } catch o { NoOp(); } }\n"
                               "context a { hint(P/1&P/2) ${A}1 => { &m(1); for (i=0; ${i}<1; i=1) { goto l; l: NoOp(); } ifTime(*|*|*|*) NoOp(); else { x=1; } }\n"
                               "includes { b|*|*|*|*; } bad bad; }\n;; file b.ael\ncontext b { 1 => { while (1) break; } }\n";
    const char *codes[] = { "ST103" };
    long n = 1;

    (void)state;
    for (; n < 20000; n++) {
        struct audit_files f;
        struct audit *a = NULL;
        int err;

        audit_files_init(&f, "extensions.ael", text);
        fail_alloc_at(n);
        err = audit_files_run(&a, &f, codes, 1);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            assert_int_equal(a->dialplan->problem_count, 1);
            audit_free(a);
            break;
        }
        fail_alloc_off();
        assert_true(err == -ENOMEM || err == 0); /* a file beside it that could not be read may be left out */
        audit_free(a);
    }
    fail_alloc_off();
assert_true(n > 20 && n < 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_statements), cmocka_unit_test(test_conditions),  cmocka_unit_test(test_loops),
        cmocka_unit_test(test_jumps),            cmocka_unit_test(test_switch),      cmocka_unit_test(test_macros),
        cmocka_unit_test(test_contexts),         cmocka_unit_test(test_places),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_damage),           cmocka_unit_test(test_wrong_bracket), cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_included),         cmocka_unit_test(test_beside_others), cmocka_unit_test(test_included_in_circles), cmocka_unit_test(test_not_readable), cmocka_unit_test(test_silenced),
        cmocka_unit_test(test_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
