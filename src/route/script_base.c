/* The part of Lua's library that a handler may use: what reaches no file, no process, no other run, and costs what it seems to. */
#include <limits.h>
#include <lualib.h>
#include <string.h>

#include "route/script_inner.h"

enum { MOVE_MAX = 1000000 };

static const char *const kept[] = {
    "assert", "error",    "getmetatable", "ipairs", "next",     "pairs", "pcall",    "rawequal",
    "rawget", "rawlen",   "select",       "tonumber", "tostring", "type",  "xpcall",   "_VERSION",
};

/* ---- read-only views ---- */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

/* Iterates the real table. */
static int seal_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1)); /* next */
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushnil(L);
    return 3;
}

static int seal_next(lua_State *L)
{
    lua_settop(L, 2);
    lua_replace(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return lua_next(L, 1) ? 2 : (lua_pushnil(L), 1);
}

void script_seal(lua_State *L, const char *name)
{
    const int real = lua_gettop(L);

    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, real);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, refuse_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, real);
    lua_pushcclosure(L, seal_next, 1); /* never hands out the real table */
    lua_pushnil(L);
    lua_pushcclosure(L, seal_pairs, 2);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_replace(L, real);
}

/* ---- functions with a fence ---- */

static void refuse_protected(lua_State *L)
{
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        luaL_error(L, "this table is protected");
}

/* A finalizer would run with hooks off (lgc.c: GCTM), so a loop in it would never end: none can be set. */
static int set_metatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    refuse_protected(L);
    lua_settop(L, 2);
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available to scripts");
        lua_pop(L, 1);
    }
    lua_setmetatable(L, 1);
    return 1;
}

static int raw_set(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 3);
    refuse_protected(L);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

/* load(text [, name [, mode [, environment]]]): text only, never compiled code, and the run's own environment by default. */
static int load_text(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const char *name = luaL_optstring(L, 2, "=load");

    if (n > SCRIPT_FILE_MAX)
        return luaL_error(L, "load: more than %d bytes", SCRIPT_FILE_MAX);
    lua_settop(L, 4);
    if (luaL_loadbufferx(L, text, n, name, "t") != LUA_OK) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, lua_isnil(L, 4) ? lua_upvalueindex(1) : 4);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    return 1;
}

/* The library's own loops for ever over an empty text. */
static int repeat_text(lua_State *L)
{
    size_t n, sep_n;
    const char *text = luaL_checklstring(L, 1, &n);
    const lua_Integer times = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_n);
    luaL_Buffer b;

    if (times <= 0 || n + sep_n == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)times > SCRIPT_TEXT_MAX / (n + sep_n))
        return luaL_error(L, "string.rep: the result would be longer than %d bytes", SCRIPT_TEXT_MAX);
    luaL_buffinit(L, &b);
    for (lua_Integer i = 0; i < times; i++) {
        luaL_addlstring(&b, text, n);
        if (i + 1 < times)
            luaL_addlstring(&b, sep, sep_n);
    }
    luaL_pushresult(&b);
    return 1;
}

/* A made-up length would have the library count to it in C, where no budget is looked at. */
static int honest_length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        return luaL_error(L, "a table with __len is not accepted here");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int move_some(lua_State *L)
{
    const lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= MOVE_MAX)
        return luaL_error(L, "table.move: more than %d elements", MOVE_MAX);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Replaces function `name` of the table on top by one that has it as upvalue. */
static void wrap(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

static void drop(lua_State *L, const char *name)
{
    lua_pushnil(L);
    lua_setfield(L, -2, name);
}

/* ---- putting it together: each adds to the base table at index 1 ---- */

static void add_functions(lua_State *L)
{
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        lua_getfield(L, -1, kept[i]);
        lua_setfield(L, 1, kept[i]);
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, set_metatable);
    lua_setfield(L, 1, "setmetatable");
    lua_pushcfunction(L, raw_set);
    lua_setfield(L, 1, "rawset");
}

static void add_string(lua_State *L)
{
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
    drop(L, "dump");
    lua_pushcfunction(L, repeat_text);
    lua_setfield(L, -2, "rep");
    script_pattern_open(L);
    lua_pushliteral(L, "");
    if (lua_getmetatable(L, -1)) { /* shared by all texts: not to be reached */
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    script_seal(L, "string");
    lua_setfield(L, 1, "string");
}

static void add_table(lua_State *L)
{
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
    wrap(L, "insert", honest_length);
    wrap(L, "remove", honest_length);
    wrap(L, "sort", honest_length);
    wrap(L, "move", move_some);
    script_seal(L, "table");
    lua_setfield(L, 1, "table");
}

static void add_os(lua_State *L)
{
    static const char *const names[] = { "time", "date", "clock", "difftime" };

    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_getfield(L, -2, names[i]);
        lua_setfield(L, -2, names[i]);
    }
    script_seal(L, "os");
    lua_setfield(L, 1, "os");
    lua_pop(L, 1);
}

static void add_others(lua_State *L)
{
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    drop(L, "randomseed"); /* one generator for all runs */
    script_seal(L, "math");
    lua_setfield(L, 1, "math");
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 0);
    script_seal(L, "utf8");
    lua_setfield(L, 1, "utf8");
}

static int error_text(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushliteral(L, "where");
    lua_rawget(L, 1);
    lua_pushliteral(L, "code");
    lua_rawget(L, 1);
    lua_pushliteral(L, "text");
    lua_rawget(L, 1);
    if (!lua_isstring(L, 2) || !lua_isstring(L, 3) || !lua_isstring(L, 4))
        lua_pushliteral(L, "error");
    else
        lua_pushfstring(L, "%s%s: %s", lua_tostring(L, 2), lua_tostring(L, 3), lua_tostring(L, 4));
    return 1;
}

void script_base_open(lua_State *L)
{
    lua_settop(L, 0);
    lua_newtable(L);
    add_functions(L);
    add_string(L);
    add_table(L);
    add_os(L);
    add_others(L);
    script_json_open(L);
    script_host_open(L);
    script_http_open(L);

    luaL_newmetatable(L, "sidetone.environment");
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");

    luaL_newmetatable(L, "sidetone.error");
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_settop(L, 0);
}

void script_env_push(lua_State *L)
{
    lua_createtable(L, 0, 8);
    luaL_setmetatable(L, "sidetone.environment");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G"); /* raw: the metatable has no __newindex */
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, load_text, 1);
    lua_setfield(L, -2, "load");
}
