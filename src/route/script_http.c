/* http.get and http.post for handlers and tools: one request at a time, only to hosts that were granted. */
#include <errno.h>
#include <string.h>

#include "net/http_hosts.h"
#include "route/script_inner.h"

enum { TIMEOUT_MS = 2000, TIMEOUT_MAX_MS = 60000, URL_MAX = 4096, HEADERS_MAX = 32 };

/* ---- which hosts ---- */

static void check_url(lua_State *L, const struct script_run *r, struct text url)
{
    const struct text host = http_host_of(url);

    if (!host.p || url.n > URL_MAX || strlen(url.p) != url.n || !text_is_one_line(url))
        script_raise(L, "http_refused", "not a plain http:// or https:// URL");
    if (!http_host_is_granted(r->script->http_hosts, host)) {
        lua_pushlstring(L, host.p, host.n);
        script_raise(L, "http_refused", "the host %s is not one of http_hosts", lua_tostring(L, -1));
    }
}

/* ---- the request ---- */

static struct text text_field(lua_State *L, int table, const char *name)
{
    struct text t = TEXT_NONE;

    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1)) {
        t.p = lua_tolstring(L, -1, &t.n);
        if (!t.p)
            luaL_error(L, "%s has to be a text", name);
    }
    return t; /* stays on the stack, so the text lives */
}

static int64_t timeout_field(lua_State *L, int table)
{
    lua_Integer ms;
    int is_number;

    lua_getfield(L, table, "timeout_ms");
    if (lua_isnil(L, -1))
        return TIMEOUT_MS;
    ms = lua_tointegerx(L, -1, &is_number);
    if (!is_number || ms < 1 || ms > TIMEOUT_MAX_MS)
        luaL_error(L, "timeout_ms: whole milliseconds from 1 to %d", TIMEOUT_MAX_MS);
    return ms;
}

/* "Name: value" lines, each held by the stack, and a list of them held by a block of Lua's. */
static const char *const *headers_field(lua_State *L, int table)
{
    const char **list;
    size_t n = 0;
    int from;

    lua_getfield(L, table, "headers");
    if (lua_isnil(L, -1))
        return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    from = lua_gettop(L);
    luaL_checkstack(L, HEADERS_MAX + 4, NULL);
    list = lua_newuserdatauv(L, (HEADERS_MAX + 1) * sizeof *list, 0);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        if (n == HEADERS_MAX)
            luaL_error(L, "more than %d headers", HEADERS_MAX);
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
            luaL_error(L, "headers: names and texts");
        list[n++] = lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_insert(L, -3); /* below the key */
        lua_pop(L, 1);
    }
    list[n] = NULL;
    return list;
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct script_run *r = arg;
    const struct answer answer = {
        .value = body, .status = status, .code = err ? "http" : NULL, .text = err ? (detail && detail[0] ? detail : err_text(err)) : NULL,
    };

    r->http = NULL;
    if (r->wait == WAIT_HTTP)
        script_run_wake(r, &answer);
}

static int answered(lua_State *L, int status, lua_KContext ctx)
{
    const struct script_run *r = script_run_of(L);

    (void)status;
    script_asked_tell(L, r, (const char *)ctx, 1);
    script_answer_check(L, r);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, r->answer.status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, r->answer.value.p ? r->answer.value.p : "", r->answer.value.n);
    lua_setfield(L, -2, "body");
    return 1;
}

static int request(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    struct http_options opt = { .method = lua_tostring(L, lua_upvalueindex(1)), .timeout_ms = TIMEOUT_MS, .body_max = SCRIPT_JSON_MAX };
    struct text url;
    int err;

    url.p = luaL_checklstring(L, 1, &url.n);
    opt.url = url.p;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        opt.timeout_ms = timeout_field(L, 2);
        opt.body = text_field(L, 2, "body");
        opt.headers = headers_field(L, 2);
    }
    if (opt.body.n > SCRIPT_JSON_MAX)
        return script_raise(L, "http_refused", "a body of more than %d bytes", SCRIPT_JSON_MAX);
    if (r->engine->services.http)
        return script_http_ask(L, r, opt.method, url, answered);
    check_url(L, r, url);
    script_wait_check(L, r);
    if (!r->engine->services.dialer)
        return script_raise(L, "http_refused", "there is no way out here");
    err = http_send(&r->http, r->engine->services.dialer, &opt, on_answer, r);
    if (err) {
        r->http = NULL;
        return script_raise(L, "http", "%s", err_text(err));
    }
    r->wait = WAIT_HTTP;
    return lua_yieldk(L, 0, (lua_KContext)opt.method, answered);
}

static void add(lua_State *L, const char *name, const char *method)
{
    lua_pushstring(L, method);
    lua_pushcclosure(L, request, 1);
    lua_setfield(L, -2, name);
}

void script_http_open(lua_State *L)
{
    lua_newtable(L);
    add(L, "get", "GET");
    add(L, "post", "POST");
    script_seal(L, "http");
    lua_setfield(L, 1, "http");
}
