/* Merges sections of one name and finds the value in force. */
#include "audit/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare(const void *a, const void *b)
{
    const struct conf_section *x = *(const struct conf_section *const *)a, *y = *(const struct conf_section *const *)b;
    const int order = strcasecmp(x->name.p, y->name.p);

    return order ? order : (x > y) - (x < y); /* sections are one array in file order */
}

int settings_read(struct settings *out, struct arena *memory, const struct conf *c)
{
    const struct conf_section **all;
    size_t n = 0;

    *out = (struct settings){ 0 };
    if (!c || c->section_count == 0)
        return 0;
    all = arena_take(memory, c->section_count * sizeof *all);
    out->groups = arena_take(memory, c->section_count * sizeof *out->groups);
    if (!all || !out->groups)
        return -ENOMEM;
    for (size_t i = 0; i < c->section_count; i++)
        if (!c->sections[i].is_template)
            all[n++] = &c->sections[i];
    qsort(all, n, sizeof *all, compare);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && text_eq_nocase(all[i]->name, all[i - 1]->name)) {
            out->groups[out->count - 1].count++;
            continue;
        }
        out->groups[out->count++] = (struct settings_group){ .name = all[i]->name, .sections = all + i, .count = 1 };
    }
    return 0;
}

const struct settings_group *settings_find(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (text_eq_nocase(s->groups[i].name, text_of(name)))
            return &s->groups[i];
    return NULL;
}

const struct conf_item *settings_item(const struct settings_group *g, const char *name)
{
    for (size_t i = g ? g->count : 0; i > 0; i--) {
        const struct conf_section *s = g->sections[i - 1];

        for (size_t k = s->count; k > 0; k--)
            if (text_eq_nocase(s->items[k - 1].name, text_of(name)))
                return &s->items[k - 1];
    }
    return NULL;
}

struct text settings_value(const struct settings_group *g, const char *name)
{
    const struct conf_item *item = settings_item(g, name);

    return item ? item->value : TEXT_NONE;
}

bool settings_is_true(struct text value)
{
    static const char *const words[] = { "yes", "true", "y", "t", "1", "on" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_eq_nocase(value, text_of(words[i])))
            return true;
    return false;
}

bool settings_is(const struct settings_group *g, const char *name, bool otherwise)
{
    const struct conf_item *item = settings_item(g, name);

    return item ? settings_is_true(item->value) : otherwise;
}

struct conf_place settings_place(const struct settings_group *g, const char *name)
{
    const struct conf_item *item = settings_item(g, name);

    return item ? item->place : g->sections[0]->place;
}

bool settings_has_word(struct text list, const char *word)
{
    struct text one;

    while (text_cut(&list, ',', &one))
        if (text_eq_nocase(text_trim(one), text_of(word)))
            return true;
    return false;
}
