/* What the chunk of extensions.lua makes: tables, functions and texts by name, as far as that can be told without running it. Not for rules. Thread: one. */
#pragma once

#include "audit/lua_lexer.h"

struct lua_table;

enum lua_value_kind { LUA_UNKNOWN, LUA_TEXT, LUA_FUNCTION, LUA_TABLE };

struct lua_value {
    enum lua_value_kind kind;
    struct text text;              /* LUA_TEXT */
    size_t at;                     /* the token it begins with; of a function: "function" */
    struct lua_table *table;       /* LUA_TABLE */
};

struct lua_entry {
    struct text key;               /* TEXT_NONE: the next of a list */
    size_t at;                     /* the key's token */
    struct lua_value value;
    bool is_twice;                 /* given another value later on */
};

struct lua_table {
    struct lua_entry *entries;     /* in the order of writing */
    size_t count, room;
    uint32_t *slots;               /* entries by key, from 1 */
    size_t slot_count;
    bool is_open;                  /* what else is in it is not known */
};

struct lua_tree {
    struct lua_file *file;
    struct lua_table *names;       /* of the chunk: globals and its own locals */
    struct lua_table *changed;     /* names that a function gives another value */
    bool has_others;               /* require, dofile, load: what those make is not known */
};

enum { LUA_WORK_MAX = 50000000 };  /* tokens looked at while functions are followed */

/* Of a file that is cut. See file->b->err. */
void lua_read_chunk(struct lua_tree *t);

const struct lua_entry *lua_find(const struct lua_table *t, struct text key); /* NULL: none; t NULL passes */
/* Behind the expression that begins at the token; in a list: at "," ";" or what closes the list. */
size_t lua_expression_end(const struct lua_file *f, size_t at);
/* "a.b["c"]" at the token: the entry that it names, and in *end the token behind it. NULL: not known. */
const struct lua_value *lua_named(const struct lua_tree *t, size_t at, size_t *end);

/* ---- lua_table.c ---- */

struct lua_table *lua_table_new(struct lua_file *f); /* NULL: see b->err */
void lua_put(struct lua_file *f, struct lua_table *t, struct text key, size_t at, struct lua_value value);
