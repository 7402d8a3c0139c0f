/* extensions.lua: which steps are seen in it, what is damaged, and that nothing is said of what is not known. */
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
#include "base/buf.h"
#include "fail_alloc.h"

static struct audit *open_text(const char *text)
{
    struct audit_files f;
    struct audit *a = NULL;

    audit_files_init(&f, "extensions.lua", text);
    assert_int_equal(audit_files_run(&a, &f, NULL, 0), 0);
    return a;
}

/* "app(args) app(args)" of an extension; "" when there is none. */
static const char *steps_of(const struct audit *a, const char *context, const char *extension)
{
    static char out[4000];
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, text_of(context));
    const struct dialplan_extension *e = c ? dialplan_extension_of(a->dialplan, c, text_of(extension), TEXT_NONE) : NULL;
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; e && i < e->step_count; i++) {
        assert_int_equal(e->steps[i].priority, i + 1);
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s(%.*s)", i ? " " : "", TEXT_ARG(e->steps[i].app), TEXT_ARG(e->steps[i].args));
    }
    return out;
}

static size_t told(const struct audit *a, const char *code)
{
    size_t n = 0;

    for (size_t i = 0; i < a->finding_count; i++)
        n += strcmp(a->findings[i].rule->code, code) == 0;
    return n;
}

#define IN(body) "extensions = { a = { ['1'] = function(c, e) " body " end } }\n"

static void test_arguments(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { IN("app.answer()"), "answer()" },
        { IN("app.Dial('PJSIP/1', 30, nil, \"tT\")"), "Dial(PJSIP/1,30,,tT)" },
        { IN("app.dial(nil, 2)"), "dial(,2)" },
        { IN("app['goto']('b', 's', 1)"), "goto(b,s,1)" },
        { IN("app.playback 'hello'"), "playback(hello)" },
        { IN("app.noop [[a\nb]]"), "noop(a\nb)" },
        { IN("app.noop('\\65\\x42\\n\\'\\z  c')"), "noop(AB\n'c)" },
        { IN("app.dial('PJSIP/' .. e .. '@t', 2 + 3)"), "dial(PJSIP/${EXTEN}@t,${LUA})" },
        { IN("app.noop(3.50, 0x10, 1e3)"), "noop(3.5,16,1000)" },
        { IN("app.noop(c)"), "noop(${CONTEXT})" },
        { IN("app.noop(channel.X:get(), channel['Y']:get(), channel.Z)"), "noop(${X},${Y},${Z})" },
        { IN("app.noop(channel.CALLERID('num'):get() or 'none')"), "noop(${CALLERID(num)})" },
        { IN("app.noop(channel.CALLERID('num'):get():sub(1, 3))"), "noop(${CALLERID(num)})" },
        { IN("app.noop(channel.CALLERID('num'):get():gsub('%D', ''))"), "noop(${LUA})" },
        { IN("local x = e app.noop(x)"), "noop(${EXTEN})" },
        { IN("local x = e x = e .. 1 app.noop(x)"), "noop(${LUA})" },
        { IN("local x = 'a' x = 'b' app.noop(x)"), "noop(${LUA})" },
        { IN("local x = e if x == nil then x = 'none' end app.noop(x)"), "noop(${EXTEN})" },
        { IN("local x = f() if x == nil then x = 'none' end app.noop(x)"), "noop(${LUA})" },
        { IN("local y = channel.SHELL('ls ' .. e):get() app.noop(channel.CUT('a', 1):get())"), "Set(LUA_READ=${SHELL(ls ${EXTEN})}) noop(${CUT(a,1)})" },
        { IN("e = 5 app.noop(e)"), "noop(${LUA})" },
        { IN("for i = 1, 3 do app.noop(i) end"), "noop(${LUA})" },
        { IN("app.noop(string.format('%s-%03d-%%', e, 7))"), "noop(${EXTEN}-${LUA}-%)" },
        { IN("app.noop(tostring(e) .. (c))"), "noop(${EXTEN}${CONTEXT})" },
        { IN("app.noop('${EXTEN}')"), "noop(?{EXTEN})" },
        { IN("app.noop(f(e))"), "noop(${LUA})" },
        { IN("app.noop(#e, not e, -e, e == 1)"), "noop(${LUA},${LUA},${LUA},${LUA})" },
        { IN("app.noop{1, 2}"), "noop(${LUA})" },
        { IN("channel.A = 'b' channel['C'] = 5 channel.D:set(e) channel.CDR('x'):set('y')"), "Set(A=b) Set(C=5) Set(D=${EXTEN}) Set(CDR(x)=y)" },
        { IN("channel[e] = 5"), "Set(${EXTEN}=5)" },
        { IN("channel[f()] = 5"), "NoOp()" },
        { IN("os.execute('ls ' .. e) io.popen('x')"), "System(ls ${EXTEN}) System(x)" },
        { IN("if e == '1' then app.busy() elseif c then app.noop() else app.hangup() end"), "busy() noop() hangup()" },
        { IN("while true do app.wait(1) break end repeat app.wait(2) until e"), "wait(1) wait(2)" },
        { IN("pcall(function() app.wait(3) end)"), "wait(3)" },
        { IN("my.app.wait(1) x.channel.Y = 1 myapp.wait(1)"), "NoOp()" },
        { IN("-- app.wait(1)\n --[==[ app.wait(2) ]] ]==] app.wait(3)"), "wait(3)" },
        { IN("return app.hangup()"), "hangup()" },
        { IN(""), "NoOp()" },
        { "local t = 'PJSIP/' .. 'trunk'\n" IN("app.dial(t)"), "dial(PJSIP/trunk)" },
        { "t = 'one'\nfunction f() t = 'two' end\n" IN("app.dial(t)"), "dial(${LUA})" },
        { "function f(n, w) app.noop(n, w) end\n" IN("f(e) f(g()) f(nil, 1)"), "noop(${EXTEN},) noop(${LUA},${LUA}) noop(,1)" },
        { "local M = {}\nfunction M.f(n) app.noop(n) end\nM.g = M.f\n" IN("M.f(1) M.g(2)"), "noop(1) noop(2)" },
        { "function f() app.noop() f() g() end\nfunction g() f() end\n" IN("f()"), "noop()" },
        { "local M = { f = function(n) app.noop(n) end }\n" IN("M:f(1)"), "noop(1)" },
        { "function f(c, e) app.noop(e) end\nextensions = { a = { ['1'] = f } }\n", "noop(${EXTEN})" },
        { "extensions = {}\nextensions.a = {}\nextensions['a']['1'] = function() app.wait() end\n", "wait()" },
        { "extensions = {}\nextensions.a = { [1] = function() app.wait() end; h = nil }\n", "wait()" },
        { "extensions = { a = { ['1'] = other } }\n", "NoOp()" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit *a = open_text(rows[i].text);

        if (strcmp(steps_of(a, "a", "1"), rows[i].want) != 0)
            fail_msg("row %zu: %s", i, steps_of(a, "a", "1"));
        assert_int_equal(told(a, "ST103"), 0);
        audit_free(a);
    }
}

static void test_places(void **state)
{
    struct audit *a = open_text("-- x\nextensions = {\n  a = {\n    [\"1\"] = function()\n      app.answer()\n      channel.X = 1\n    end,\n  },\n}\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("a"));
    const struct dialplan_extension *e = dialplan_extension_of(a->dialplan, c, TEXT("1"), TEXT_NONE);

    (void)state;
    assert_int_equal(c->place.line, 3);
    assert_int_equal(e->origin, DIALPLAN_LUA);
    assert_int_equal(e->place.line, 4);
    assert_string_equal(e->place.file, "/etc/asterisk/extensions.lua");
    assert_int_equal(e->steps[0].place.line, 5);
    assert_int_equal(e->steps[0].app_column, 11);
    assert_int_equal(e->steps[0].args_column, 18);
    assert_int_equal(e->steps[1].place.line, 6);
    audit_free(a);
}

static void test_contexts(void **state)
{
    struct audit *a = open_text("extensions = { a = { include = { 'b', 'none' }; s = function() end }, b = {}, open = { [f()] = g }, more = x }\n"
                                "hints = { a = { [7] = 'PJSIP/7', x = 5 } }\n");
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, TEXT("a"));

    (void)state;
    assert_int_equal(c->include_count, 1);
    assert_ptr_equal(c->includes[0].target, dialplan_context_of(a->dialplan, TEXT("b")));
    assert_true(text_eq(dialplan_extension_of(a->dialplan, c, TEXT("7"), TEXT_NONE)->hint, TEXT("PJSIP/7")));
    assert_null(dialplan_extension_of(a->dialplan, c, TEXT("include"), TEXT_NONE));
    assert_false(c->has_switch);
    assert_true(dialplan_context_of(a->dialplan, TEXT("open"))->has_switch);
    assert_true(dialplan_context_of(a->dialplan, TEXT("more"))->has_switch);
    assert_false(a->dialplan->is_open);
    assert_int_equal(told(a, "ST103"), 1); /* "none" */
    audit_free(a);
}

/* What else makes contexts is not known then, and no context is called missing. */
static void test_made_elsewhere(void **state)
{
    static const char *const rows[] = {
        "require 'more'\nextensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end } }\n",
        "extensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end } }\nfor k, v in pairs(x) do extensions[k] = v end\n",
        "extensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end } }\nput(extensions)\n",
        "extensions = make()\nextensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end }, [f()] = {} }\n",
        "extensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end } }\nfunction f() extensions.gone = {} end\n",
    };
    struct audit *a = open_text("extensions = { a = { ['1'] = function() app['goto']('gone', 's', 1) end } }\n");

    (void)state;
    assert_int_equal(told(a, "ST101"), 1);
    audit_free(a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        a = open_text(rows[i]);
        assert_true(a->dialplan->is_open);
        assert_int_equal(told(a, "ST101"), 0);
        audit_free(a);
    }
}

/* A field called goto is sound in Lua 5.1, which Debian's Asterisk has. */
static void test_goto_is_a_name(void **state)
{
    struct audit *a = open_text(IN("app.goto('a', '1', 1)"));

    (void)state;
    assert_string_equal(steps_of(a, "a", "1"), "goto(a,1,1)");
    assert_int_equal(told(a, "ST103"), 0);
    audit_free(a);
}

/* Of the order of steps in Lua nothing is said. */
static void test_order_is_not_judged(void **state)
{
    struct audit *a = open_text(IN("if e then app.hangup() end app['goto']('a', '1', 1) app['while'](1) app.agi('x') app.playback('y')"));

    (void)state;
    for (size_t i = 0; i < a->finding_count; i++)
        if (a->findings[i].severity != AUDIT_NOTE || strncmp(a->findings[i].rule->code, "ST1", 3) == 0)
            fail_msg("%s %s", a->findings[i].rule->code, a->findings[i].message);
    audit_free(a);
}

static void test_found_in_it(void **state)
{
    static const struct {
        const char *code, *text;
    } rows[] = {
        { "ST101", IN("app['goto']('none', 's', 1)") },
        { "ST101", IN("app.answer() app['goto']('a', '1', 2)") },
        { "ST201", IN("local y = channel.SHELL('ls ' .. channel.CALLERID('name'):get()):get()") },
        { "ST120", IN("app.exit()") },
        { "ST123", IN("app.noop(channel.NOSUCHFUNCTION('x'):get())") },
        { "ST201", IN("os.execute('echo ' .. channel.CALLERID('name'):get())") },
        { "ST201", "function tell(x) app.system('echo ' .. x) end\n" IN("local n = channel.CALLERID('name'):get() tell(n)") },
        { "ST202", "extensions = { a = { ['_X.'] = function(c, e) app.dial('PJSIP/' .. e) end, ['_[0-9a-z].'] = function(c, e) app.dial('PJSIP/' .. e .. '@t') end } }\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit *a = open_text(rows[i].text);

        if (!told(a, rows[i].code))
            fail_msg("row %zu: %s is not told", i, rows[i].code);
        audit_free(a);
    }
}

static void test_silenced(void **state)
{
    struct audit *a = open_text("extensions = { a = { ['1'] = function()\n app.exit() -- audit-ignore ST120 ours\n -- audit-ignore ST120\n app.exit()\n app.exit()\nend } }\n");
    size_t silenced = 0;

    (void)state;
    assert_int_equal(told(a, "ST120"), 3);
    for (size_t i = 0; i < a->finding_count; i++)
        silenced += a->findings[i].silenced_by != NULL;
    assert_int_equal(silenced, 2);
    audit_free(a);
}

/* Another reader's extension is taken first; modules.conf may keep Lua out. */
static void test_beside_others(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;

    (void)state;
    audit_files_init(&f, "extensions.conf", "[a]\nexten => 1,1,Goto(b,s,1)\n;; file extensions.lua\nextensions = { a = { ['1'] = function() app.wait() end }, b = { s = function() app.hangup() end } }\n");
    assert_int_equal(audit_files_run(&a, &f, NULL, 0), 0);
    assert_string_equal(steps_of(a, "a", "1"), "Goto(b,s,1)");
    assert_int_equal(told(a, "ST101"), 0);
    assert_int_equal(told(a, "ST104"), 1);
    audit_free(a);
    audit_files_init(&f, "extensions.conf", "[a]\nexten => 1,1,Goto(b,s,1)\n;; file extensions.lua\nextensions = { b = { s = function() end } }\n;; file modules.conf\n[modules]\nautoload=yes\nnoload => pbx_lua.so\n");
    assert_int_equal(audit_files_run(&a, &f, NULL, 0), 0);
    assert_int_equal(told(a, "ST101"), 1);
    audit_free(a);
}

static void test_damage(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "extensions = { a = { ['1'] = function() app.wait( end } }\n", "1:51: expected \")\" for the \"(\" on line 1, and found \"end\"" },
        { "extensions = { a = {} }\nx = 'open\n", "2:5: the text that begins here has no end on its line" },
        { "extensions = { a = {} }\n--[[ open\n", "2:3: the comment that begins here has no end" },
        { "extensions = { a = {} }\nx = [=[ open ]]\n", "2:5: the text that begins here has no end" },
        { "extensions = { a = {} }\nend\n", "2:1: \"end\" closes nothing" },
        { "extensions = { a = {} }\nif x then\n", "3:1: expected \"end\" for the \"if\" on line 2, and found the end of the file" },
        { "extensions = { a = {} }\nx = 5 $ 6\n", "2:7: a character that has no meaning in Lua" },
        { "extensions = { a = {}, [55] = {} }\n", "1:24: a context whose name is a number without quotes: Asterisk crashes" },
        { "extensions = {}\nextensions[55] = {}\n", "2:14: a context whose name is a number without quotes: Asterisk crashes" },
        { "extensions = { a = 'x' }\n", "1:16: this context is no table: Asterisk crashes" },
        { "extensions = { a = { include = 'b' }, b = {} }\n", "1:22: include is a text, not a table: Asterisk crashes" },
        { "extensions = { a = { include = { 'a' } } }\n", "1:34: this include leads back to \"a\": Asterisk crashes" },
        { "extensions = { a = { include = { 'b' } }, b = { include = { 'c' } }, c = { include = { 'b' } } }\n", "1:88: this include leads back to \"b\"" },
        { "extensions = { a = {} }\nx = ***\n", "2:1: unexpected symbol near '*': Asterisk loads nothing" },
        { "extensions = { a = { h = function() app.noop('p1'..) end } }\n", "1:1: unexpected symbol near ')'" },
        { "x = 1\n", "2:1: no table is called \"extensions\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit *a = open_text(rows[i].text);
        const struct audit_finding *f = a->findings;
        char said[300];

        if (!told(a, "ST103"))
            fail_msg("row %zu: nothing is told", i);
        while (strcmp(f->rule->code, "ST103") != 0)
            f++;
        snprintf(said, sizeof said, "%u:%u: %s", f->place.line, f->place.column, f->message);
        if (strncmp(said, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("row %zu: %s", i, said);
        audit_free(a);
    }
}

static const char whole[] = "#!x\nlocal M, t = {}, 'PJ' .. [[SIP]]\nfunction M.f(a, ...) local x <const> = a; for i, v in ipairs(a) do app.dial(t .. v, 3.5e+2, 0x1F) end goto out ::out:: end\n"
                            "extensions = { a = { include = {'b'}; ['1'] = function(c, e) channel.X = channel[\"Y\"]:get() .. '\\z  \\x41\\065\\'' "
                            "M.f{e} app['goto']('b', 's', 1) end, [2] = M.f }; ['b'] = { s = M.f } }\nextensions.c = { } hints = { a = { [1] = 'P/1' } } --[==[ e ]==] -- z";

/* Every beginning of a file, and every file with one byte less, is read to an end. */
static void test_cut_anywhere(void **state)
{
    char text[sizeof whole];

    (void)state;
    for (size_t n = 0; n < 2 * sizeof whole - 1; n++) {
        struct audit_files f;
        struct audit *a = NULL;

        memcpy(text, whole, sizeof whole);
        if (n < sizeof whole)
            text[n] = '\0';
        else
            memmove(text + (n - sizeof whole), whole + (n - sizeof whole) + 1, 2 * sizeof whole - n - 1);
        audit_files_init(&f, "extensions.lua", text);
        assert_int_equal(audit_files_run(&a, &f, NULL, 0), 0);
        audit_free(a);
    }
}

/* What goes deep or long is cut, and told. */
static void test_hostile(void **state)
{
    static const struct {
        const char *before, *one, *middle, *more, *after;
    } rows[] = {
        { "x = ", "{", "1", "}", "\nextensions = { a = {} }\n" },
        { "x = ", "(", "1", ")", "\nextensions = { a = {} }\n" },
        { "x = 1", " .. 'a'", "", "", "\nextensions = { a = {} }\n" },
        { "extensions = { a = {} }\n", "extensions = { a = extensions };", "", "", "" },
        { "extensions = { a = { ['1'] = function() ", "app.noop(", "1", ")", " end } }" },
        { "extensions = { a = { ['1'] = function() ", "app.noop(1) ", "", "", " end } }" },
        { "extensions = { a = { ['1'] = ", "function() ", "", "end ", " } }" },
        { "extensions = { a = { ['1'] = function() local a = 'b' ", "local a = a .. a ", "app.noop(a)", "", " end } }" },
        { "extensions = { a = { ['1'] = f } } function f() ", "f() ", "", "", " end" },
        { "extensions = { a = { ['1'] = function() x", "[x", "", "]", " end } }" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct audit *a;
        struct buf b;

        buf_init(&b, 1 << 20);
        buf_add_text(&b, text_of(rows[i].before));
        for (unsigned n = 0; n < 5000; n++)
            buf_add_text(&b, text_of(rows[i].one));
        buf_add_text(&b, text_of(rows[i].middle));
        for (unsigned n = 0; n < 5000; n++)
            buf_add_text(&b, text_of(rows[i].more));
        buf_add_text(&b, text_of(rows[i].after));
        a = open_text(buf_cstr(&b));
        audit_free(a);
        buf_free(&b);
    }
}

/* Functions that call each other twice each: 2^40 runs, were they all followed. */
static void test_work_has_a_ceiling(void **state)
{
    struct audit *a;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < 40; i++)
        buf_addf(&b, "function f%u(x) f%u(x) f%u(x) app.noop(x) end\n", i, i + 1, i + 1);
    buf_add_text(&b, TEXT("extensions = { a = { ['1'] = f0 } }\n"));
    a = open_text(buf_cstr(&b));
    assert_true(told(a, "ST103") >= 1);
    assert_true(a->dialplan->step_count <= 2000);
    audit_free(a);
    buf_free(&b);
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        static const char *const codes[] = { "ST103" };
        struct audit_files f;
        struct audit *a = NULL;
        int err;

        audit_files_init(&f, "extensions.lua", whole + 4);
        fail_alloc_at(n);
        err = audit_files_run(&a, &f, codes, 1);
        if (!fail_alloc_hit()) {
            assert_int_equal(err, 0);
            assert_int_equal(a->dialplan->context_count, 3);
            audit_free(a);
            break;
        }
        fail_alloc_off();
        assert_true(err == -ENOMEM || err == 0); /* a file beside it that could not be read may be left out */
        audit_free(a);
    }
    fail_alloc_off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_made_elsewhere),
        cmocka_unit_test(test_goto_is_a_name),
        cmocka_unit_test(test_order_is_not_judged),
        cmocka_unit_test(test_found_in_it),
        cmocka_unit_test(test_silenced),
        cmocka_unit_test(test_beside_others),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_work_has_a_ceiling),
        cmocka_unit_test(test_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
