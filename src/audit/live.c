/* Looks into the live view. */
#include "audit/live.h"

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
