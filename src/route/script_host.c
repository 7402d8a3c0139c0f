/* What handlers and tools may ask of the daemon itself: look-ups in the store, log lines, a pause. */
#include <errno.h>
#include <stdlib.h>

#include "route/asked.h"
#include "route/script_inner.h"

enum { LOG_TEXT_MAX = 500, SLEEP_MAX_MS = 24 * 3600 * 1000 };

/* ---- store.get(table, key) ---- */

static void lookup_end(struct script_lookup *lookup, const struct answer *answer)
{
    struct script_run *r = lookup->run;

    free(lookup);
    if (!r)
        return;
    r->lookup = NULL;
    if (r->wait == WAIT_STORE)
        script_run_wake(r, answer);
    else if (!r->co)
        r->on_end(r); /* the end waited for us */
}

static void on_value(int err, struct text value, void *arg)
{
    const struct answer answer = { .value = value, .code = err ? "store" : NULL, .text = err ? err_text(err) : NULL };

    lookup_end(arg, &answer);
}

static void on_http(int err, int status, struct text body, void *arg)
{
    const struct answer answer = { .value = body, .status = status, .code = err ? "http" : NULL, .text = err ? err_text(err) : NULL };

    lookup_end(arg, &answer);
}

void script_asked_tell(lua_State *L, const struct script_run *r, const char *verb, int words)
{
    const struct answer *a = &r->answer;
    struct buf question, told;
    size_t n;

    if (!r->on_asked || r->over)
        return;
    buf_init(&question, ASKED_MAX + 1);
    buf_init(&told, ASKED_MAX + 1);
    buf_add_text(&question, text_of(verb));
    for (int i = 1; i <= words; i++) {
        const char *word = lua_tolstring(L, i, &n); /* a text, or a number that becomes one: the arguments were checked */

        buf_add_char(&question, ' ');
        buf_add(&question, word, n);
    }
    buf_add_char(&told, a->code ? '!' : a->value.p || a->status ? '=' : '-');
    if (a->code)
        buf_add_text(&told, text_of(a->text));
    else if (a->status)
        buf_addf(&told, "%d ", a->status);
    if (!a->code && a->value.p)
        buf_add_text(&told, a->value);
    if (!question.err && !told.err)
        r->on_asked(buf_text(&question), buf_text(&told), r->asked_arg);
    buf_free(&question);
    buf_free(&told);
}

void script_run_watch(struct script_run *r, script_on_asked *on_asked, void *arg)
{
    r->on_asked = on_asked;
    r->asked_arg = arg;
}

static void on_put(int err, void *arg)
{
    on_value(err, TEXT_NONE, arg);
}

static int store_kept(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    script_asked_tell(L, script_run_of(L), "store.put", 2);
    script_answer_check(L, script_run_of(L));
    lua_pushboolean(L, 1);
    return 1;
}

static int store_got(lua_State *L, int status, lua_KContext ctx)
{
    const struct script_run *r = script_run_of(L);

    (void)status;
    (void)ctx;
    script_asked_tell(L, r, "store.get", 2);
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

static int lookup_wait(lua_State *L, struct script_run *r, int err, lua_KFunction go_on, const char *verb)
{
    if (err) {
        free(r->lookup);
        r->lookup = NULL;
        return script_raise(L, "store", "%s", err_text(err));
    }
    r->wait = WAIT_STORE;
    return lua_yieldk(L, 0, (lua_KContext)verb, go_on);
}

static int store_get(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const struct script_services *services = &r->engine->services;
    struct text table, key;

    table.p = luaL_checklstring(L, 1, &table.n);
    key.p = luaL_checklstring(L, 2, &key.n);
    lookup_begin(L, r, services->store_get != NULL);
    return lookup_wait(L, r, services->store_get(services->arg, r->engine->loop, table, key, on_value, r->lookup), store_got, NULL);
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
    return lookup_wait(L, r, services->store_put(services->arg, r->engine->loop, table, key, value, on_put, r->lookup), store_kept, NULL);
}

int script_http_ask(lua_State *L, struct script_run *r, const char *method, struct text url, lua_KFunction go_on)
{
    const struct script_services *services = &r->engine->services;

    lookup_begin(L, r, true);
    return lookup_wait(L, r, services->http(services->arg, r->engine->loop, text_of(method), url, on_http, r->lookup), go_on, method);
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
