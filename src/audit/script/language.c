/* Which language is a script written in? */
#include "audit/script/facts.h"

#include <string.h>

struct mark {
    const char *word;
    enum inventory_language language;
};

static enum inventory_language by_interpreter(struct text line)
{
    static const struct mark marks[] = {
        { "python", INVENTORY_PYTHON }, { "perl", INVENTORY_PERL }, { "php", INVENTORY_PHP },        { "ruby", INVENTORY_RUBY },
        { "node", INVENTORY_JAVASCRIPT }, { "deno", INVENTORY_JAVASCRIPT }, { "lua", INVENTORY_LUA }, { "bash", INVENTORY_SHELL },
        { "/sh", INVENTORY_SHELL },     { " sh", INVENTORY_SHELL }, { "dash", INVENTORY_SHELL },     { "ksh", INVENTORY_SHELL },
        { "zsh", INVENTORY_SHELL },
    };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (text_find_text(line, text_of(marks[i].word)) >= 0)
            return marks[i].language;
    return INVENTORY_UNKNOWN;
}

static enum inventory_language by_name(struct text path)
{
    static const struct mark marks[] = {
        { ".py", INVENTORY_PYTHON }, { ".pl", INVENTORY_PERL }, { ".pm", INVENTORY_PERL },       { ".php", INVENTORY_PHP },  { ".rb", INVENTORY_RUBY },
        { ".js", INVENTORY_JAVASCRIPT }, { ".mjs", INVENTORY_JAVASCRIPT }, { ".lua", INVENTORY_LUA }, { ".sh", INVENTORY_SHELL }, { ".c", INVENTORY_C },
        { ".bash", INVENTORY_SHELL },
    };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (text_ends(path, text_of(marks[i].word)))
            return marks[i].language;
    return INVENTORY_UNKNOWN;
}

enum inventory_language script_language(struct text path, struct text source)
{
    enum inventory_language found = INVENTORY_UNKNOWN;
    const ptrdiff_t end = text_find(source, '\n');

    if (text_starts(source, TEXT("\x7f" "ELF")))
        return INVENTORY_BINARY;
    if (text_starts(source, TEXT("#!")))
        found = by_interpreter(end < 0 ? source : text_head(source, (size_t)end));
    if (!found)
        found = by_name(path);
    if (!found && text_starts(source, TEXT("<?php")))
        found = INVENTORY_PHP;
    if (!found && source.n > 0 && memchr(source.p, '\0', source.n))
        found = INVENTORY_BINARY;
    return found;
}
