/* Gives a handler its call: the `call` object, verbs that yield, and the session that answers them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "route/script_inner.h"

enum {
    CUT_AT = 1023,         /* GET VARIABLE cuts here (seen on 22.10.1) */
    QUERY_PAIRS_MAX = 64,
    QUERY_NAME_MAX = 64,
    QUERY_VALUE_MAX = 1024,
    AGENT_MAX = 64,
};

static struct script_run *check_call(lua_State *L)
{
    if (!luaL_testudata(L, 1, "sidetone.call"))
        luaL_error(L, "the first argument has to be the call: write call:verb(...), with a colon");
    return script_run_of(L);
}

/* ---- sending ---- */

static void raise_refused(lua_State *L, const struct script_run *r, int err)
{
    if (err == -EINVAL)
        script_raise(L, "refused", "an argument holds a line feed, a carriage return or a NUL byte, or the line begins with failure");
    if (err == -EMSGSIZE)
        script_raise(L, "refused", "the command is longer than %d bytes", (int)agi_session_line_max(r->session));
    script_raise(L, "closed", "the command could not be sent: %s", err_text(err));
}

static void command_begin(struct script_run *r)
{
    if (r->has_command)
        agi_command_free(&r->command);
    agi_command_init(&r->command);
    r->has_command = true;
}

static void command_send(lua_State *L, struct script_run *r)
{
    const int err = agi_session_send(r->session, &r->command);

    if (err)
        raise_refused(L, r, err);
    r->wait = WAIT_REPLY;
}

/* ---- verbs ---- */

/* Said once as an error that can be caught; a handler that goes on all the same is ended. */
static int refuse_dead(lua_State *L, struct script_run *r)
{
    if (!r->told_hangup) {
        r->told_hangup = true;
        return script_raise(L, "hangup", "the caller has hung up");
    }
    script_run_decide(r, AGI_END_HANGUP, TEXT("hangup"));
    return script_run_leave(L);
}

/* A name given to the caller is worth a line in the call's story. */
static void note_name(lua_State *L, struct script_run *r, const struct script_verb *v, const struct agi_reply *reply)
{
    size_t n;
    const char *p;

    if (strcmp(v->name, "set") != 0 || !text_eq(reply->result, TEXT("1")))
        return;
    p = lua_tolstring(L, 2, &n);
    if (!text_eq_nocase(text_make(p, n), TEXT("CALLERID(name)")))
        return;
    p = lua_tolstring(L, 3, &n);
    (void)text_copy(r->figures.name, sizeof r->figures.name, text_make(p, n));
}

static int verb_answered(lua_State *L, int status, lua_KContext ctx)
{
    const struct script_verb *v = (const struct script_verb *)ctx;
    struct script_run *r = script_run_of(L);

    (void)status;
    script_answer_check(L, r);
    if (r->answer.reply->code == 511 && agi_session_is_dead(r->session))
        return refuse_dead(L, r); /* it left before we knew */
    note_name(L, r, v, r->answer.reply);
    return script_verb_decode(L, v, r->answer.reply);
}

static int full_answered(lua_State *L, int status, lua_KContext ctx)
{
    struct script_run *r = script_run_of(L);
    const struct agi_reply *reply = r->answer.reply;

    (void)status;
    (void)ctx;
    script_answer_check(L, r);
    if (reply->code != 200 || !reply->has_value)
        lua_pushvalue(L, 3); /* better the first 1023 bytes than nothing */
    else
        lua_pushlstring(L, reply->value.p, reply->value.n);
    return 1;
}

static bool is_plain_name(struct text name)
{
    return text_find(name, '$') < 0 && text_find(name, '{') < 0 && text_find(name, '}') < 0;
}

static int got(lua_State *L, int status, lua_KContext ctx)
{
    struct script_run *r = script_run_of(L);
    const struct agi_reply *reply = r->answer.reply;
    struct text name;

    if (r->answer.code || reply->code != 200 || !reply->has_value || reply->value.n < CUT_AT)
        return verb_answered(L, status, ctx);
    name.p = lua_tolstring(L, 2, &name.n);
    lua_settop(L, 2);
    lua_pushlstring(L, reply->value.p, reply->value.n); /* index 3 */
    if (!is_plain_name(name) || !lua_isyieldable(L))
        return 1;
    command_begin(r);
    agi_command_word(&r->command, TEXT("GET"));
    agi_command_word(&r->command, TEXT("FULL"));
    agi_command_word(&r->command, TEXT("VARIABLE"));
    lua_pushfstring(L, "${%s}", name.p);
    agi_command_quoted(&r->command, text_of(lua_tostring(L, -1)));
    command_send(L, r);
    return lua_yieldk(L, 0, ctx, full_answered);
}

static int verb_call(lua_State *L)
{
    const struct script_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    struct script_run *r = check_call(L);

    script_wait_check(L, r);
    if (!v->dead && agi_session_is_dead(r->session))
        return refuse_dead(L, r);
    command_begin(r);
    script_verb_encode(L, v, &r->command);
    command_send(L, r);
    return lua_yieldk(L, 0, (lua_KContext)v, strcmp(v->name, "get") == 0 ? got : verb_answered);
}

/* ---- verbs without a command ---- */

static int call_arg(lua_State *L)
{
    struct script_run *r = check_call(L);
    const lua_Integer i = luaL_checkinteger(L, 2);
    struct text t;

    luaL_argcheck(L, i >= 1 && i <= AGI_ENV_LINES_MAX, 2, "arguments count from 1");
    t = agi_env_arg(agi_session_env(r->session), (unsigned)i);
    if (t.p)
        lua_pushlstring(L, t.p, t.n);
    else
        lua_pushnil(L);
    return 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes Asterisk's URIENCODE: %41 is A. A "+" stays what it is: numbers begin with it. */
static size_t url_decode(char *out, size_t size, struct text t)
{
    size_t n = 0;

    for (size_t i = 0; i < t.n && n < size; i++) {
        const int high = i + 2 < t.n ? hex_digit(t.p[i + 1]) : -1, low = i + 2 < t.n ? hex_digit(t.p[i + 2]) : -1;

        if (t.p[i] == '%' && high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = t.p[i];
        }
    }
    return n;
}

static int call_query(lua_State *L)
{
    struct script_run *r = check_call(L);
    struct text script = agi_env_get(agi_session_env(r->session), TEXT("agi_network_script")), pair, wanted;
    const ptrdiff_t mark = text_find(script, '?');
    char name[QUERY_NAME_MAX], value[QUERY_VALUE_MAX];

    wanted.p = luaL_checklstring(L, 2, &wanted.n);
    lua_pushnil(L);
    if (mark < 0)
        return 1;
    script = text_skip(script, (size_t)mark + 1);
    for (int i = 0; i < QUERY_PAIRS_MAX && text_cut(&script, '&', &pair); i++) {
        const ptrdiff_t equals = text_find(pair, '=');
        const struct text key = equals < 0 ? pair : text_head(pair, (size_t)equals);

        if (!text_eq(text_make(name, url_decode(name, sizeof name, key)), wanted))
            continue;
        pair = equals < 0 ? TEXT("") : text_skip(pair, (size_t)equals + 1);
        lua_pushlstring(L, value, url_decode(value, sizeof value, pair));
        return 1;
    }
    return 1;
}

static int call_hand_off(lua_State *L)
{
    struct script_run *r = check_call(L);
    struct text agent;

    agent.p = luaL_checklstring(L, 2, &agent.n);
    luaL_argcheck(L, agent.n > 0 && agent.n <= AGENT_MAX && text_is_one_line(agent), 2, "the name of an agent");
    if (r->over)
        return script_raise(L, "over", "the run has ended");
    script_run_decide(r, AGI_END_HANDOFF, agent);
    return script_run_leave(L);
}

static int call_finish(lua_State *L)
{
    static const char *const names[] = { "OK", "ERROR", NULL };
    struct script_run *r = check_call(L);
    const enum agi_end status = luaL_checkoption(L, 2, "OK", names) == 0 ? AGI_END_OK : AGI_END_ERROR;
    struct text reason;

    reason.p = luaL_optlstring(L, 3, "", &reason.n);
    if (r->over)
        return script_raise(L, "over", "the run has ended");
    script_run_decide(r, status, reason);
    return script_run_leave(L);
}

/* ---- the call object ---- */

/* A line that comes a second time was forged by a caller's name or number: the first one wins. */
static void push_env(lua_State *L, const struct agi_env *env)
{
    struct text name, value;

    lua_createtable(L, 0, 32);
    for (size_t i = 0; agi_env_at(env, i, &name, &value); i++) {
        lua_pushlstring(L, name.p, name.n);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            lua_pop(L, 2);
            continue;
        }
        lua_pop(L, 1);
        lua_pushlstring(L, value.p ? value.p : "", value.n);
        lua_rawset(L, -3);
    }
    script_seal(L, "call.env");
}

static int call_index(lua_State *L)
{
    struct script_run *r = check_call(L);
    const char *key = lua_tostring(L, 2);

    if (key && strcmp(key, "env") == 0) {
        if (lua_getiuservalue(L, 1, 1) != LUA_TNIL)
            return 1;
        push_env(L, agi_session_env(r->session)); /* most handlers want no more than a line of it, many none */
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
        return 1;
    }
    if (key && strcmp(key, "id") == 0) {
        lua_pushstring(L, r->call_id);
        return 1;
    }
    lua_settop(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL && key)
        return luaL_error(L, "call has no verb %s", key);
    return 1;
}

static int call_newindex(lua_State *L)
{
    return luaL_error(L, "call is read-only");
}

void script_call_push(lua_State *L)
{
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, "sidetone.call");
}

void script_agi_open(lua_State *L)
{
    static const luaL_Reg plain[] = {
        { "arg", call_arg }, { "query", call_query }, { "hand_off", call_hand_off }, { "finish", call_finish }, { NULL, NULL },
    };

    luaL_newmetatable(L, "sidetone.call");
    luaL_newlib(L, plain);
    for (size_t i = 0; i < script_verbs_count; i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&script_verbs[i]);
        lua_pushcclosure(L, verb_call, 1);
        lua_setfield(L, -2, script_verbs[i].name);
    }
    lua_pushcclosure(L, call_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, call_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ---- the session's side ---- */

static void done_check(struct script_run *r)
{
    if (r->co || !r->session_closed || r->lookup)
        return;
    r->on_done(r->status, text_of(r->reason), &r->figures, r->arg);
    script_run_free(r);
}

static void ended(struct script_run *r)
{
    if (r->problem[0] && r->status == AGI_END_ERROR)
        log_warn(&r->engine->log, "handler_error", kv_str("script", r->script->path), kv_str("call", r->call_id),
                 kv_str("reason", r->reason), kv_str("problem", r->problem));
    agi_session_finish(r->session, r->status, text_of(r->reason), text_of(r->call_id));
    done_check(r);
}

static void note_latency(struct script_run *r, int64_t us)
{
    r->figures.commands++;
    r->figures.command_sum_us += us;
    if (us > r->figures.command_max_us)
        r->figures.command_max_us = us;
    if (r->command_hist)
        hist_add(r->command_hist, us);
}

static void on_reply(struct agi_session *s, int err, const struct agi_reply *reply, int64_t latency_us, void *arg)
{
    struct script_run *r = arg;
    struct answer answer = { .reply = reply };

    note_latency(r, latency_us);
    if (r->wait != WAIT_REPLY)
        return;
    if (err) {
        const bool dead = agi_session_is_dead(s);  /* AsyncAGI ends with the call, without a dead mode */

        answer.code = err == -ETIMEDOUT ? "reply_timeout" : dead ? "hangup" : "closed";
        answer.text = err == -ETIMEDOUT ? "Asterisk did not answer in time" : dead ? "the caller has hung up" : "the connection ended";
    }
    script_run_wake(r, &answer);
}

static void on_closed(struct agi_session *s, int err, const char *why, void *arg)
{
    struct script_run *r = arg;
    const bool dead = agi_session_is_dead(s);

    r->session_closed = true;
    if (err)
        log_warn(&r->engine->log, "agi_ended_badly", kv_str("call", r->call_id), kv_str("peer", agi_session_peer(s)), kv_err(err),
                 kv_str("why", why ? why : ""));
    if (r->co)
        script_run_end(r, dead ? AGI_END_HANGUP : AGI_END_ERROR, dead ? "hangup" : "connection", "closed", "the connection ended");
    else
        done_check(r);
}

int script_run_agi(struct script_run **out, struct script *s, struct agi_session *session, struct text call_id, int64_t deadline_ms,
                   struct hist *command_hist, script_on_done *on_done, void *arg)
{
    static const struct agi_session_handlers handlers = { .on_reply = on_reply, .on_closed = on_closed };
    const struct answer nothing = { 0 };
    struct script_run *r;
    int err = script_run_new(&r, s, RUN_AGI);

    if (err)
        return err;
    r->on_end = ended;
    r->on_done = on_done;
    r->arg = arg;
    r->command_hist = command_hist;
    r->call_id = text_dup(call_id.p ? call_id : TEXT(""));
    err = r->call_id ? script_run_clock(r, deadline_ms) : -ENOMEM;
    if (err) {
        script_run_free(r);
        return err;
    }
    r->session = ref_hold(session);
    agi_session_handle(session, &handlers, r);
    *out = r;
    script_run_wake(r, &nothing); /* the session is open, so on_done cannot come from inside */
    return 0;
}

void script_stop(struct script_run *r)
{
    if (r->kind == RUN_TOOL)
        script_run_free(r);
    else
        script_run_end(r, AGI_END_ERROR, "shutdown", "shutdown", "the daemon is stopping");
}
