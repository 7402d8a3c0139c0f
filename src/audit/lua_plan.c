/* Puts what extensions.lua makes into the dialplan. */
#include "audit/lua_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/lua_walk.h"
#include "audit/modules.h"

/* Of tokens, tables and names; they are gone when the dialplan stands. */
enum { LUA_MEMORY_MAX = 1 << 30 };

static const struct lua_table *table_of(const struct lua_tree *t, const char *name)
{
    const struct lua_entry *e = lua_find(t->names, text_of(name));

    return e && e->value.kind == LUA_TABLE ? e->value.table : NULL;
}

/* Who answers there is not known: the context, or the dialplan, may hold more. */
static void open_context(struct lua_file *f, struct dialplan_context *c, struct conf_place place)
{
    dialplan_line_put(f->b, c, (struct dialplan_line){ .name = TEXT("switch"), .value = TEXT("Lua/"), .place = place }, true);
}

/* ---- extensions ---- */

static void step_if_none(struct lua_file *f, struct dialplan_extension *e, struct conf_place place)
{
    if (!e->step_count)
        dialplan_step_put(f->b, e, (struct dialplan_step){ .place = place, .priority = 1, .label = TEXT(""), .app = TEXT("NoOp"), .args = TEXT("") });
}

static void extension_put(struct lua_walk *w, struct dialplan_context *c, const struct lua_entry *entry)
{
    struct lua_file *f = w->file;
    const struct conf_place place = lua_place(f, entry->at);
    struct dialplan_extension *e = dialplan_extension_put(f->b, c, entry->key, TEXT_NONE, place);

    if (!e)
        return;
    if (e->step_count) {
        lua_problem(f, place, DIALPLAN_TWICE, "extensions.conf or AEL has this extension already: Asterisk never asks Lua for it");
        return;
    }

    if (entry->value.kind == LUA_FUNCTION)
        lua_walk_handler(w, e, entry->value.at);
    step_if_none(f, e, place);
}

/* Asterisk looks for what is included in extensions.lua only. */
static void include_put(struct lua_file *f, const struct lua_table *plan, bool is_open, struct dialplan_context *c, const struct lua_entry *entry)
{
    const struct conf_place place = lua_place(f, entry->at);

    if (entry->value.kind != LUA_TEXT)
        open_context(f, c, place);
    else if (lua_find(plan, entry->value.text))
        dialplan_include_put(f->b, c, (struct dialplan_include){ .name = entry->value.text, .times = TEXT_NONE, .place = place });
    else if (!is_open)
        lua_problem(f, place, DIALPLAN_CUT, "extensions.lua has no context \"%.*s\": this include finds nothing", TEXT_ARG(text_head(entry->value.text, 80)));
}

static void context_put(struct lua_walk *w, const struct lua_table *plan, const struct lua_entry *entry)
{
    struct lua_file *f = w->file;
    const struct lua_table *t = entry->value.table;
    struct dialplan_context *c = dialplan_context_put(f->b, entry->key, lua_place(f, entry->at));

    if (!c)
        return;
    if (!t || t->is_open)
        open_context(f, c, lua_place(f, entry->at));
    for (size_t i = 0; t && i < t->count && !f->b->err; i++) {
        const struct lua_entry *e = t->entries + i;

        if (!e->key.p || text_eq_nocase(e->key, TEXT("include")))
            continue;
        extension_put(w, c, e);
    }
    for (size_t i = 0; t && i < t->count && !f->b->err; i++) {
        const struct lua_entry *e = t->entries + i;

        if (!e->key.p || !text_eq(e->key, TEXT("include")))
            continue;
        if (e->value.kind != LUA_TABLE || e->value.table->is_open)
            open_context(f, c, lua_place(f, e->at));
        for (size_t k = 0; e->value.kind == LUA_TABLE && k < e->value.table->count; k++)
            include_put(f, plan, f->b->d->is_open, c, e->value.table->entries + k);
    }
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
    hints_put(t->file, table_of(t, "hints"));
}

static void read_all(struct lua_file *f)
{
    struct lua_tree t = { .file = f };

    lua_cut(f);
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
