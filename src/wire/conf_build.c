/* Tells what each logical line is: a section, a directive or a setting. */
#include "wire/conf_internal.h"

void conf_build_lines(struct conf_build *b, struct conf_lexer *x, ssize_t *section, unsigned level)
{
    while (!b->err && !b->is_full && conf_lexer_next(x, b, &b->line)) {
        b->file = x->file;
        if (b->line.p[0] == '[')
            conf_build_section(b, &b->line, x->file, section);
        else if (b->line.p[0] == '#')
            conf_build_directive(b, &b->line, x->file, level);
        else
            conf_build_setting(b, &b->line, x->file, *section);
    }
    if (!b->is_full)
        conf_lexer_end(x, b);
}
