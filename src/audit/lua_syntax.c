/* Compiles extensions.lua, and throws away what comes out. */
#include "audit/lua_syntax.h"

#include <errno.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>

/* "extensions.lua:12: 'end' expected near 'x'": the line, and the text behind it. */
static struct text split(const char *message, unsigned *line)
{
    struct text rest = text_of(message), head;
    int64_t number = 0;

    *line = 1;
    if (!text_cut(&rest, ':', &head) || !text_cut(&rest, ':', &head) || text_to_i64(head, &number) || number < 1)
        return text_of(message);
    *line = (unsigned)number;
    return text_trim(rest);
}

void lua_syntax(struct lua_file *f)
{
    lua_State *state = luaL_newstate();
    int result;

    if (!state) {
        f->b->err = -ENOMEM;
        return;
    }
    result = luaL_loadbufferx(state, f->content.p, f->content.n, "=extensions.lua", "t");
    if (result == LUA_ERRMEM) {
        f->b->err = -ENOMEM;
    } else if (result != LUA_OK) {
        unsigned line;
        const struct text what = split(lua_tostring(state, -1), &line);

        if (text_find_text(what, TEXT("'goto'")) < 0)
            lua_problem(f, (struct conf_place){ .file = f->path, .line = line, .column = 1 }, DIALPLAN_SKIPPED, "%.*s: Asterisk loads nothing of extensions.lua",
                        TEXT_ARG(text_head(what, 200)));
    }
    lua_close(state);
}
