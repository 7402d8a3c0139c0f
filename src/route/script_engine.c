/* Holds one Lua state under a memory ceiling, and the handler files compiled in it. */
#include "route/script.h"

#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "route/script_inner.h"

enum { MEMORY_MAX = 64 * 1024 * 1024, BUDGET = 10 * 1000 * 1000 };

/* ---- memory ---- */

/* One run may take the free half of the ceiling and a quarter of its own, so that a greedy script meets the ceiling before the
 * others do. What garbage collection frees is credited to the run that happens to pay for it; hence "about". */
static bool may_grow(const struct script_engine *e, size_t from, size_t to)
{
    const size_t n = to - from;

    if (to > SCRIPT_BLOCK_MAX || e->used + n > e->memory_max)
        return false;
    if (!e->current || e->used + n <= e->memory_max / 2)
        return true;
    return e->current->grown + n <= e->memory_max / 4;
}

static void account(struct script_engine *e, size_t from, size_t to)
{
    struct script_run *r = e->current;

    e->used = e->used - from + to;
    if (!r)
        return;
    r->grown += to;
    r->grown = r->grown > from ? r->grown - from : 0;
}

static void *allocate(void *arg, void *p, size_t from, size_t to)
{
    struct script_engine *e = arg;
    void *q;

    if (!p)
        from = 0; /* then Lua says what kind of object it is */
    if (to == 0) {
        free(p);
        account(e, from, 0);
        return NULL;
    }
    if (to > from && !may_grow(e, from, to))
        return NULL;
    q = realloc(p, to);
    if (!q)
        return to <= from ? p : NULL; /* Lua relies on shrinking */
    account(e, from, to);
    return q;
}

int script_protected(lua_State *L, lua_CFunction f, void *arg)
{
    int status;

    if (!lua_checkstack(L, 8))
        return -ENOMEM;
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, arg);
    status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_OK)
        return 0;
    lua_pop(L, 1);
    return status == LUA_ERRMEM ? -ENOMEM : -EINVAL;
}

/* ---- the engine ---- */

/* Gives a function whose upvalue is the environment it was given, for lua_upvaluejoin. */
static const char box_source[] = "local environment = ... return function() return environment end";
static const char box_key;

static int open_engine(lua_State *L)
{
    script_base_open(L);
    script_agi_open(L);
    if (luaL_loadbufferx(L, box_source, sizeof box_source - 1, "=box", "t") != LUA_OK)
        return lua_error(L);
    lua_pushnil(L);
    lua_setupvalue(L, -2, 1); /* it needs no globals */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &box_key);
    return 0;
}

int script_engine_new(struct script_engine **out, struct loop *l, const struct script_services *services,
                      const struct script_limits *limits, const struct log *log)
{
    struct script_engine *e = calloc(1, sizeof *e);
    int err = -ENOMEM;

    if (!e)
        return err;
    e->loop = l;
    e->log = log_for(log, "script");
    if (services)
        e->services = *services;
    e->memory_max = limits && limits->memory_max ? limits->memory_max : MEMORY_MAX;
    e->budget = limits && limits->budget > 0 ? limits->budget : BUDGET;
    buf_init(&e->json_out, SCRIPT_JSON_MAX);
    e->L = lua_newstate(allocate, e);
    if (e->L)
        err = script_protected(e->L, open_engine, NULL);
    if (err) {
        script_engine_free(e);
        return err;
    }
    *out = e;
    return 0;
}

void script_engine_free(struct script_engine *e)
{
    INVARIANT(e->runs == 0);
    if (e->L)
        lua_close(e->L);
    cJSON_Delete(e->json_in);
    buf_free(&e->json_out);
    free(e);
}

size_t script_engine_memory(struct script_engine *e, bool after_collect)
{
    if (after_collect)
        lua_gc(e->L, LUA_GCCOLLECT);
    return e->used;
}

/* ---- files ---- */

/* A file is compiled once, and its one function is called for every run (its body cannot wait, so never twice at a time). Its variable
 * of globals is not set but exchanged: what an earlier run has made (functions that still wait) keeps the variable it was made with. */
void script_body_run(lua_State *L, const struct script *s)
{
    script_env_push(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, s);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -4);
    lua_call(L, 1, 1);
    lua_upvaluejoin(L, -2, 1, -1, 1);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_call(L, 0, 0);
    lua_upvaluejoin(L, -1, 1, -2, 1); /* holds no environment between two runs */
    lua_pop(L, 2);
}

static void destroy(void *obj)
{
    struct script *s = obj;

    if (s->is_compiled) {
        lua_pushnil(s->engine->L);
        lua_rawsetp(s->engine->L, LUA_REGISTRYINDEX, s); /* the key exists: nothing is allocated */
    }
    free(s->path);
    free(s->name);
    free(s->entry);
    free(s->http_hosts);
}

void script_release(struct script *s)
{
    ref_drop(s);
}

int script_grant_http(struct script *s, const char *hosts)
{
    char *copy = hosts ? strdup(hosts) : NULL;

    if (hosts && !copy)
        return -ENOMEM;
    free(s->http_hosts);
    s->http_hosts = copy;
    return 0;
}

/* "caller_name.lua:3: text" becomes "/etc/sidetone/handlers/caller_name.lua:3: text". */
static char *problem_make(const struct script *s, struct text message)
{
    const struct text name = text_of(s->name);
    char *line = NULL;
    int n;

    if (text_starts(message, name))
        n = asprintf(&line, "%s%.*s", s->path, TEXT_ARG(text_skip(message, name.n)));
    else
        n = asprintf(&line, "%s:1: %.*s", s->path, TEXT_ARG(message));
    return n < 0 ? NULL : line;
}

static int file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    int err = 0;
    size_t n;
    char *p;

    if (!f)
        return -errno;
    do {
        p = buf_room(out, 16384);
        n = p ? fread(p, 1, 16384, f) : 0;
        out->n += n;
    } while (n > 0);
    if (out->err)
        err = out->err == -ENOBUFS ? -EFBIG : out->err;
    else if (ferror(f))
        err = -EIO;
    fclose(f);
    return err;
}

struct compile {
    struct script *script;
    struct buf source;
    char message[SCRIPT_PROBLEM_MAX];
};

static int compile(lua_State *L)
{
    struct compile *c = lua_touserdata(L, 1);
    const char *name = lua_pushfstring(L, "@%s", c->script->name);

    if (luaL_loadbufferx(L, c->source.p ? c->source.p : "", c->source.n, name, "t") != LUA_OK) {
        (void)text_copy(c->message, sizeof c->message, text_of(lua_tostring(L, -1)));
        return lua_error(L);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, c->script);
    c->script->is_compiled = true;
    return 0;
}

static int compile_file(struct compile *c)
{
    int err = file_read(c->script->path, &c->source);

    if (err) {
        snprintf(c->message, sizeof c->message, "cannot read it: %s", err_text(err));
        return err;
    }
    if (c->source.n > 1 && c->source.p[0] == '#')
        memcpy(c->source.p, "--", 2); /* a first line "#!..." is a comment */
    return script_protected(c->script->engine->L, compile, c);
}

/* Runs the body once, without a call. */
static int check(struct script *s, char *message, size_t size)
{
    struct script_run *r;
    int err = script_run_new(&r, s, RUN_CHECK);

    if (err)
        return err;
    (void)script_run_resume(r);
    if (r->status != AGI_END_OK) {
        (void)text_copy(message, size, text_of(r->problem));
        err = -EINVAL;
    }
    script_run_free(r);
    return err;
}

static int script_new(struct script **out, struct script_engine *e, const char *path, const char *entry)
{
    struct script *s = ref_new(sizeof *s, destroy);
    const char *slash = strrchr(path, '/');

    if (!s)
        return -ENOMEM;
    s->engine = e;
    s->path = strdup(path);
    s->name = strdup(slash ? slash + 1 : path);
    s->entry = strdup(entry);
    if (!s->path || !s->name || !s->entry) {
        ref_drop(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

int script_load(struct script **out, struct script_engine *e, const char *path, const char *entry, char **problem)
{
    struct compile c = { .script = NULL };
    int err = script_new(&c.script, e, path, entry);

    *problem = NULL;
    if (err)
        return err;
    buf_init(&c.source, SCRIPT_FILE_MAX);
    err = compile_file(&c);
    buf_free(&c.source);
    if (!err)
        err = check(c.script, c.message, sizeof c.message);
    if (err) {
        *problem = problem_make(c.script, c.message[0] ? text_of(c.message) : text_of(err_text(err)));
        script_release(c.script);
        return err;
    }
    *out = c.script;
    return 0;
}

int script_reload(struct script **s, char **problem)
{
    struct script *fresh;
    int err = script_load(&fresh, (*s)->engine, (*s)->path, (*s)->entry, problem);

    if (err)
        return err;
    err = script_grant_http(fresh, (*s)->http_hosts);
    if (err) {
        script_release(fresh);
        return err;
    }
    script_release(*s);
    *s = fresh;
    return 0;
}
