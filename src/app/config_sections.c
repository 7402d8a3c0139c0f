/* One job: bring the sections of the files into typed structs, each key by its place in the table. */
#include <stdio.h>
#include <string.h>

#include "app/config_parts.h"

static const char *nearest(struct text name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = name.n < 6 ? 2 : 3;

    for (size_t i = 0; i < count; i++) {
        const size_t d = text_distance(name, text_of(names[i]));

        if (d <= least) {
            best = names[i];
            least = d ? d - 1 : 0;
        }
    }
    return best;
}

static void unknown_section(struct config_build *b, const struct conf_section *s, struct text kind)
{
    const char *names[CONFIG_KIND_COUNT], *near;
    char came[80];

    for (size_t i = 0; i < CONFIG_KIND_COUNT; i++)
        names[i] = config_kinds[i].name;
    near = nearest(kind, names, CONFIG_KIND_COUNT);
    config_quote(s->name, came, sizeof came);
    if (near)
        config_problem(b, CONF_ERROR, &s->place, NULL, "expected a section that exists, came %s; did you mean [%s]?", came, near);
    else
        config_problem(b, CONF_ERROR, &s->place, NULL, "expected [sidetone], [fastagi], [audiosocket], [rtp], [websocket], [console], [tap], [node NAME], [route NAME], "
                       "[agent NAME], [tool NAME] or [sink NAME], came %s", came);
}

/* [a-z0-9][a-z0-9_-]*, at most 63. */
static bool is_section_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i && (c == '_' || c == '-'))))
            return false;
    }
    return t.n > 0 && t.n <= 63;
}

static const struct config_kind *kind_of(struct text name, struct text *kind, struct text *own)
{
    const ptrdiff_t blank = text_find(name, ' ');

    *kind = blank < 0 ? name : text_head(name, (size_t)blank);
    *own = blank < 0 ? TEXT("") : text_trim(text_skip(name, (size_t)blank));
    for (size_t i = 0; i < CONFIG_KIND_COUNT; i++)
        if (text_eq(*kind, text_of(config_kinds[i].name)))
            return &config_kinds[i];
    return NULL;
}

static bool name_is_good(struct config_build *b, const struct conf_section *s, const struct config_kind *kind, struct text own)
{
    char came[80];

    config_quote(own, came, sizeof came);
    if (!kind->is_named && own.n)
        config_problem(b, CONF_ERROR, &s->place, kind->name, "expected [%s] alone, came the name %s", kind->name, came);
    else if (kind->is_named && !own.n)
        config_problem(b, CONF_ERROR, &s->place, kind->name, "expected [%s NAME], came no name", kind->name);
    else if (kind->is_named && !is_section_name(own))
        config_problem(b, CONF_ERROR, &s->place, kind->name,
                       "expected a name of a-z, 0-9, _ and -, not beginning with _ or - (at most 63), came %s", came);
    else
        return true;
    return false;
}

static const char *title_make(struct config_build *b, const struct config_kind *kind, struct text own)
{
    char title[96];

    snprintf(title, sizeof title, "%s%s%.*s", kind->name, own.n ? " " : "", TEXT_ARG(own));
    return config_text(b, text_of(title));
}

static void add_section(struct config_build *b, const struct conf_section *s, const struct config_kind *kind, struct text own)
{
    const char *title = title_make(b, kind, own);
    size_t of_kind = 0;

    if (!title)
        return;
    for (size_t i = 0; i < b->section_count; i++) {
        const struct config_built *earlier = &b->sections[i];

        of_kind += earlier->kind == kind;
        if (s && !strcmp(earlier->title, title)) {
            config_problem(b, CONF_ERROR, &s->place, title, "expected each section once, came a second one (the first: %s:%u); [%s](+) adds to it",
                           earlier->section->place.file, earlier->section->place.line, title);
            return;
        }
    }
    if (of_kind == CONFIG_NAMED_MAX) {
        config_problem(b, CONF_ERROR, s ? &s->place : NULL, title, "expected at most %d sections of this kind", (int)CONFIG_NAMED_MAX);
        return;
    }
    b->sections[b->section_count++] = (struct config_built){ .kind = kind, .section = s, .title = title };
}

static bool has_section(const struct config_build *b, const struct config_kind *kind)
{
    for (size_t i = 0; i < b->section_count; i++)
        if (b->sections[i].kind == kind)
            return true;
    return false;
}

static void find_sections(struct config_build *b)
{
    for (size_t i = 0; i < b->conf->section_count && !b->err; i++) {
        const struct conf_section *s = &b->conf->sections[i];
        const struct config_kind *kind;
        struct text name, own;

        if (s->is_template)
            continue;
        kind = kind_of(s->name, &name, &own);
        if (!kind)
            unknown_section(b, s, name);
        else if (name_is_good(b, s, kind, own))
            add_section(b, s, kind, own);
    }
    for (size_t i = 0; i < CONFIG_KIND_COUNT && !b->err; i++)
        if (!config_kinds[i].is_named && !has_section(b, &config_kinds[i]))
            add_section(b, NULL, &config_kinds[i], TEXT("")); /* not written: all defaults */
}

/* --- the structs --- */

static void *field_at(void *base, size_t offset)
{
    return (char *)base + offset;
}

static void set_head(struct config_build *b, struct config_built *s)
{
    struct config_head *head = s->value; /* first member of every section's struct */

    head->name = s->kind->is_named ? s->title + strlen(s->kind->name) + 1 : "";
    if (s->section) {
        head->file = config_text(b, text_of(s->section->place.file));
        head->line = s->section->place.line;
    }
}

static void place_kind(struct config_build *b, const struct config_kind *kind)
{
    size_t count = 0, next = 0;
    char *all = field_at(b->c, kind->offset);

    for (size_t i = 0; i < b->section_count; i++)
        count += b->sections[i].kind == kind;
    if (kind->is_named) {
        all = config_take(b, count * kind->size);
        if (!all)
            return;
        *(void **)field_at(b->c, kind->offset) = all;
        *(size_t *)field_at(b->c, kind->count_offset) = count;
    }
    for (size_t i = 0; i < b->section_count; i++)
        if (b->sections[i].kind == kind) {
            b->sections[i].value = all + next++ * kind->size;
            set_head(b, &b->sections[i]);
        }
}

/* `ari_secret c2VjcmV0==` lacks its "=", and has one all the same: only what looks like a key is repeated. */
static const char *quote_key(struct text name, char *out, size_t size)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (i == 32 || !((c >= 'a' && c <= 'z') || (i && c >= '0' && c <= '9') || c == '_' || c == '-'))
            return "something else (not repeated here)";
    }
    return config_quote(name, out, size);
}

static void unknown_key(struct config_build *b, const struct config_built *s, const struct conf_item *item)
{
    const char *names[CONFIG_KEYS_MAX], *near, *came;
    char quoted[80];

    for (size_t i = 0; i < s->kind->key_count; i++)
        names[i] = s->kind->keys[i].name;
    near = nearest(item->name, names, s->kind->key_count);
    came = quote_key(item->name, quoted, sizeof quoted);
    if (near)
        config_problem(b, CONF_ERROR, &item->place, s->title, "expected a key that exists, came %s; did you mean %s?", came, near);
    else
        config_problem(b, CONF_ERROR, &item->place, s->title, "expected a key that exists, came %s (sidetone config sample lists them)", came);
}

/* The last one counts: over a template's, or over what another file said. Twice in one file is a slip. */
static void take_item(struct config_build *b, struct config_built *s, size_t key, const struct conf_item *item)
{
    const struct conf_item *earlier = s->items[key];

    s->items[key] = item;
    if (s->kind->keys[key].type == CONFIG_LINES) {
        config_value_read(b, s, &s->kind->keys[key], item->value);
        return;
    }
    if (earlier && !earlier->inherited && !item->appended && !strcmp(earlier->place.file, item->place.file))
        config_key_problem(b, CONF_ERROR, s, s->kind->keys[key].name, "expected each key once, came a second one (the first: line %u)",
                           earlier->place.line);
}

static void take_items(struct config_build *b, struct config_built *s)
{
    for (size_t i = 0; s->section && i < s->section->count; i++) {
        const struct conf_item *item = &s->section->items[i];
        size_t key = 0;

        while (key < s->kind->key_count && !text_eq(item->name, text_of(s->kind->keys[key].name)))
            key++;
        if (key < s->kind->key_count)
            take_item(b, s, key, item);
        else
            unknown_key(b, s, item);
    }
}

static void read_section(struct config_build *b, struct config_built *s)
{
    take_items(b, s);
    for (size_t i = 0; i < s->kind->key_count && !b->err; i++) {
        const struct config_key *key = &s->kind->keys[i];

        if (s->items[i] && key->type == CONFIG_LINES)
            continue;              /* read where it stood */
        if (s->items[i])
            config_value_read(b, s, key, s->items[i]->value);
        else if (key->standard)
            config_value_read(b, s, key, text_of(key->standard));
        else if (key->is_required)
            config_key_problem(b, CONF_ERROR, s, key->name, "expected a value (%s), came none; for example: %s = %s",
                               config_type_name(key->type), key->name, key->example);
    }
}

void config_sections_read(struct config_build *b)
{
    find_sections(b);
    for (size_t i = 0; i < CONFIG_KIND_COUNT && !b->err; i++)
        place_kind(b, &config_kinds[i]);
    for (size_t i = 0; i < b->section_count && !b->err; i++)
        read_section(b, &b->sections[i]);
}
