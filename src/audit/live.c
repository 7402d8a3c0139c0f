/* Looks into the live view. */
#include "audit/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 40 };

const struct conf_section *live_section(const struct audit *a, const char *name)
{
    const struct conf *c = a->files[AUDIT_LIVE];

    for (size_t i = 0; c && i < c->section_count; i++)
        if (text_eq(c->sections[i].name, text_of(name)))
            return &c->sections[i];
    return NULL;
}

bool live_has(const struct conf_section *s, struct text value)
{
    for (size_t i = 0; i < s->count; i++)
        if (text_eq(s->items[i].value, value))
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return text_order(*(const struct text *)a, *(const struct text *)b);
}

int live_names_of(struct live_names *out, struct audit *a, const struct conf_section *s)
{
    struct text *names = arena_take(a->memory, (s->count + 1) * sizeof *names);

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        names[i] = s->items[i].value;
    qsort(names, s->count, sizeof *names, compare);
    *out = (struct live_names){ .names = names, .count = s->count };
    return 0;
}

bool live_names_have(const struct live_names *n, struct text name)
{
    return n->count && bsearch(&name, n->names, n->count, sizeof *n->names, compare);
}

bool live_is_plain(struct text name)
{
    return name.n && text_is_one_line(name) && text_find(name, ';') < 0 && text_find(name, '\t') < 0 && text_trim(name).n == name.n && name.p[0] != '>';
}

static uint64_t add(uint64_t h, struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        h = (h ^ (unsigned char)t.p[i]) * 1099511628211u; /* FNV-1a */
    return (h ^ 0xff) * 1099511628211u;
}

uint64_t live_step_mark(struct text app, struct text args)
{
    return add(add(14695981039346656037u, text_trim(app)), text_trim(args));
}

struct text live_app_word(struct text app)
{
    for (size_t i = 0; i < app.n; i++) {
        const char c = app.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return TEXT("?");
    }
    return app.n && app.n <= WORD_MAX ? app : TEXT("?");
}

bool live_is_unsure(const struct audit *a, enum audit_file f)
{
    const struct conf *c = a->files[f];

    for (size_t i = 0; c && i < c->directive_count; i++)
        if (c->directives[i].kind == CONF_EXEC)
            return true;
    return c && c->error_count;
}
