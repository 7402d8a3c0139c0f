/* Follows a function of extensions.lua: which applications it calls, with which arguments, and what it sets. Not for rules. Thread: one. */
#pragma once

#include "audit/lua_tree.h"

enum { LUA_DEPTH_MAX = 12, LUA_BOUND_MAX = 64, LUA_ARGUMENTS_MAX = 64, LUA_CALLS_MAX = 2000, LUA_STEPS_MAX = 500000 };

/* What stands for a text that is not known; rules take it for a variable that nobody sets. */
#define LUA_SOME "${LUA}"

struct lua_bound {
    struct text name, value;       /* value: as the dialplan would write it */
};

/* One run of a function. */
struct lua_frame {
    const struct lua_frame *caller;
    size_t function;               /* its token */
    struct lua_bound bound[LUA_BOUND_MAX];
    size_t count;
    struct lua_table *given;       /* names that it gives a value; is_twice: more than once */
    unsigned depth;
};

struct lua_walk {
    struct lua_tree *tree;
    struct lua_file *file;
    struct dialplan_extension *extension;
    size_t calls, steps, work;     /* of this extension; of all; tokens looked at for all */
    size_t quiet;                  /* before this token stand the arguments of a step that is put already */
    bool is_cut;
};

/* Puts the steps of the handler into the extension. See b->err. */
void lua_walk_handler(struct lua_walk *w, struct dialplan_extension *e, size_t function);

/* ---- lua_text.c ---- */

/* The expression that begins at the token and ends before `end`, as the dialplan would write it. What is not known is LUA_SOME. */
struct text lua_text(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t end);
/* The arguments between the brackets at the token (or the one text or table there), with commas between, as pbx_lua puts them together. *behind: the
 * token behind them. TEXT_NONE: no arguments stand there. */
struct text lua_arguments(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t *behind);
/* Each of them: the token that it begins with, and the last one's end. 0: none. */
size_t lua_argument_list(const struct lua_file *f, size_t at, size_t starts[LUA_ARGUMENTS_MAX + 1], size_t *behind);
/* "channel.NAME", "channel["NAME"]", "channel.NAME(args)" at "channel": NAME, or NAME(args). TEXT_NONE: it is computed. *behind: the token behind it. */
struct text lua_channel(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t *behind);
