/* Reads what the chunk of extensions.lua makes when Asterisk loads it. */
#include "audit/lua_tree.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

enum { TEXT_MAX = 8192, NAMES_MAX = 250 };

static struct lua_value value_at(struct lua_tree *t, size_t *at);

/* ---- over expressions ---- */

/* A word behind which an expression cannot go on. */
static bool is_stop(const struct lua_file *f, size_t at)
{
    static const char *const stops[] = { "break", "do", "else", "elseif", "end", "for", "if", "in", "local", "repeat", "return", "then", "until", "while" };

    if (f->tokens[at].kind == LUA_END)
        return true;
    for (size_t i = 0; f->tokens[at].kind == LUA_KEYWORD && i < sizeof stops / sizeof *stops; i++)
        if (lua_is(f, at, stops[i]))
            return true;
    return f->tokens[at].kind == LUA_SIGN && text_find(TEXT(",;})]"), f->tokens[at].text.p[0]) >= 0;
}

static bool ends_operand(const struct lua_file *f, size_t at)
{
    return f->tokens[at].kind == LUA_NAME || f->tokens[at].kind == LUA_STRING || f->tokens[at].kind == LUA_NUMBER || lua_is(f, at, ")") || lua_is(f, at, "]") ||
           lua_is(f, at, "}") || lua_is(f, at, "end") || lua_is(f, at, "nil") || lua_is(f, at, "true") || lua_is(f, at, "false") || lua_is(f, at, "...");
}

static bool begins_operand(const struct lua_file *f, size_t at)
{
    return f->tokens[at].kind == LUA_NAME || f->tokens[at].kind == LUA_NUMBER || lua_is(f, at, "function") || lua_is(f, at, "nil") || lua_is(f, at, "true") ||
           lua_is(f, at, "false");
}

size_t lua_expression_end(const struct lua_file *f, size_t at)
{
    bool was_operand = false;

    while (!is_stop(f, at) && !(was_operand && begins_operand(f, at)) && !lua_is(f, at, "=")) {
        if (f->tokens[at].match > at)
            at = f->tokens[at].match;
        was_operand = ends_operand(f, at);
        at += f->tokens[at].kind != LUA_END;
    }
    return at;
}

/* ---- names ---- */

/* The key of "[...]" at the token, when one word says it; *at goes behind it. TEXT_NONE: it is computed. */
static struct text key_at(const struct lua_tree *t, size_t *at)
{
    const size_t open = *at, close = t->file->tokens[open].match;
    const struct lua_token *inside = t->file->tokens + open + 1;
    const struct lua_entry *e;

    *at = close > open && t->file->tokens[close].kind != LUA_END ? close + 1 : open + 1;
    if (close != open + 2)
        return TEXT_NONE;
    if (inside->kind == LUA_STRING || inside->kind == LUA_NUMBER)
        return inside->text;
    e = inside->kind == LUA_NAME && !lua_find(t->changed, inside->text) ? lua_find(t->names, inside->text) : NULL;
    return e && e->value.kind == LUA_TEXT ? e->value.text : TEXT_NONE;
}

const struct lua_value *lua_named(const struct lua_tree *t, size_t at, size_t *end)
{
    const struct lua_file *f = t->file;
    const struct lua_entry *e = f->tokens[at].kind == LUA_NAME ? lua_find(t->names, f->tokens[at].text) : NULL;
    struct text key;

    for (*end = at + 1; lua_is(f, *end, ".") || lua_is(f, *end, ":") || lua_is(f, *end, "[");) {
        if (lua_is(f, *end, "[")) {
            key = key_at(t, end);
        } else {
            if (f->tokens[*end + 1].kind != LUA_NAME)
                return NULL;
            key = f->tokens[*end + 1].text;
            *end += 2;
        }
        e = e && e->value.kind == LUA_TABLE ? lua_find(e->value.table, key) : NULL;
    }
    return e ? &e->value : NULL;
}

/* ---- values ---- */

static struct lua_value table_at(struct lua_tree *t, size_t *at)
{
    struct lua_file *f = t->file;
    struct lua_value v = { .kind = LUA_TABLE, .at = *at, .table = lua_table_new(f) };
    const size_t close = f->tokens[*at].match;

    for (size_t i = *at + 1; v.table && i < close && !f->b->err;) {
        struct text key = TEXT_NONE;
        const size_t start = i;
        bool is_keyed = false;
        struct lua_value one;

        if (f->tokens[i].kind == LUA_NAME && lua_is(f, i + 1, "=")) {
            key = f->tokens[i].text;
            is_keyed = true;
            i += 2;
        } else if (lua_is(f, i, "[")) {
            key = key_at(t, &i);
            is_keyed = true;
            i += lua_is(f, i, "=");
        }
        one = value_at(t, &i);
        if (is_keyed && !key.p)
            v.table->is_open = true;
        else
            lua_put(f, v.table, key, start, one);
        while (i < close && !lua_is(f, i, ",") && !lua_is(f, i, ";")) /* what was no value */
            i = f->tokens[i].match > i ? f->tokens[i].match + 1 : i + 1;
        i++;
    }
    *at = close > *at ? close + (f->tokens[close].kind != LUA_END) : *at + 1;
    v.kind = v.table ? LUA_TABLE : LUA_UNKNOWN;
    return v;
}

static struct lua_value operand_at(struct lua_tree *t, size_t *at)
{
    const struct lua_token *k = t->file->tokens + *at;
    const struct lua_value *named;
    struct lua_value v = { .kind = LUA_UNKNOWN, .at = *at };
    size_t end;

    if (k->kind == LUA_STRING || k->kind == LUA_NUMBER) {
        ++*at;
        return (struct lua_value){ .kind = LUA_TEXT, .at = v.at, .text = k->text };
    }
    if (lua_is(t->file, *at, "{"))
        return table_at(t, at);
    if (lua_is(t->file, *at, "function")) {
        *at = k->match > *at ? k->match + 1 : *at + 1;
        v.kind = LUA_FUNCTION;
        return v;
    }
    named = lua_named(t, *at, &end);
    if (named) {
        *at = end;
        return *named;
    }
    return v;
}

/* "a .. b .. c" from the second on. */
static void join(struct lua_tree *t, size_t *at, size_t end, struct lua_value *v)
{
    struct buf joined;

    buf_init(&joined, TEXT_MAX);
    buf_add_text(&joined, v->text);
    while (v->kind == LUA_TEXT && *at < end && lua_is(t->file, *at, "..") && !joined.err) {
        struct lua_value more;

        ++*at;
        more = operand_at(t, at);
        v->kind = more.kind == LUA_TEXT ? LUA_TEXT : LUA_UNKNOWN;
        buf_add_text(&joined, more.text);
    }
    if (joined.err)
        v->kind = LUA_UNKNOWN;
    else if (v->kind == LUA_TEXT)
        v->text = lua_keep(t->file, buf_text(&joined));
    buf_free(&joined);
}

/* *at goes behind the whole expression, known or not. */
static struct lua_value value_at(struct lua_tree *t, size_t *at)
{
    const size_t start = *at, end = lua_expression_end(t->file, start);
    struct lua_value v = operand_at(t, at);

    if (v.kind == LUA_TEXT && *at < end && lua_is(t->file, *at, ".."))
        join(t, at, end, &v);
    if (*at != end)
        v = (struct lua_value){ .kind = LUA_UNKNOWN, .at = start };
    *at = end > start ? end : start + 1;
    return v;
}

/* ---- statements of the chunk ---- */

static bool is_dialplan(const struct lua_file *f, size_t at)
{
    return lua_is_name(f, at, "extensions") || lua_is_name(f, at, "hints");
}

/* Somebody does something with the dialplan that is not understood. */
static void open_up(struct lua_tree *t, size_t at)
{
    const struct lua_entry *e = lua_find(t->names, t->file->tokens[at].text);

    if (e && e->value.kind == LUA_TABLE)
        e->value.table->is_open = true;
    t->has_others |= !e;
}

/* "a.b.c = value", "function a.b.c()": path begins at the token and ends before `end`. */
static void assign(struct lua_tree *t, size_t at, size_t end, struct lua_value value)
{
    struct lua_file *f = t->file;
    struct lua_table *into = t->names;
    struct text key = f->tokens[at].text;
    const size_t start = at++;

    while (at < end) {
        const struct lua_entry *e = lua_find(into, key);

        if (!e || e->value.kind != LUA_TABLE) {
            if (is_dialplan(f, start))
                open_up(t, start);
            return;
        }
        into = e->value.table;
        if (lua_is(f, at, "[")) {
            key = key_at(t, &at);
        } else {
            key = f->tokens[at + 1].kind == LUA_NAME ? f->tokens[at + 1].text : TEXT_NONE;
            at += 2;
        }
        if (!key.p) {
            into->is_open = true;
            return;
        }
    }
    lua_put(f, into, key, end - 1, value);
    if (is_dialplan(f, start) && into == t->names && value.kind != LUA_TABLE)
        t->has_others = true;
}

static size_t path_end(const struct lua_file *f, size_t at)
{
    for (at++; lua_is(f, at, ".") || lua_is(f, at, ":") || lua_is(f, at, "[");)
        at = lua_is(f, at, "[") ? (f->tokens[at].match > at ? f->tokens[at].match + 1 : at + 1) : at + 2;
    return at < f->count ? at : f->count - 1;
}

static size_t function_statement(struct lua_tree *t, size_t at)
{
    const struct lua_file *f = t->file;
    const size_t match = f->tokens[at].match;

    if (f->tokens[at + 1].kind == LUA_NAME)
        assign(t, at + 1, path_end(f, at + 1), (struct lua_value){ .kind = LUA_FUNCTION, .at = at });
    return match > at ? match + 1 : at + 1;
}

/* "local a, b = x, y" and "a = x". at: the first name. */
static size_t names_statement(struct lua_tree *t, size_t at, bool is_local)
{
    const struct lua_file *f = t->file;
    size_t value, end = path_end(f, at), names = 1;

    while (names < NAMES_MAX && lua_is(f, end, ",") && f->tokens[end + 1].kind == LUA_NAME) {
        names++;
        end = path_end(f, end + 1);
    }
    if (is_local && lua_is(f, end, "<")) /* an attribute of Lua 5.4 */
        end += 3;
    if (end >= f->count || !lua_is(f, end, "="))
        return is_local ? at + 1 : 0;
    for (value = end + 1; names > 0; names--) {
        const size_t stop = path_end(f, at);

        assign(t, at, stop, value ? value_at(t, &value) : (struct lua_value){ .kind = LUA_UNKNOWN });
        at = stop + 1;
        value = value && lua_is(f, value, ",") ? value + 1 : 0;
    }
    return end + 1;
}

static bool is_loader(const struct lua_file *f, size_t at)
{
    static const char *const loaders[] = { "require", "dofile", "loadfile", "load", "loadstring", "setmetatable", "setfenv" };

    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
        if (lua_is_name(f, at, loaders[i]))
            return true;
    return false;
}

/* Where the statement ends whose values are read already, but for tables, which hold nothing else. */
static size_t statement(struct lua_tree *t, size_t at)
{
    struct lua_file *f = t->file;
    const bool is_member = at > 0 && (lua_is(f, at - 1, ".") || lua_is(f, at - 1, ":"));
    size_t next = 0;

    if (lua_is(f, at, "local") && f->tokens[at + 1].kind == LUA_NAME)
        return names_statement(t, at + 1, true);
    if (lua_is(f, at, "function"))
        return function_statement(t, at);
    if (f->tokens[at].kind != LUA_NAME || is_member || f->tokens[at].is_in_braces)
        return at + 1;
    next = names_statement(t, at, false);
    if (next)
        return next;
    t->has_others |= is_loader(f, at);
    if (is_dialplan(f, at) && !(at > 1 && lua_is_name(f, at - 2, "pairs")))
        open_up(t, at);
    return at + 1;
}

/* Names that a function gives a value are not what the chunk made them. */
static void changed_find(struct lua_tree *t)
{
    struct lua_file *f = t->file;

    for (size_t at = 0; at + 1 < f->count && !f->b->err; at++) {
        const bool is_member = at > 0 && (lua_is(f, at - 1, ".") || lua_is(f, at - 1, ":"));

        if (!f->tokens[at].is_in_function || f->tokens[at].kind != LUA_NAME || is_member)
            continue;
        if (is_dialplan(f, at) && (at < 2 || !lua_is_name(f, at - 2, "pairs")))
            t->has_others = true;
        t->has_others |= is_loader(f, at) && !lua_is_name(f, at, "setmetatable");
        if (lua_is(f, at + 1, "=") && !f->tokens[at].is_in_braces && !lua_find(t->changed, f->tokens[at].text))
            lua_put(f, t->changed, f->tokens[at].text, at, (struct lua_value){ .kind = LUA_UNKNOWN });
    }
}

void lua_read_chunk(struct lua_tree *t)
{
    struct lua_file *f = t->file;

    t->names = lua_table_new(f);
    t->changed = lua_table_new(f);
    if (f->b->err)
        return;
    changed_find(t);
    for (size_t at = 0; at + 1 < f->count && !f->b->err;)
        at = statement(t, at);
}
