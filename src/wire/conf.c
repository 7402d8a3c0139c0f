/* Opens a configuration: reads the root file and hands out the finished result. */
#include "wire/conf.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/conf_internal.h"

/* The directory that relative includes start from. */
static struct text directory_of(struct text path)
{
    const ptrdiff_t slash = text_rfind(path, '/');

    return slash < 0 ? TEXT(".") : slash == 0 ? TEXT("/") : text_head(path, (size_t)slash);
}

int conf_parse(struct conf **out, const char *name, struct text content, const struct conf_source *source)
{
    struct conf_build *b = calloc(1, sizeof *b);
    struct conf_lexer x = { .depth = 0 };
    struct text file = TEXT_NONE;
    ssize_t section = -1;
    int err;

    if (!b)
        return -ENOMEM;
    b->source = source;
    b->current = -1;
    b->c = conf_new();
    b->err = b->c ? 0 : -ENOMEM;
    if (!b->err)
        file = conf_keep(b, text_of(name));
    if (!b->err)
        b->from = conf_keep(b, directory_of(file)).p;
    if (!b->err) {
        conf_lexer_file(&x, file.p, content);
        conf_build_lines(b, &x, &section, 0);
    }
    if (!b->err)
        conf_finish(b);
    err = b->err;
    if (err)
        conf_free(b->c);
    else
        *out = b->c;
    conf_index_free(&b->index);
    free(b);
    return err;
}

int conf_load(struct conf **out, const char *path, const struct conf_source *source)
{
    struct text content = TEXT_NONE;
    int err = source->read(source->arg, path, &content);

    if (err)
        return err;
    err = conf_parse(out, path, content, source);
    free((void *)content.p);
    return err;
}

struct text conf_get(const struct conf *c, struct text section, struct text name)
{
    struct text found = TEXT_NONE;

    for (size_t i = 0; i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        if (s->is_template || !text_eq_nocase(s->name, section))
            continue;
        for (size_t k = 0; k < s->count; k++)
            if (text_eq_nocase(s->items[k].name, name))
                found = s->items[k].value;
    }
    return found;
}
