/* What a file of settings says in the end: sections of one name merged, the last value in force. Memory is the arena's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "wire/conf.h"

struct settings_group {            /* all live sections of one name; the case of names does not count */
    struct text name;
    const struct conf_section **sections;  /* file order */
    size_t count;
};

struct settings {
    struct settings_group *groups; /* by name */
    size_t count;
};

/* Templates are left out. c NULL: no groups. 0 or -ENOMEM. */
int settings_read(struct settings *out, struct arena *memory, const struct conf *c) MUST_USE;
/* NULL: there is none. */
const struct settings_group *settings_find(const struct settings *s, const char *name);
/* The last item of that name; NULL: not set. g NULL passes. */
const struct conf_item *settings_item(const struct settings_group *g, const char *name);
/* Its value; absent when not set. */
struct text settings_value(const struct settings_group *g, const char *name);
/* As ast_true: yes true y t 1 on. */
bool settings_is(const struct settings_group *g, const char *name, bool otherwise);
/* Where it is set; else where the group begins. g must be one. */
struct conf_place settings_place(const struct settings_group *g, const char *name);
bool settings_is_true(struct text value);
/* Is the word among those of "a,b, c"? */
bool settings_has_word(struct text list, const char *word);
