/* Puts what extensions.lua makes into the dialplan. */
#include "audit/lua_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/lua_syntax.h"
#include "audit/lua_walk.h"
#include "audit/modules.h"

/* Of tokens, tables and names; they are gone when the dialplan stands. */
enum { LUA_MEMORY_MAX = 1 << 30 };

static const struct lua_table *table_of(const struct lua_tree *t, const char *name)
{
    const struct lua_entry *e = lua_find(t->names, text_of(name));

    return e && e->value.kind == LUA_TABLE ? e->value.table : NULL;
}

/* ---- extensions ---- */

static void step_if_none(struct lua_file *f, struct dialplan_extension *e, struct conf_place place)
{
    if (!e->step_count)
        dialplan_step_put(f->b, e, (struct dialplan_step){ .place = place, .priority = 1, .label = TEXT(""), .app = TEXT("NoOp"), .args = TEXT("") });
}

/* False: another reader has it already. */
static bool extension_put(struct lua_walk *w, struct dialplan_context *c, const struct lua_entry *entry)
{
    struct lua_file *f = w->file;
    const struct conf_place place = lua_place(f, entry->at);
    struct dialplan_extension *e = dialplan_extension_put(f->b, c, entry->key, TEXT_NONE, place);

    if (!e)
        return true;
    if (e->step_count)
        return false;

    if (entry->value.kind == LUA_FUNCTION)
        lua_walk_handler(w, e, entry->value.at);
    step_if_none(f, e, place);
    return true;
}

static void extensions_put(struct lua_walk *w, struct dialplan_context *c, const struct lua_table *t)
{
    const struct lua_entry *first = NULL; /* that another reader has */
    size_t taken = 0;

    for (size_t i = 0; i < t->count && !w->file->b->err; i++) {
        const struct lua_entry *e = t->entries + i;

        if (!e->key.p || text_eq_nocase(e->key, TEXT("include")) || extension_put(w, c, e))
            continue;
        first = first ? first : e;
        taken++;
    }
    if (taken == 1)
        lua_problem(w->file, lua_place(w->file, first->at), DIALPLAN_TWICE, "extensions.conf or AEL has this extension already: Asterisk never asks Lua for it");
    else if (taken)
        lua_problem(w->file, lua_place(w->file, first->at), DIALPLAN_TWICE,
                    "extensions.conf or AEL has this extension and %zu more of \"%.*s\" already: Asterisk never asks Lua for them", taken - 1, TEXT_ARG(text_head(c->name, 80)));
}

/* Asterisk looks for what is included in extensions.lua only. */
static void include_put(struct lua_file *f, const struct lua_table *plan, bool is_open, struct dialplan_context *c, const struct lua_entry *entry)
{
    const struct conf_place place = lua_place(f, entry->at);

    if (entry->value.kind != LUA_TEXT)
        c->has_switch = true;
    else if (lua_find(plan, entry->value.text))
        dialplan_include_put(f->b, c, (struct dialplan_include){ .name = entry->value.text, .times = TEXT_NONE, .place = place });
    else if (!is_open)
        lua_problem(f, place, DIALPLAN_CUT, "extensions.lua has no context \"%.*s\": this include finds nothing", TEXT_ARG(text_head(entry->value.text, 80)));
}

static void includes_put(struct lua_file *f, const struct lua_table *plan, struct dialplan_context *c, const struct lua_entry *e)
{
    const struct lua_table *t = e->value.table;

    if (e->value.kind == LUA_TEXT)
        lua_problem(f, lua_place(f, e->at), DIALPLAN_SKIPPED, "include is a text, not a table: Asterisk crashes at a call that comes to it");
    c->has_switch |= e->value.kind != LUA_TABLE || t->is_open;
    for (size_t i = 0; e->value.kind == LUA_TABLE && i < t->count && !f->b->err; i++)
        include_put(f, plan, f->b->d->is_open, c, t->entries + i);
}

/* The key of a table that is written as a number: lua_tostring makes a text of it while lua_next goes on (pbx_lua.c: lua_register_switches). */
static bool is_number(const struct lua_file *f, const struct lua_entry *e)
{
    return f->tokens[e->at + lua_is(f, e->at, "[")].kind == LUA_NUMBER || (lua_is(f, e->at, "]") && f->tokens[e->at - 1].kind == LUA_NUMBER);
}

static void context_put(struct lua_walk *w, const struct lua_table *plan, const struct lua_entry *entry)
{
    struct lua_file *f = w->file;
    const struct lua_table *t = entry->value.table;
    struct dialplan_context *c = dialplan_context_put(f->b, entry->key, lua_place(f, entry->at));

    if (!c)
        return;
    if (is_number(f, entry))
        lua_problem(f, lua_place(f, entry->at), DIALPLAN_SKIPPED, "a context whose name is a number without quotes: Asterisk crashes when it loads this");
    if (entry->value.kind == LUA_TEXT || entry->value.kind == LUA_FUNCTION)
        lua_problem(f, lua_place(f, entry->at), DIALPLAN_SKIPPED, "this context is no table: Asterisk crashes when it loads this");
    c->has_switch |= !t || t->is_open;
    if (t)
        extensions_put(w, c, t);
    for (size_t i = 0; t && i < t->count && !f->b->err; i++)
        if (t->entries[i].key.p && text_eq(t->entries[i].key, TEXT("include")))
            includes_put(f, plan, c, t->entries + i);
}

/* ---- circles ---- */

enum { UNSEEN, ON_THE_WAY, SEEN };

struct station {
    const struct dialplan_context *context;
    size_t next;                   /* of its includes */
};

/* From that context on, depth first. */
static void circle_find(struct lua_file *f, const struct dialplan_context *from, unsigned char *state, struct station *way)
{
    size_t n = 0;

    way[n++] = (struct station){ .context = from };
    state[from->number] = ON_THE_WAY;
    while (n > 0) {
        struct station *s = way + n - 1;
        const struct dialplan_include *i = s->next < s->context->include_count ? s->context->includes + s->next++ : NULL;
        const struct dialplan_context *to = i && i->place.file == f->path ? dialplan_context_of(f->b->d, i->name) : NULL;

        if (!i) {
            state[s->context->number] = SEEN;
            n--;
        } else if (to && state[to->number] == ON_THE_WAY) {
            lua_problem(f, i->place, DIALPLAN_SKIPPED, "this include leads back to \"%.*s\": Asterisk crashes at a call that comes to it", TEXT_ARG(text_head(to->name, 80)));
        } else if (to && state[to->number] == UNSEEN) {
            state[to->number] = ON_THE_WAY;
            way[n++] = (struct station){ .context = to };
        }
    }
}

static void circles_find(struct lua_file *f)
{
    const struct dialplan *d = f->b->d;
    unsigned char *state = arena_take(f->scratch, d->context_count + 1);
    struct station *way = arena_take(f->scratch, (d->context_count + 1) * sizeof *way);

    if (!state || !way)
        f->b->err = -ENOMEM;
    for (size_t i = 0; i < d->context_count && !f->b->err; i++)
        if (state[d->contexts[i]->number] == UNSEEN)
            circle_find(f, d->contexts[i], state, way);
}

/* ---- hints ---- */

static void hint_put(struct lua_file *f, struct dialplan_context *c, const struct lua_entry *entry)
{
    struct dialplan_extension *e;

    if (!entry->key.p || entry->value.kind != LUA_TEXT)
        return;
    e = dialplan_extension_put(f->b, c, entry->key, TEXT_NONE, lua_place(f, entry->at));
    if (e && !e->hint.p)
        e->hint = entry->value.text;
}

static void hints_put(struct lua_file *f, const struct lua_table *hints)
{
    for (size_t i = 0; hints && i < hints->count && !f->b->err; i++) {
        const struct lua_entry *entry = hints->entries + i;
        struct dialplan_context *c = entry->key.p ? dialplan_context_put(f->b, entry->key, lua_place(f, entry->at)) : NULL;

        for (size_t k = 0; c && entry->value.kind == LUA_TABLE && k < entry->value.table->count; k++)
            hint_put(f, c, entry->value.table->entries + k);
    }
}

/* ---- the whole ---- */

static void plan_put(struct lua_tree *t)
{
    struct lua_walk w = { .tree = t, .file = t->file };
    const struct lua_table *plan = table_of(t, "extensions");

    t->file->b->d->is_open = t->has_others || (plan && plan->is_open);
    if (!plan && !t->has_others)
        lua_problem(t->file, lua_place(t->file, t->file->count - 1), DIALPLAN_SKIPPED, "no table is called \"extensions\": Asterisk loads nothing of extensions.lua");
    for (size_t i = 0; plan && i < plan->count && !t->file->b->err; i++)
        if (plan->entries[i].key.p)
            context_put(&w, plan, plan->entries + i);
    if (!t->file->b->err)
        circles_find(t->file);
    hints_put(t->file, table_of(t, "hints"));
}

static void read_all(struct lua_file *f)
{
    struct lua_tree t = { .file = f };

    lua_cut(f);
    if (!f->b->err && !f->problem_count)
        lua_syntax(f);
    if (!f->b->err)
        lua_read_chunk(&t);
    if (!f->b->err)
        plan_put(&t);
}

static int content_keep(struct lua_file *f, const char *path, struct text content)
{
    f->path = arena_text(f->b->d->memory, text_of(path));
    f->content = lua_keep(f, content);
    if (!f->path)
        f->b->err = -ENOMEM;
    return f->b->err;
}

/* Not being there is no problem. */
static int unread(struct lua_file *f, int err)
{
    if (err == -ENOMEM || err == -ENOENT)
        return err == -ENOMEM ? err : 0;
    lua_problem(f, (struct conf_place){ .file = f->path, .line = 1, .column = 1 }, DIALPLAN_SKIPPED, "extensions.lua cannot be read: %s", err_text(err));
    return f->b->err;
}

int lua_plan_read(struct dialplan_build *b, struct audit *a)
{
    struct lua_file f = { .b = b };
    struct text content = TEXT_NONE;
    char *path = NULL;
    int err;

    if (modules_noload(a, "pbx_lua"))
        return 0;
    if (asprintf(&path, "%s/extensions.lua", a->opt.folder) < 0)
        return -ENOMEM;
    b->origin = DIALPLAN_LUA;
    err = a->opt.source->read(a->opt.source->arg, path, &content);
    if (!err && content.n > LUA_BYTES_MAX)
        err = -EFBIG;
    if (!err || err != -ENOENT) {
        const int kept = content_keep(&f, path, err ? TEXT("") : content);

        err = kept ? kept : err;
    }
    free(path);
    free((char *)content.p);
    if (err)
        return unread(&f, err);
    err = arena_new(&f.scratch, LUA_MEMORY_MAX);
    if (!err) {
        read_all(&f);
        err = b->err;
    }
    arena_free(f.scratch);
    return err;
}
