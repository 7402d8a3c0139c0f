/* What handlers and tools may ask of the daemon itself: look-ups in the store, log lines, a pause. */
#include <errno.h>
#include <stdlib.h>

#include "route/script_inner.h"

enum { LOG_TEXT_MAX = 500, SLEEP_MAX_MS = 24 * 3600 * 1000 };

/* ---- store.get(table, key) ---- */

static void on_value(int err, struct text value, void *arg)
{
    struct script_lookup *lookup = arg;
    struct script_run *r = lookup->run;
    const struct answer answer = { .value = value, .code = err ? "store" : NULL, .text = err ? err_text(err) : NULL };

    free(lookup);
    if (!r)
        return;
    r->lookup = NULL;
    if (r->wait == WAIT_STORE)
        script_run_wake(r, &answer);
    else if (!r->co)
        r->on_end(r); /* the end waited for us */
}

static void on_put(int err, void *arg)
{
    on_value(err, TEXT_NONE, arg);
}

static int store_kept(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    script_answer_check(L, script_run_of(L));
    lua_pushboolean(L, 1);
    return 1;
}

static int store_got(lua_State *L, int status, lua_KContext ctx)
{
    const struct script_run *r = script_run_of(L);

    (void)status;
    (void)ctx;
    script_answer_check(L, r);
    if (r->answer.value.p)
        lua_pushlstring(L, r->answer.value.p, r->answer.value.n);
    else
        lua_pushnil(L);
    return 1;
}

/* The question is asked by begin's caller; err: it was not taken. */
static void lookup_begin(lua_State *L, struct script_run *r, bool has_store)
{
    script_wait_check(L, r);
    if (!has_store)
        script_raise(L, "store", "there is no store");
    r->lookup = malloc(sizeof *r->lookup);
    if (!r->lookup)
        script_raise(L, "store", "%s", err_text(-ENOMEM));
    r->lookup->run = r;
}

static int lookup_wait(lua_State *L, struct script_run *r, int err, lua_KFunction go_on)
{
    if (err) {
        free(r->lookup);
        r->lookup = NULL;
        return script_raise(L, "store", "%s", err_text(err));
    }
    r->wait = WAIT_STORE;
    return lua_yieldk(L, 0, 0, go_on);
}

static int store_get(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const struct script_services *services = &r->engine->services;
    struct text table, key;

    table.p = luaL_checklstring(L, 1, &table.n);
    key.p = luaL_checklstring(L, 2, &key.n);
    lookup_begin(L, r, services->store_get != NULL);
    return lookup_wait(L, r, services->store_get(services->arg, r->engine->loop, table, key, on_value, r->lookup), store_got);
}

/* ---- store.put(table, key, value) ---- */

static int store_put(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const struct script_services *services = &r->engine->services;
    struct text table, key, value;

    table.p = luaL_checklstring(L, 1, &table.n);
    key.p = luaL_checklstring(L, 2, &key.n);
    value.p = luaL_checklstring(L, 3, &value.n);
    lookup_begin(L, r, services->store_put != NULL);
    return lookup_wait(L, r, services->store_put(services->arg, r->engine->loop, table, key, value, on_put, r->lookup), store_kept);
}

/* ---- sleep(ms) ---- */

static int slept(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    script_answer_check(L, script_run_of(L));
    return 0;
}

static int sleep_ms(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const lua_Integer ms = luaL_checkinteger(L, 1);

    luaL_argcheck(L, ms >= 0 && ms <= SLEEP_MAX_MS, 1, "milliseconds, up to a day");
    script_wait_check(L, r);
    r->wait = WAIT_SLEEP;
    timer_start(r->wake, ms);
    return lua_yieldk(L, 0, 0, slept);
}

/* ---- log.info(text), log.warn(text) ---- */

static int log_line(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const enum log_level level = (enum log_level)lua_tointeger(L, lua_upvalueindex(1));
    struct text text;

    text.p = luaL_checklstring(L, 1, &text.n);
    if (r->logs >= SCRIPT_LOGS_MAX) {
        r->engine->logs_dropped++;
        return 0;
    }
    r->logs++;
    LOG_AT(&r->engine->log, level, "handler_says", kv_str("script", r->script->name),
           kv_str("call", r->call_id ? r->call_id : ""), kv_text("text", text_head(text, LOG_TEXT_MAX)));
    return 0;
}

static void add_level(lua_State *L, const char *name, enum log_level level)
{
    lua_pushinteger(L, level);
    lua_pushcclosure(L, log_line, 1);
    lua_setfield(L, -2, name);
}

void script_host_open(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, store_get);
    lua_setfield(L, -2, "get");
    lua_pushcfunction(L, store_put);
    lua_setfield(L, -2, "put");
    script_seal(L, "store");
    lua_setfield(L, 1, "store");

    lua_newtable(L);
    add_level(L, "info", LOG_INFO);
    add_level(L, "warn", LOG_WARN);
    script_seal(L, "log");
    lua_setfield(L, 1, "log");

    lua_pushcfunction(L, sleep_ms);
    lua_setfield(L, 1, "sleep");
}
