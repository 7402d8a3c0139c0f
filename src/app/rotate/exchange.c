/* Finds the line of a secret, and makes the text that has another one there. */
#include "app/rotate/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/conf.h"

/* ---- where ---- */

/* The last one of all sections of that name is what Asterisk goes by. */
static const struct conf_item *find_item(const struct conf *c, const char *user, const char *key)
{
    const struct conf_item *met = NULL;

    for (size_t i = 0; i < c->section_count; i++) {
        const struct conf_section *s = &c->sections[i];

        if (s->is_template || !text_eq(s->name, text_of(user)))
            continue;
        for (size_t k = 0; k < s->count; k++)
            if (text_eq_nocase(s->items[k].name, text_of(key)))
                met = &s->items[k];
    }
    return met;
}

int exchange_find(struct exchange_place *out, const char *root, const char *user, const char *key)
{
    const struct conf_item *item;
    struct conf *c;
    int err = conf_load(&c, root, &conf_disk);

    if (err)
        return err;
    item = find_item(c, user, key);
    if (!item)
        err = c->error_count ? -EINVAL : -ENOENT;
    else if (item->inherited)
        err = -EXDEV;
    else if (item->appended)
        err = -EBADMSG;
    else if (strlen(item->place.file) >= sizeof out->file || item->value.n >= sizeof out->value)
        err = -ENAMETOOLONG;
    if (!err) {
        *out = (struct exchange_place){ .line = item->place.line, .column = item->value_column };
        text_copy(out->file, sizeof out->file, text_of(item->place.file));
        text_copy(out->value, sizeof out->value, item->value);
    }
    conf_free(c);
    return err;
}

/* ---- what ---- */

int exchange_text(char **out, size_t *n, struct text content, const struct exchange_place *at, const char *old, const char *fresh)
{
    const size_t old_n = strlen(old), fresh_n = strlen(fresh);
    struct text rest = content;
    size_t before;
    char *made;

    for (unsigned line = 1; line < at->line; line++) {
        const ptrdiff_t end = text_find(rest, '\n');

        if (end < 0)
            return -EBADMSG;
        rest = text_skip(rest, (size_t)end + 1);
    }
    if (at->column == 0 || at->column > rest.n)
        return -EBADMSG;
    rest = text_skip(rest, at->column - 1);
    if (!old_n || !text_starts(rest, text_of(old)))
        return -EBADMSG;
    before = (size_t)(rest.p - content.p);
    made = malloc(content.n - old_n + fresh_n + 1);
    if (!made)
        return -ENOMEM;
    memcpy(made, content.p, before);
    memcpy(made + before, fresh, fresh_n);
    memcpy(made + before + fresh_n, rest.p + old_n, rest.n - old_n);
    *n = content.n - old_n + fresh_n;
    made[*n] = '\0';
    *out = made;
    return 0;
}
