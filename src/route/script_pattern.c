/* Lua's patterns, with a count of steps: the library's own matcher can run for hours on a short text without looking at any budget. */
#include <ctype.h>
#include <string.h>

#include "route/script_inner.h"

enum {
    CAPTURES_MAX = 32,
    DEPTH_MAX = 200,          /* C calls of one match */
    STEPS_MAX = 2000000,      /* steps of one call of find, match, gsub: some 20 ms */
    OPEN = -1,                /* length of a capture that is not closed yet */
    POSITION = -2,            /* () : gives the position */
};

struct match {
    lua_State *L;
    const char *begin, *end;  /* subject */
    const char *pattern_end;
    int64_t steps;
    int depth;
    int level;                /* captures begun */
    struct {
        const char *at;
        ptrdiff_t n;
    } capture[CAPTURES_MAX];
};

static const char *match_here(struct match *m, const char *s, const char *p);

static void step(struct match *m)
{
    if (++m->steps > STEPS_MAX) {
        script_run_of(m->L)->budget_left -= m->steps;
        luaL_error(m->L, "pattern needs more than %d steps on this text", STEPS_MAX);
    }
}

static const char *item_end(struct match *m, const char *p)
{
    if (*p++ == '%') {
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (p[-1] != '[')
        return p;
    if (p < m->pattern_end && *p == '^')
        p++;
    do { /* a ']' right at the beginning is a plain character */
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%') {
            if (p == m->pattern_end)
                luaL_error(m->L, "malformed pattern (missing ']')");
            p++;
        }
    } while (p == m->pattern_end || *p != ']');
    return p + 1;
}

static bool in_class(int c, int class)
{
    bool yes;

    switch (tolower(class)) {
    case 'a':
        yes = isalpha(c);
        break;
    case 'c':
        yes = iscntrl(c);
        break;
    case 'd':
        yes = isdigit(c);
        break;
    case 'g':
        yes = isgraph(c);
        break;
    case 'l':
        yes = islower(c);
        break;
    case 'p':
        yes = ispunct(c);
        break;
    case 's':
        yes = isspace(c);
        break;
    case 'u':
        yes = isupper(c);
        break;
    case 'w':
        yes = isalnum(c);
        break;
    case 'x':
        yes = isxdigit(c);
        break;
    default:
        return class == c;
    }
    return isupper(class) ? !yes : yes;
}

/* p at '[', last at its ']'. */
static bool in_set(int c, const char *p, const char *last)
{
    bool yes = true;

    if (p[1] == '^') {
        yes = false;
        p++;
    }
    while (++p < last) {
        if (*p == '%') {
            p++;
            if (in_class(c, (unsigned char)*p))
                return yes;
        } else if (p[1] == '-' && p + 2 < last) {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return yes;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return yes;
        }
    }
    return !yes;
}

static bool one_matches(struct match *m, const char *s, const char *p, const char *next)
{
    int c;

    step(m);
    if (s >= m->end)
        return false;
    c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)p[1]);
    case '[':
        m->steps += next - p; /* a long set costs its length */
        return in_set(c, p, next - 1);
    default:
        return (unsigned char)*p == c;
    }
}

static const char *match_balance(struct match *m, const char *s, const char *p)
{
    int depth = 1;

    if (p + 1 >= m->pattern_end)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->end || *s != *p)
        return NULL;
    while (++s < m->end) {
        step(m);
        if (*s == p[1]) {
            if (--depth == 0)
                return s + 1;
        } else if (*s == p[0]) {
            depth++;
        }
    }
    return NULL;
}

static const char *match_most(struct match *m, const char *s, const char *p, const char *next)
{
    ptrdiff_t i = 0;

    while (one_matches(m, s + i, p, next))
        i++;
    for (; i >= 0; i--) {
        const char *e = match_here(m, s + i, next + 1);

        if (e)
            return e;
    }
    return NULL;
}

static const char *match_least(struct match *m, const char *s, const char *p, const char *next)
{
    for (;; s++) {
        const char *e = match_here(m, s, next + 1);

        if (e)
            return e;
        if (!one_matches(m, s, p, next))
            return NULL;
    }
}

static const char *capture_begin(struct match *m, const char *s, const char *p, ptrdiff_t kind)
{
    const char *e;

    if (m->level >= CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->capture[m->level].at = s;
    m->capture[m->level].n = kind;
    m->level++;
    e = match_here(m, s, p);
    if (!e)
        m->level--;
    return e;
}

static const char *capture_close(struct match *m, const char *s, const char *p)
{
    int i = m->level - 1;
    const char *e;

    while (i >= 0 && m->capture[i].n != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->capture[i].n = s - m->capture[i].at;
    e = match_here(m, s, p);
    if (!e)
        m->capture[i].n = OPEN;
    return e;
}

static const char *match_again(struct match *m, const char *s, int digit)
{
    const int i = digit - '1';
    size_t n;

    if (i < 0 || i >= m->level || m->capture[i].n == OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->capture[i].n == POSITION)
        return NULL; /* as the library does: a position is no text to find again */
    n = (size_t)m->capture[i].n;
    m->steps += (int64_t)n;
    if ((size_t)(m->end - s) < n || memcmp(m->capture[i].at, s, n) != 0)
        return NULL;
    return s + n;
}

/* p at the set after %f. */
static bool at_frontier(struct match *m, const char *s, const char *p, const char *next)
{
    const int before = s == m->begin ? '\0' : (unsigned char)s[-1];
    const int here = s < m->end ? (unsigned char)*s : '\0';

    m->steps += next - p;
    return !in_set(before, p, next - 1) && in_set(here, p, next - 1);
}

/* The items that are more than one character: %b, %f, %1. True: *s and *p moved on, or *s is NULL for no match. */
static bool match_special(struct match *m, const char **s, const char **p)
{
    const char *next;

    if (**p != '%' || *p + 1 >= m->pattern_end)
        return false;
    switch ((*p)[1]) {
    case 'b':
        *s = match_balance(m, *s, *p + 2);
        *p += 4;
        return true;
    case 'f':
        *p += 2;
        if (*p >= m->pattern_end || **p != '[')
            luaL_error(m->L, "missing '[' after '%%f' in pattern");
        next = item_end(m, *p);
        if (!at_frontier(m, *s, *p, next))
            *s = NULL;
        *p = next;
        return true;
    default:
        if (!isdigit((unsigned char)(*p)[1]))
            return false;
        *s = match_again(m, *s, (*p)[1]);
        *p += 2;
        return true;
    }
}

static const char *match_items(struct match *m, const char *s, const char *p)
{
    while (p < m->pattern_end) {
        const char *next;
        char times;

        step(m);
        if (*p == '(') {
            const bool position = p + 1 < m->pattern_end && p[1] == ')';

            return capture_begin(m, s, p + (position ? 2 : 1), position ? POSITION : OPEN);
        }
        if (*p == ')')
            return capture_close(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return s == m->end ? s : NULL;
        if (match_special(m, &s, &p)) {
            if (!s)
                return NULL;
            continue;
        }
        next = item_end(m, p);
        times = next < m->pattern_end ? *next : '\0';
        if (times == '*')
            return match_most(m, s, p, next);
        if (times == '+')
            return one_matches(m, s, p, next) ? match_most(m, s + 1, p, next) : NULL;
        if (times == '-')
            return match_least(m, s, p, next);
        if (times == '?') {
            const char *e = one_matches(m, s, p, next) ? match_here(m, s + 1, next + 1) : NULL;

            if (e)
                return e;
            p = next + 1;
            continue;
        }
        if (!one_matches(m, s, p, next))
            return NULL;
        s++;
        p = next;
    }
    return s;
}

static const char *match_here(struct match *m, const char *s, const char *p)
{
    const char *e;

    if (++m->depth > DEPTH_MAX)
        luaL_error(m->L, "pattern too complex");
    e = match_items(m, s, p);
    m->depth--;
    return e;
}

/* ---- captures to Lua ---- */

static void push_capture(struct match *m, int i, const char *s, const char *e)
{
    if (i >= m->level) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(e - s)); /* without captures: the whole match */
    } else if (m->capture[i].n == POSITION) {
        lua_pushinteger(m->L, m->capture[i].at - m->begin + 1);
    } else if (m->capture[i].n == OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].n);
    }
}

/* whole: without captures, the whole match counts as one. */
static int push_captures(struct match *m, const char *s, const char *e, bool whole)
{
    const int count = m->level == 0 && whole ? 1 : m->level;

    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        push_capture(m, i, s, e);
    return count;
}

/* ---- find, match, gmatch, gsub ---- */

static void match_init(struct match *m, lua_State *L, struct text subject, struct text pattern)
{
    m->L = L;
    m->begin = subject.p;
    m->end = subject.p + subject.n;
    m->pattern_end = pattern.p + pattern.n;
    m->steps = 0;
}

static const char *match_try(struct match *m, const char *s, const char *p)
{
    m->level = 0;
    m->depth = 0;
    return match_here(m, s, p);
}

static void match_pay(const struct match *m)
{
    script_run_of(m->L)->budget_left -= m->steps;
}

static struct text arg_text(lua_State *L, int arg)
{
    struct text t;

    t.p = luaL_checklstring(L, arg, &t.n);
    return t;
}

/* 1-based, negative from the end; 0-based result. False: past the end. */
static bool start_at(lua_State *L, int arg, size_t n, size_t *out)
{
    lua_Integer at = luaL_optinteger(L, arg, 1);

    if (at < 0)
        at = (lua_Unsigned)0 - (lua_Unsigned)at > n ? 1 : (lua_Integer)n + at + 1;
    if (at < 1)
        at = 1;
    *out = (size_t)(at - 1);
    return *out <= n;
}

static bool is_plain(struct text pattern)
{
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] != '\0' && strchr("^$*+?.([%-", pattern.p[i]))
            return false;
    return true;
}

static int find_plain(lua_State *L, struct text subject, struct text needle, size_t at)
{
    const char *s = memmem(subject.p + at, subject.n - at, needle.p, needle.n); /* linear, unlike the library's */

    if (!s) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushinteger(L, s - subject.p + 1);
    lua_pushinteger(L, s - subject.p + (lua_Integer)needle.n);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    const struct text subject = arg_text(L, 1), pattern = arg_text(L, 2);
    const bool anchored = pattern.n > 0 && pattern.p[0] == '^';
    const char *p = pattern.p + anchored, *s;
    struct match m;
    size_t at;

    if (!start_at(L, 3, subject.n, &at)) {
        luaL_pushfail(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(pattern)))
        return find_plain(L, subject, pattern, at);
    match_init(&m, L, subject, pattern);
    s = subject.p + at;
    do {
        const char *e = match_try(&m, s, p);

        if (!e)
            continue;
        match_pay(&m);
        if (!find)
            return push_captures(&m, s, e, true);
        lua_pushinteger(L, s - subject.p + 1);
        lua_pushinteger(L, e - subject.p);
        return push_captures(&m, s, e, false) + 2;
    } while (s++ < m.end && !anchored);
    match_pay(&m);
    luaL_pushfail(L);
    return 1;
}

static int string_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* Upvalues: subject, pattern, next position, end of the last match (-1: none). */
static int gmatch_next(lua_State *L)
{
    const struct text subject = arg_text(L, lua_upvalueindex(1)), pattern = arg_text(L, lua_upvalueindex(2));
    const lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct match m;

    match_init(&m, L, subject, pattern);
    for (const char *s = subject.p + lua_tointeger(L, lua_upvalueindex(3)); s <= m.end; s++) {
        const char *e = match_try(&m, s, pattern.p);

        if (!e || e - subject.p == last)
            continue;
        match_pay(&m);
        lua_pushinteger(L, e - subject.p);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&m, s, e, true);
    }
    match_pay(&m);
    return 0;
}

static int string_gmatch(lua_State *L)
{
    const struct text subject = arg_text(L, 1);
    size_t at;

    (void)arg_text(L, 2);
    if (!start_at(L, 3, subject.n, &at))
        at = subject.n + 1;
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)at);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

static void add_template(struct match *m, luaL_Buffer *b, const char *s, const char *e)
{
    const struct text with = arg_text(m->L, 3);

    for (size_t i = 0; i < with.n; i++) {
        if (with.p[i] != '%') {
            luaL_addchar(b, with.p[i]);
            continue;
        }
        if (++i < with.n && with.p[i] == '%')
            luaL_addchar(b, '%');
        else if (i < with.n && with.p[i] == '0')
            luaL_addlstring(b, s, (size_t)(e - s));
        else if (i < with.n && isdigit((unsigned char)with.p[i])) {
            push_capture(m, with.p[i] - '1', s, e);
            luaL_tolstring(m->L, -1, NULL); /* a position is a number */
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

/* nil or false keeps what was matched. */
static void add_replacement(struct match *m, luaL_Buffer *b, const char *s, const char *e, int kind)
{
    lua_State *L = m->L;

    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e, true), 1);
    } else if (kind == LUA_TTABLE) {
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    } else {
        add_template(m, b, s, e);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int string_gsub(lua_State *L)
{
    const struct text subject = arg_text(L, 1), pattern = arg_text(L, 2);
    const int kind = lua_type(L, 3);
    const lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)subject.n + 1);
    const bool anchored = pattern.n > 0 && pattern.p[0] == '^';
    const char *p = pattern.p + anchored, *s = subject.p, *last = NULL;
    lua_Integer count = 0;
    struct match m;
    luaL_Buffer b;

    luaL_argexpected(L, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3,
                     "string/function/table");
    match_init(&m, L, subject, pattern);
    luaL_buffinit(L, &b);
    while (count < max) {
        const char *e = match_try(&m, s, p);

        if (e && e != last) {
            count++;
            add_replacement(&m, &b, s, e, kind);
            s = last = e;
        } else if (s < m.end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    match_pay(&m);
    luaL_addlstring(&b, s, (size_t)(m.end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

void script_pattern_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "find", string_find }, { "match", string_match }, { "gmatch", string_gmatch }, { "gsub", string_gsub }, { NULL, NULL },
    };

    luaL_setfuncs(L, functions, 0);
}
