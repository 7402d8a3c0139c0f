/* Tables of extensions.lua: values by key, in the order of writing. */
#include "audit/lua_tree.h"

#include <errno.h>
#include <string.h>

enum { FIRST = 8 };

static size_t hash_of(struct text key)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

struct lua_table *lua_table_new(struct lua_file *f)
{
    struct lua_table *t = arena_take(f->scratch, sizeof *t);

    if (!t)
        f->b->err = -ENOMEM;
    return t;
}

/* The place of that key, or the free one where it belongs. */
static uint32_t *slot_of(const struct lua_table *t, struct text key)
{
    size_t i = hash_of(key) & (t->slot_count - 1);

    while (t->slots[i] && !text_eq(t->entries[t->slots[i] - 1].key, key))
        i = (i + 1) & (t->slot_count - 1);
    return t->slots + i;
}

const struct lua_entry *lua_find(const struct lua_table *t, struct text key)
{
    const uint32_t at = t && t->slot_count && key.p ? *slot_of(t, key) : 0;

    return at ? t->entries + (at - 1) : NULL;
}

static bool grow(struct lua_file *f, struct lua_table *t)
{
    const size_t room = t->room ? t->room * 2 : FIRST;
    struct lua_entry *entries;
    uint32_t *slots;

    if (t->count < t->room)
        return true;
    entries = arena_take(f->scratch, room * sizeof *entries);
    slots = arena_take(f->scratch, room * 2 * sizeof *slots);
    if (!entries || !slots) {
        f->b->err = -ENOMEM;
        return false;
    }
    if (t->count)
        memcpy(entries, t->entries, t->count * sizeof *entries);
    t->entries = entries;
    t->room = room;
    t->slots = slots;
    t->slot_count = room * 2;
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i].key.p)
            *slot_of(t, t->entries[i].key) = (uint32_t)i + 1;
    return true;
}

void lua_put(struct lua_file *f, struct lua_table *t, struct text key, size_t at, struct lua_value value)
{
    uint32_t *slot;

    if (!grow(f, t))
        return;
    slot = key.p ? slot_of(t, key) : NULL;
    if (slot && *slot) {
        t->entries[*slot - 1].value = value;
        t->entries[*slot - 1].is_twice = true;
        return;
    }
    t->entries[t->count++] = (struct lua_entry){ .key = key, .at = at, .value = value };
    if (slot)
        *slot = (uint32_t)t->count;
}
