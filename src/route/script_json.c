/* Turns JSON text into Lua values and back. */
#include <math.h>

#include "route/script_inner.h"

enum { DEPTH_MAX = 32 };

/* ---- JSON to Lua ---- */

static void push_value(lua_State *L, const cJSON *item, int depth);

static void push_list(lua_State *L, const cJSON *list, int depth)
{
    const cJSON *item;
    lua_Integer i = 0;

    lua_newtable(L);
    cJSON_ArrayForEach(item, list)
    {
        push_value(L, item, depth + 1);
        lua_rawseti(L, -2, ++i);
    }
    if (i == 0)
        luaL_setmetatable(L, "sidetone.list"); /* so that it goes back as [] */
}

static void push_object(lua_State *L, const cJSON *object, int depth)
{
    const cJSON *item;

    lua_newtable(L);
    cJSON_ArrayForEach(item, object)
    {
        lua_pushstring(L, item->string);
        push_value(L, item, depth + 1);
        lua_rawset(L, -3);
    }
}

static void push_number(lua_State *L, double d)
{
    if (d == floor(d) && fabs(d) < 9007199254740992.0) /* 2^53: whole numbers beyond are not exact */
        lua_pushinteger(L, (lua_Integer)d);
    else
        lua_pushnumber(L, d);
}

static void push_value(lua_State *L, const cJSON *item, int depth)
{
    if (depth > DEPTH_MAX)
        script_raise(L, "json", "more than %d levels", DEPTH_MAX);
    luaL_checkstack(L, 8, "json");
    if (cJSON_IsArray(item))
        push_list(L, item, depth);
    else if (cJSON_IsObject(item))
        push_object(L, item, depth);
    else if (cJSON_IsString(item))
        lua_pushstring(L, item->valuestring);
    else if (cJSON_IsNumber(item))
        push_number(L, item->valuedouble);
    else if (cJSON_IsBool(item))
        lua_pushboolean(L, cJSON_IsTrue(item));
    else
        lua_pushlightuserdata(L, NULL); /* json.null */
}

void script_json_push(lua_State *L, struct script_engine *e, struct text json)
{
    const char *end = NULL;

    cJSON_Delete(e->json_in);
    e->json_in = NULL;
    if (json.n > SCRIPT_JSON_MAX)
        script_raise(L, "json", "more than %d bytes", SCRIPT_JSON_MAX);
    e->json_in = cJSON_ParseWithLengthOpts(json.p ? json.p : "", json.n, &end, 0);
    if (!e->json_in)
        script_raise(L, "json", "not JSON, from byte %d on", end && json.p ? (int)(end - json.p) + 1 : 1);
    if (text_trim(text_skip(json, (size_t)(end - json.p))).n > 0)
        script_raise(L, "json", "something follows the JSON text");
    push_value(L, e->json_in, 0);
    cJSON_Delete(e->json_in);
    e->json_in = NULL;
}

/* ---- Lua to JSON ---- */

static void add_value(lua_State *L, int index, struct buf *out, int depth);

static void add_string(lua_State *L, int index, struct buf *out)
{
    size_t n;
    const char *p = lua_tolstring(L, index, &n);

    buf_add_char(out, '"');
    buf_add_json(out, text_make(p, n));
    buf_add_char(out, '"');
}

static void add_number(lua_State *L, int index, struct buf *out)
{
    lua_Number d;

    if (lua_isinteger(L, index)) {
        buf_addf(out, "%lld", (long long)lua_tointeger(L, index));
        return;
    }
    d = lua_tonumber(L, index);
    if (!isfinite(d))
        script_raise(L, "json", "JSON has no word for this number");
    buf_addf(out, "%.17g", d);
}

/* A list has the keys 1 to #t and no other; an empty table is an object, unless it came from "[]". */
static bool is_list(lua_State *L, int index)
{
    const lua_Unsigned n = lua_rawlen(L, index);
    lua_Unsigned keys = 0;

    if (n == 0) {
        if (!lua_getmetatable(L, index))
            return false;
        luaL_getmetatable(L, "sidetone.list");
        const bool marked = lua_rawequal(L, -1, -2);

        lua_pop(L, 2);
        lua_pushnil(L);
        if (!lua_next(L, index))
            return marked;
        lua_pop(L, 2);
        return false;
    }
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), keys++)
        if (!lua_isinteger(L, -2) || keys >= n)
            script_raise(L, "json", "a table is either a list without gaps or has text keys");
    return true;
}

static void add_list(lua_State *L, int index, struct buf *out, int depth)
{
    const lua_Unsigned n = lua_rawlen(L, index);

    buf_add_char(out, '[');
    for (lua_Unsigned i = 1; i <= n && !out->err; i++) {
        if (i > 1)
            buf_add_char(out, ',');
        lua_rawgeti(L, index, (lua_Integer)i);
        add_value(L, -1, out, depth + 1);
        lua_pop(L, 1);
    }
    buf_add_char(out, ']');
}

static void add_object(lua_State *L, int index, struct buf *out, int depth)
{
    bool first = true;

    buf_add_char(out, '{');
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            script_raise(L, "json", "a table is either a list without gaps or has text keys");
        if (!first)
            buf_add_char(out, ',');
        first = false;
        add_string(L, -2, out);
        buf_add_char(out, ':');
        add_value(L, -1, out, depth + 1);
        if (out->err)
            script_raise(L, "json", "the JSON text is too long");
    }
    buf_add_char(out, '}');
}

/* Metamethods are not asked: what is in the table goes out. */
static void add_value(lua_State *L, int index, struct buf *out, int depth)
{
    index = lua_absindex(L, index);
    if (depth > DEPTH_MAX)
        script_raise(L, "json", "more than %d levels (a table inside itself?)", DEPTH_MAX);
    luaL_checkstack(L, 8, "json");
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        add_string(L, index, out);
        break;
    case LUA_TNUMBER:
        add_number(L, index, out);
        break;
    case LUA_TBOOLEAN:
        buf_add_text(out, lua_toboolean(L, index) ? TEXT("true") : TEXT("false"));
        break;
    case LUA_TTABLE:
        if (is_list(L, index))
            add_list(L, index, out, depth);
        else
            add_object(L, index, out, depth);
        break;
    case LUA_TNIL:
        buf_add_text(out, TEXT("null"));
        break;
    default:
        if (!lua_islightuserdata(L, index))
            script_raise(L, "json", "JSON has no word for a %s", luaL_typename(L, index));
        buf_add_text(out, TEXT("null"));
    }
}

void script_json_add(lua_State *L, int index, struct buf *out)
{
    add_value(L, index, out, 0);
    if (out->err)
        script_raise(L, "json", "the JSON text is too long");
}

/* ---- for handlers ---- */

static int encode(lua_State *L)
{
    struct buf *out = &script_run_of(L)->engine->json_out;

    luaL_checkany(L, 1);
    buf_clear(out);
    script_json_add(L, 1, out);
    lua_pushlstring(L, out->p, out->n);
    return 1;
}

static int decode(lua_State *L)
{
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);

    script_json_push(L, script_run_of(L)->engine, text_make(p, n));
    return 1;
}

void script_json_open(lua_State *L)
{
    static const luaL_Reg functions[] = { { "encode", encode }, { "decode", decode }, { NULL, NULL } };

    luaL_newmetatable(L, "sidetone.list");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);

    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    script_seal(L, "json");
    lua_setfield(L, 1, "json");
}
