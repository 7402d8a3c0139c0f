/* Cuts extensions.lua into tokens and finds which bracket and which block ends where (Lua 5.1 to 5.4: "Lexical Conventions" of the manual).
 * Not for rules. Thread: one. */
#pragma once

#include <stdint.h>

#include "audit/audit.h"
#include "audit/dialplan_build.h"

enum { LUA_BYTES_MAX = 16 << 20, LUA_TOKENS_MAX = 1 << 22, LUA_NESTED_MAX = 400, LUA_PROBLEMS_MAX = 200 };

enum lua_kind { LUA_END, LUA_NAME, LUA_KEYWORD, LUA_STRING, LUA_NUMBER, LUA_SIGN };

struct lua_token {
    enum lua_kind kind;
    uint32_t line, column;         /* from 1 */
    uint32_t match;                /* of a bracket or a block: the token at its other end; 0: none */
    bool is_in_braces;             /* the bracket or block around it is a table */
    bool is_in_function;
    struct text text;              /* of a string: what it means */
};

struct lua_file {
    struct dialplan_build *b;
    const char *path;
    struct text content;
    struct lua_token *tokens;      /* the last one is LUA_END */
    size_t count;
    size_t problem_count;
    struct arena *scratch;         /* of tokens and what is made of them; not of texts */
};

/* f->b, path, content and scratch are set. What makes Lua refuse the file is told. See b->err. */
void lua_cut(struct lua_file *f);

bool lua_is(const struct lua_file *f, size_t at, const char *word); /* a keyword or a sign */
bool lua_is_name(const struct lua_file *f, size_t at, const char *name);
struct conf_place lua_place(const struct lua_file *f, size_t at);
/* "Asterisk loads nothing of extensions.lua" is what `fault` DIALPLAN_SKIPPED goes with. */
void lua_problem(struct lua_file *f, struct conf_place place, enum dialplan_fault fault, const char *format, ...) PRINTF_LIKE(4, 5);
/* In the memory of the dialplan. Empty when there is none: see b->err. */
struct text lua_keep(struct lua_file *f, struct text t);
