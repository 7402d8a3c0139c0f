/* Finds the sections that rules about settings look at. */
#include "audit/rules/sections.h"

#include <string.h>

struct text section_value(const struct conf_section *s, const char *name)
{
    for (size_t i = s->count; i > 0; i--)
        if (text_eq_nocase(s->items[i - 1].name, text_of(name)))
            return s->items[i - 1].value;
    return TEXT_NONE;
}

struct conf_place section_place(const struct conf_section *s, const char *name)
{
    for (size_t i = s->count; i > 0; i--)
        if (text_eq_nocase(s->items[i - 1].name, text_of(name)))
            return s->items[i - 1].place;
    return s->place;
}

int rule_each_section(struct audit *a, const struct audit_rule *self, enum audit_file f, const char *type, each_section *visit)
{
    const struct conf *c = a->files[f];
    int err = 0;

    for (size_t i = 0; c && !err && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        if (!s->is_template && (!type || text_eq_nocase(section_value(s, "type"), text_of(type))))
            err = visit(a, self, s);
    }
    return err;
}

bool rule_is_among(struct text word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq_nocase(word, text_of(list[i])))
            return true;
    return false;
}

bool rule_told(const struct audit *a, const struct audit_rule *self, struct conf_place place)
{
    const struct audit_finding *f = a->finding_count ? a->findings + a->finding_count - 1 : NULL;

    return f && f->rule == self && f->place.line == place.line && strcmp(f->place.file, place.file) == 0;
}

int rule_group(struct audit *a, enum audit_file f, const char *name, const struct settings_group **out)
{
    struct settings all;
    const int err = settings_read(&all, a->memory, a->files[f]);

    *out = err ? NULL : settings_find(&all, name);
    return err;
}

int rule_http(struct audit *a, struct rule_http *out)
{
    const int err = rule_group(a, AUDIT_HTTP, "general", &out->general);

    out->is_enabled = !err && settings_is(out->general, "enabled", false) && settings_item(out->general, "bindaddr");
    out->reach = reach_of(settings_value(err ? NULL : out->general, "bindaddr"));
    return err;
}
