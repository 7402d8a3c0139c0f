/* Our pattern matcher against Lua's own, its oracle: same results, same refusals, on chosen and on random patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/script_inner.h"

struct pair {
    lua_State *ours, *theirs;
    struct script_run run;
};

static struct pair w;

/* One text that tells everything a call gave. */
static const char judge[] = "local function show(ok, ...)\n"
                            "  local out = {tostring(ok)}\n"
                            "  if not ok then return 'error' end\n"
                            "  for i = 1, select('#', ...) do local v = select(i, ...) out[#out + 1] = math.type(v) or type(v) out[#out + 1] = tostring(v) end\n"
                            "  return table.concat(out, '|')\n"
                            "end\n"
                            "function find(s, p, at) return show(pcall(string.find, s, p, at)) end\n"
                            "function match(s, p, at) return show(pcall(string.match, s, p, at)) end\n"
                            "function gmatch(s, p, at) return show(pcall(function() local t = {} for a, b in string.gmatch(s, p, at) do\n"
                            "  t[#t + 1] = tostring(a) .. ',' .. tostring(b) end return table.concat(t, ';') end)) end\n"
                            "function gsub(s, p, r) return show(pcall(string.gsub, s, p, r)) end\n"
                            "function gsubt(s, p) return show(pcall(string.gsub, s, p, {a = 'A', ['1'] = 7, b = false})) end\n"
                            "function gsubf(s, p) return show(pcall(string.gsub, s, p, function(x, y) return y and x .. '-' .. y or nil end)) end\n";

static lua_State *state_new(void)
{
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, judge), LUA_OK);
    return L;
}

static int setup(void **state)
{
    (void)state;
    w.theirs = state_new();
    w.ours = state_new();
    *(struct script_run **)lua_getextraspace(w.ours) = &w.run;
    lua_getglobal(w.ours, "string");
    script_pattern_open(w.ours);
    lua_pop(w.ours, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lua_close(w.ours);
    lua_close(w.theirs);
    return 0;
}

static const char *ask(lua_State *L, const char *what, const char *s, const char *p, const char *third, int at)
{
    lua_settop(L, 0);
    lua_getglobal(L, what);
    lua_pushstring(L, s);
    lua_pushstring(L, p);
    if (third)
        lua_pushstring(L, third);
    else if (at)
        lua_pushinteger(L, at);
    else
        lua_pushnil(L);
    if (lua_pcall(L, 3, 1, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    return lua_tostring(L, -1);
}

static void compare(const char *what, const char *s, const char *p, const char *third, int at)
{
    const char *theirs = ask(w.theirs, what, s, p, third, at), *ours = ask(w.ours, what, s, p, third, at);

    if (strcmp(ours, theirs) != 0)
        fail_msg("%s('%s', '%s', '%s', %d): ours %s, theirs %s", what, s, p, third ? third : "", at, ours, theirs);
}

static void compare_all(const char *s, const char *p)
{
    static const char *const with[] = { "", "x", "<%0>", "<%1>", "%2%1", "%%", "%", "%9", "%x" };

    for (int at = -3; at <= 4; at++) {
        compare("find", s, p, NULL, at);
        compare("match", s, p, NULL, at);
        compare("gmatch", s, p, NULL, at);
    }
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        compare("gsub", s, p, with[i], 0);
    compare("gsubt", s, p, NULL, 0);
    compare("gsubf", s, p, NULL, 0);
}

static void chosen(void **state)
{
    static const char *const subjects[] = {
        "", "a", "ab", "aaab", "hello world", "  trim me  ", "key = value", "+49 (89) 123-456", "f(a(b)c)d", "THE (quick) fox",
        "a.b.c", "x=1, y=2", "[x]", "a-b_c", "100%", "]^-", "abcabc", "1a2b",
    };
    static const char *const patterns[] = {
        "", ".", "a", "a*", "a+", "a-", "a?", "^a", "a$", "^$", "$", "^", "^^", "a^", "%a", "%a+", "%A+", "%d+", "%D", "%s*", "%w+", "%x", "%p", "%u%l",
        "%c", "%g+", "[abc]", "[^abc]+", "[a-c]", "[a-]", "[]]", "[^]]", "[]-a]", "[%a-z]", "[%]]", "[%d%s]+", "(a)", "(a)(b)", "(a*(.)%w(%s*))",
        "()", "()a()", "(.-)%s*$", "^%s*(.-)%s*$", "(%w+)%s*=%s*(%w+)", "%b()", "%b", "%bx", "%f[%w]%w+", "%f[%W]", "%f", "%f[", "%1", "(.)%1",
        "(.)(.)%2%1", "(a", "a)", "(()", "%", "[", "[a", "[%", "[^", "a%", ".-b", ".-$", "a-b", "%(", "%.", "%-", "%%", "*", "+", "-", "?", "a**", "(a)*",
        "^(a)", "%z", "(%d)(%a)", "((a)(b))", "[a-c-e]", "[--/]", "[%w_]+", "\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++)
            compare_all(subjects[i], patterns[k]);
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void random_ones(void **state)
{
    static const char *const pieces[] = {
        "a", "b", ".", "%a", "%d", "%w", "%s", "[ab]", "[^a]", "[%d1]", "(", ")", "()", "*", "+", "-", "?", "^", "$", "%1", "%b()", "%f[a]", "[", "%", "1", " ",
    };
    static const char letters[] = "ab1 ()-]";
    uint32_t seed = 20261122;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char subject[16] = "", pattern[64] = "";
        const uint32_t n = next_random(&seed) % 10, m = 1 + next_random(&seed) % 6;

        for (uint32_t k = 0; k < n; k++)
            subject[k] = letters[next_random(&seed) % (sizeof letters - 1)];
        for (uint32_t k = 0; k < m; k++)
            strcat(pattern, pieces[next_random(&seed) % (sizeof pieces / sizeof *pieces)]);
        compare("find", subject, pattern, NULL, 0);
        compare("match", subject, pattern, NULL, 2);
        compare("gmatch", subject, pattern, NULL, 0);
        compare("gsub", subject, pattern, "<%0>", 0);
        compare("gsubt", subject, pattern, NULL, 0);
        compare("gsubf", subject, pattern, NULL, 0);
    }
}

static void plain_find(void **state)
{
    (void)state;
    compare("find", "a.b", ".", NULL, 0);
    compare("find", "a%.b", "%.b", NULL, 0);
    compare("find", "abc", "", NULL, 4);
    compare("find", "abc", "", NULL, 5);
    compare("find", "abc", "c", NULL, -1);
    compare("find", "abc", "a", NULL, -100);
}

static void steps_are_paid_for(void **state)
{
    (void)state;
    w.run.budget_left = 1000;
    (void)ask(w.ours, "find", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a-a-a-b", NULL, 0);
    assert_true(w.run.budget_left < -1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen), cmocka_unit_test(random_ones), cmocka_unit_test(plain_find), cmocka_unit_test(steps_are_paid_for),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
