/* Carries one coroutine from its first instruction to its closed end: waits, budget, deadline, the verdict. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ref.h"
#include "route/script_inner.h"

enum { DEADLINE_MS = 60000, CPU_FREE_US = 5000, SLICE_US = 1000 };

struct script_run *script_run_of(lua_State *L)
{
    return *(struct script_run **)lua_getextraspace(L);
}

void script_run_decide(struct script_run *r, enum agi_end status, struct text reason)
{
    if (r->over)
        return;
    r->over = true;
    r->status = status;
    (void)text_copy(r->reason, sizeof r->reason, reason);
}

/* ---- leaving and raising, from inside Lua ---- */

static void on_count(lua_State *L, lua_Debug *ar);

int script_run_leave(lua_State *L)
{
    struct script_run *r = script_run_of(L);

    if (lua_isyieldable(L) && !r->closing)
        return lua_yield(L, 0); /* never resumed: the coroutine is closed where it stands */
    r->doomed = true;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    return luaL_error(L, "the run has ended");
}

/* The nearest line of a handler: between it and the verb may stand a pcall. */
static void push_where(lua_State *L)
{
    lua_Debug ar;

    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0)
            continue;
        lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
        return;
    }
    lua_pushliteral(L, "");
}

static int raise_filled(lua_State *L)
{
    push_where(L);
    lua_setfield(L, -2, "where");
    luaL_setmetatable(L, "sidetone.error");
    return lua_error(L);
}

int script_raise(lua_State *L, const char *code, const char *fmt, ...)
{
    va_list ap;

    lua_createtable(L, 0, 3);
    va_start(ap, fmt);
    lua_pushvfstring(L, fmt, ap);
    va_end(ap);
    lua_setfield(L, -2, "text");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    return raise_filled(L);
}

int script_raise_number(lua_State *L, int code, struct text text)
{
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, text.p ? text.p : "", text.n);
    lua_setfield(L, -2, "text");
    lua_pushinteger(L, code);
    lua_setfield(L, -2, "code");
    return raise_filled(L);
}

void script_wait_check(lua_State *L, struct script_run *r)
{
    if (r->over) {
        const bool late = r->status == AGI_END_TIMEOUT;

        script_raise(L, late ? "deadline" : "over", late ? "the deadline has passed" : "the run has ended");
    }
    if (!lua_isyieldable(L) || r->closing)
        script_raise(L, "cannot_wait", "cannot wait here: at the top of a file, in a callback of a library function, or in __close");
}

void script_answer_check(lua_State *L, const struct script_run *r)
{
    if (r->answer.code)
        script_raise(L, r->answer.code, "%s", r->answer.text);
}

/* ---- the budget ---- */

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void budget_grant(struct script_run *r)
{
    r->budget_left = r->engine->budget;
    r->used_us = 0;
    r->resumed_us = clock_mono_us();
    r->resumed_cpu_us = -1;
    lua_sethook(r->co, on_count, LUA_MASKCOUNT, SCRIPT_HOOK_STEP);
}

/* The next slice of the same budget. */
static void budget_go_on(struct script_run *r)
{
    r->resumed_us = clock_mono_us();
    r->resumed_cpu_us = cpu_us();
}

/* Instructions differ in cost (one may join two texts of megabytes), so processor time is looked at as well. The cheap clock
 * comes first: it says when asking the kernel is worth it (0.5 us each, more than most resumes take). Until then a resume may have
 * used CPU_FREE_US that are not counted. */
static bool is_spent(struct script_run *r)
{
    int64_t elapsed_us;

    r->budget_left -= SCRIPT_HOOK_STEP;
    if (r->budget_left <= 0)
        return true;
    elapsed_us = clock_mono_us() - r->resumed_us;
    if (elapsed_us > CPU_FREE_US && r->resumed_cpu_us < 0)
        r->resumed_cpu_us = cpu_us();
    return r->used_us + elapsed_us > SCRIPT_CPU_US &&
           r->used_us + cpu_us() - r->resumed_cpu_us > SCRIPT_CPU_US - CPU_FREE_US;
}

/* Who computes for long lets the loop's other calls in between: without it a handler that loops, five times a second, raised the p99
 * of another route from 4 to 78 ms. Not where a C function stands between, nor in what cannot be woken. */
static bool slice_is_over(const struct script_run *r, lua_State *L)
{
    return clock_mono_us() - r->resumed_us > SLICE_US && r->wake && !r->closing && lua_isyieldable(L);
}

static void slice_end(struct script_run *r)
{
    const int64_t elapsed_us = clock_mono_us() - r->resumed_us;

    r->used_us += r->resumed_cpu_us >= 0 ? cpu_us() - r->resumed_cpu_us : elapsed_us < CPU_FREE_US ? elapsed_us : CPU_FREE_US;
    r->wait = WAIT_TURN;
}

static void describe_budget(struct script_run *r, lua_State *L)
{
    lua_Debug ar;

    if (r->problem[0])
        return;
    if (!lua_getstack(L, 0, &ar) || !lua_getinfo(L, "Sl", &ar)) {
        ar.short_src[0] = '\0';
        ar.currentline = 0;
    }
    snprintf(r->problem, sizeof r->problem, "%s:%d: runs too long without waiting (budget: %d instructions, %d ms)", ar.short_src,
             ar.currentline, r->engine->budget, SCRIPT_CPU_US / 1000);
}

/* A yield ends it at once. Where a C function stands between, an error does: at every instruction, so that each pcall on the way
 * is left again by the next one. */
static void on_count(lua_State *L, lua_Debug *ar)
{
    struct script_run *r = script_run_of(L);

    (void)ar;
    if (!is_spent(r) && !r->doomed) {
        if (slice_is_over(r, L)) {
            slice_end(r);
            lua_yield(L, 0);
        }
        return;
    }
    describe_budget(r, L);
    script_run_decide(r, AGI_END_ERROR, TEXT("budget"));
    if (lua_isyieldable(L) && !r->closing) {
        lua_yield(L, 0);
        return;
    }
    r->doomed = true;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    luaL_error(L, "%s", r->problem);
}

/* ---- what runs in the coroutine ---- */

static int entry_done(lua_State *L, int status, lua_KContext ctx)
{
    struct script_run *r = script_run_of(L);

    (void)status;
    (void)ctx;
    if (r->kind != RUN_TOOL)
        return 0;
    if (lua_isnil(L, -1)) {
        buf_add_text(&r->result, TEXT("{}"));
        return 0;
    }
    if (!lua_istable(L, -1))
        return luaL_error(L, "%s: %s() has to return a table, and returned a %s", r->script->name, r->script->entry,
                          luaL_typename(L, -1));
    script_json_add(L, -1, &r->result);
    return 0;
}

static int push_arguments(lua_State *L, struct script_run *r)
{
    if (r->kind == RUN_AGI) {
        script_call_push(L);
        return 1;
    }
    script_json_push(L, r->engine, text_of(r->args));
    script_json_push(L, r->engine, text_of(r->context));
    return 2;
}

/* Each run has the file's body run in an environment of its own: two runs share no global. */
static int entry_main(lua_State *L)
{
    struct script_run *r = script_run_of(L);
    const struct script *s = r->script;

    script_body_run(L, s);
    lua_pushstring(L, s->entry);
    if (lua_rawget(L, -2) != LUA_TFUNCTION)
        return luaL_error(L, "%s:1: there is no global function %s", s->name, s->entry);
    if (r->kind == RUN_CHECK)
        return 0;
    lua_callk(L, push_arguments(L, r), 1, 0, entry_done);
    return entry_done(L, LUA_OK, 0);
}

/* ---- the verdict ---- */

static void problem_set(struct script_run *r, struct text where, struct text text)
{
    if (!r->problem[0])
        snprintf(r->problem, sizeof r->problem, "%.*s%.*s", TEXT_ARG(text_head(where, 160)), TEXT_ARG(text_head(text, 220)));
}

static struct text field(lua_State *L, int table, const char *name)
{
    size_t n;
    const char *p;

    lua_pushstring(L, name);
    lua_rawget(L, table);
    p = lua_tolstring(L, -1, &n); /* stays on the stack, so the text lives */
    return p ? text_make(p, n) : TEXT_NONE;
}

/* No metamethod is called for a description: the run is over. */
static int describe(lua_State *L)
{
    struct script_run *r = lua_touserdata(L, 1);
    size_t n;
    const char *p;

    if (lua_type(L, 2) == LUA_TSTRING) {
        p = lua_tolstring(L, 2, &n);
        problem_set(r, TEXT(""), text_make(p, n));
    } else if (lua_istable(L, 2)) {
        const struct text code = field(L, 2, "code"), text = field(L, 2, "text"), where = field(L, 2, "where");

        problem_set(r, where, text.p ? text : TEXT("error object is a table"));
        if (r->session && agi_session_is_dead(r->session) && text_eq(code, TEXT("hangup")))
            script_run_decide(r, AGI_END_HANGUP, TEXT("hangup"));
        else if (r->session && text_eq(code, TEXT("closed")))
            script_run_decide(r, agi_session_is_dead(r->session) ? AGI_END_HANGUP : AGI_END_ERROR,
                              agi_session_is_dead(r->session) ? TEXT("hangup") : TEXT("connection"));
        else if (text_eq(code, TEXT("511")))
            script_run_decide(r, AGI_END_HANGUP, TEXT("dead_channel"));
        else if (text_eq(code, TEXT("reply_timeout")))
            script_run_decide(r, AGI_END_TIMEOUT, TEXT("reply"));
    } else {
        problem_set(r, TEXT("error object is a "), text_of(luaL_typename(L, 2)));
    }
    script_run_decide(r, AGI_END_ERROR, TEXT("handler_error"));
    return 0;
}

static void judge_error(struct script_run *r, int status)
{
    lua_State *L = r->engine->L;

    if (status == LUA_ERRMEM) {
        problem_set(r, TEXT(""), TEXT("not enough memory for this script"));
        script_run_decide(r, AGI_END_ERROR, TEXT("memory"));
        return;
    }
    if (lua_checkstack(L, 8) && lua_checkstack(r->co, 8)) {
        lua_pushcfunction(L, describe);
        lua_pushlightuserdata(L, r);
        lua_pushvalue(r->co, -1);
        lua_xmove(r->co, L, 1);
        if (lua_pcall(L, 2, 0, 0) != LUA_OK)
            lua_pop(L, 1);
    }
    problem_set(r, TEXT(""), TEXT("an error that could not be described"));
    script_run_decide(r, AGI_END_ERROR, TEXT("handler_error"));
}

/* Runs to-be-closed variables (they get a budget of their own, and cannot wait) and lets go of the coroutine. An end forced by an
 * error inside a hook leaves hooks off in this coroutine (Lua 5.4.4), so then nothing more may run in it. */
static void close_coroutine(struct script_run *r)
{
    struct script_engine *e = r->engine;

    r->closing = true;
    if (!r->doomed && !r->returned) {
        budget_grant(r);
        (void)lua_resetthread(r->co);
    }
    lua_sethook(r->co, NULL, 0, 0);
    if (r->returned && !r->doomed && e->idle_count < SCRIPT_IDLE_MAX) {
        lua_settop(r->co, 0);
        e->idle[e->idle_count++] = r->co;
    } else {
        lua_pushnil(e->L);
        lua_rawsetp(e->L, LUA_REGISTRYINDEX, r->co); /* the key exists: nothing is allocated */
    }
    r->co = NULL;
    r->wait = WAIT_NONE;
    if (r->wake)
        timer_stop(r->wake);
    if (r->deadline)
        timer_stop(r->deadline);
}

static void settle(struct script_run *r, int status)
{
    r->returned = status == LUA_OK;
    if (status != LUA_OK && status != LUA_YIELD)
        judge_error(r, status);
    script_run_decide(r, AGI_END_OK, TEXT(""));
    close_coroutine(r);
}

bool script_run_resume(struct script_run *r)
{
    struct script_engine *e = r->engine;
    const bool goes_on = r->wait == WAIT_TURN;
    int count, status;

    INVARIANT(!e->current && r->co);
    if (r->wake)
        timer_stop(r->wake);
    http_cancel(r->http); /* an end that did not wait for it */
    r->http = NULL;
    r->wait = WAIT_NONE;
    if (goes_on)
        budget_go_on(r);
    else
        budget_grant(r);
    e->current = r;
    status = lua_resume(r->co, e->L, 0, &count);
    if (status != LUA_YIELD || r->over)
        settle(r, status);
    else if (r->wait == WAIT_TURN)
        timer_start(r->wake, 0);
    e->current = NULL;
    r->answer = (struct answer){ 0 };
    if (r->has_command)
        agi_command_free(&r->command);
    r->has_command = false;
    cJSON_Delete(e->json_in);
    e->json_in = NULL;
    return !r->co;
}

void script_run_wake(struct script_run *r, const struct answer *answer)
{
    r->answer = *answer;
    if (script_run_resume(r))
        r->on_end(r);
}

void script_run_end(struct script_run *r, enum agi_end status, const char *reason, const char *code, const char *text)
{
    const struct answer answer = { .code = code, .text = text };

    script_run_decide(r, status, text_of(reason));
    if (!r->co)
        return;
    if (r->wait != WAIT_NONE && r->wait != WAIT_TURN) {
        script_run_wake(r, &answer);
        return;
    }
    /* Never begun, or in the middle of computing: there no error can be raised (it would have to come from a hook, which then stays
     * off), so it ends where it stands. */
    close_coroutine(r);
    r->on_end(r);
}

/* ---- coming and going ---- */

static void on_deadline(void *arg)
{
    script_run_end(arg, AGI_END_TIMEOUT, "deadline", "deadline", "the deadline has passed");
}

static void on_wake(void *arg)
{
    const struct answer nothing = { 0 };
    struct script_run *r = arg;
    struct script_engine *e = r->engine;

    if (r->wait == WAIT_TURN) {
        const int64_t turn = loop_now_ms(e->loop);

        if (e->slice_turn_ms == turn) { /* one slice a turn, however many compute */
            timer_start(r->wake, 0);
            return;
        }
        e->slice_turn_ms = turn;
    }
    script_run_wake(r, &nothing);
}

int script_run_clock(struct script_run *r, int64_t deadline_ms)
{
    int err = timer_new(&r->wake, r->engine->loop, on_wake, r);

    if (!err)
        err = timer_new(&r->deadline, r->engine->loop, on_deadline, r);
    if (!err)
        timer_start(r->deadline, deadline_ms > 0 ? deadline_ms : DEADLINE_MS);
    return err;
}

static int make_coroutine(lua_State *L)
{
    struct script_run *r = lua_touserdata(L, 1);

    lua_State *co = lua_newthread(L);

    lua_rawsetp(L, LUA_REGISTRYINDEX, co);
    r->co = co; /* nothing can raise any more */
    return 0;
}

/* One that has returned is as good as new (its variables are closed, its stack is empty), and half as dear. */
static int take_coroutine(struct script_run *r)
{
    struct script_engine *e = r->engine;
    int err = 0;

    if (e->idle_count > 0)
        r->co = e->idle[--e->idle_count];
    else
        err = script_protected(e->L, make_coroutine, r);
    if (err)
        return err;
    *(struct script_run **)lua_getextraspace(r->co) = r;
    lua_pushcfunction(r->co, entry_main); /* no allocation: the stack is empty, and a C function without upvalues is a plain value */
    return 0;
}

int script_run_new(struct script_run **out, struct script *s, enum run_kind kind)
{
    struct script_run *r = calloc(1, sizeof *r);
    int err;

    if (!r)
        return -ENOMEM;
    r->engine = s->engine;
    r->script = ref_hold(s);
    r->kind = kind;
    buf_init(&r->result, SCRIPT_JSON_MAX);
    s->engine->runs++;
    err = take_coroutine(r);
    if (err) {
        script_run_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void script_run_free(struct script_run *r)
{
    if (r->co) {
        r->over = true;
        close_coroutine(r);
    }
    if (r->lookup)
        r->lookup->run = NULL;
    http_cancel(r->http);
    if (r->has_command)
        agi_command_free(&r->command);
    timer_free(r->deadline);
    timer_free(r->wake);
    ref_drop(r->session);
    buf_free(&r->result);
    free(r->call_id);
    free(r->args);
    free(r->context);
    r->engine->runs--;
    script_release(r->script);
    free(r);
}
