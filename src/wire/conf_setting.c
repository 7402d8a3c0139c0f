/* Reads "name = value", "name => value" and "name += value" (main/config.c:process_text_line). */
#include "wire/conf_internal.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static struct conf_place place_of(const struct conf_line *l, const char *file, const char *at)
{
    return (struct conf_place){ .file = file, .line = l->number, .column = conf_column(l, at) };
}

/* Makes the index know the section's items and finds the last of that name; its case counts (seen). */
static bool find_last(struct conf_build *b, size_t section, struct text name, size_t *item)
{
    const struct conf_section *s = b->c->sections + section;
    size_t *indexed = conf_indexed(b, section);

    for (; *indexed < s->count; (*indexed)++)
        if (conf_index_put(&b->index, CONF_KEY_ITEMS + section, s->items[*indexed].name, *indexed)) {
            b->err = -ENOMEM;
            return false;
        }
    return conf_index_get(&b->index, CONF_KEY_ITEMS + section, name, item);
}

/* The text behind "+=" is joined as it stands, leading blanks included: "a = x", "a += y" gives "x y" (seen). */
static struct text join(struct conf_build *b, struct text old, struct text tail, struct conf_place place)
{
    struct text joined = TEXT_NONE;
    struct buf both;

    b->joined += old.n + tail.n;
    if (b->joined > CONF_JOINED_MAX) {
        conf_stop(b, place, "+= has joined more than 16 MiB");
        return TEXT_NONE;
    }
    buf_init(&both, CONF_JOINED_MAX);
    buf_add_text(&both, old);
    buf_add_text(&both, tail);
    if (both.err)
        b->err = -ENOMEM;
    else
        joined = conf_keep(b, text_trim(buf_text(&both)));
    buf_free(&both);
    return joined;
}

/* Asterisk replaces the older setting where it stands; the place told is that of this line. */
static bool append(struct conf_build *b, size_t section, struct conf_item *item, struct text name, struct text tail)
{
    struct conf_item *old;
    struct text joined;
    size_t at;

    if (!find_last(b, section, name, &at))
        return false;
    old = b->c->sections[section].items + at;
    joined = join(b, old->value, tail, item->place);
    if (!joined.p)
        return true;
    item->name = old->name;
    item->value = joined;
    item->arrow = old->arrow;
    *old = *item;
    return true;
}

/* Splits the line at its first "=". False, with a problem, when it is no setting. */
static bool split(struct conf_build *b, const struct conf_line *l, const char *file, struct text *name, struct text *tail)
{
    const bool is_escaped = l->p[0] == '\\';
    const struct text line = text_skip(text_make(l->p, l->n), is_escaped);
    const struct conf_place place = place_of(l, file, l->p);
    const char *equals;

    if (is_escaped && (!line.n || (unsigned char)line.p[0] <= ' ' || (unsigned char)line.p[0] >= 0x80)) {
        conf_problem(b, CONF_ERROR, place, "a \"\\\" at the beginning of a line must stand before a visible ASCII character");
        return false;
    }
    equals = line.n > is_escaped ? memchr(line.p + is_escaped, '=', line.n - is_escaped) : NULL;
    if (!equals) {
        conf_problem(b, CONF_WARNING, place, "expected \"name = value\", found \"%.*s\": the line is ignored",
                     (int)(l->n < 40 ? l->n : 40), l->p);
        return false;
    }
    *name = text_head(line, (size_t)(equals - line.p));
    *tail = text_skip(line, name->n + 1);
    return true;
}

void conf_build_setting(struct conf_build *b, const struct conf_line *l, const char *file, ssize_t section)
{
    struct conf_item item = { .arrow = false };
    struct text name, tail, value;

    if (section < 0) {
        conf_problem(b, CONF_ERROR, place_of(l, file, l->p), "a setting before the first [section]");
        return;
    }
    if (!split(b, l, file, &name, &tail))
        return;
    /* "\+=x" is a setting named "+": the escaped character is never part of the operator. */
    item.appended = text_ends(name, TEXT("+")) && name.n > (l->p[0] == '\\');
    name = text_trim(text_head(name, name.n - item.appended));
    item.arrow = !item.appended && text_starts(tail, TEXT(">"));
    tail = text_skip(tail, item.arrow);
    value = text_trim(tail);
    if (!name.n) {
        conf_problem(b, CONF_WARNING, place_of(l, file, l->p), "no name before \"=\": the line is ignored");
        return;
    }
    item.place = place_of(l, file, name.p);
    item.value_column = conf_column(l, value.n ? value.p : tail.p);
    if (item.appended && append(b, (size_t)section, &item, name, tail))
        return;
    item.name = conf_keep(b, name);
    item.value = conf_keep(b, value);
    if (item.name.p && item.value.p)
        conf_item_add(b, (size_t)section, &item);
}
