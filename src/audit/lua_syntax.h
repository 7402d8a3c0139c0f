/* Asks Lua itself whether extensions.lua can be read. Nothing of it is run. Not for rules. Thread: one. */
#pragma once

#include "audit/lua_lexer.h"

/* Tells the first error of syntax. What only Lua 5.1, which Debian's Asterisk has, takes (a field called goto) is none. See f->b->err. */
void lua_syntax(struct lua_file *f);
