/* Finds sections and settings by name, so that reading stays linear in the size of the files. */
#include "wire/conf_internal.h"

#include <errno.h>
#include <stdlib.h>

struct conf_slot {
    struct text name; /* .p NULL: free */
    size_t kind, value;
    uint64_t hash;
};

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(size_t kind, struct text name)
{
    uint64_t h = 14695981039346656037u ^ kind * 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (kind < CONF_KEY_ITEMS ? lower(name.p[i]) : (unsigned char)name.p[i])) * 1099511628211u;
    return h ^ h >> 29;
}

/* The slot of that key, or the free one where it would go. */
static struct conf_slot *slot_of(const struct conf_index *x, uint64_t hash, size_t kind, struct text name)
{
    size_t at = hash & (x->cap - 1);

    for (;; at = (at + 1) & (x->cap - 1)) {
        struct conf_slot *s = x->slots + at;

        if (!s->name.p)
            return s;
        if (s->hash == hash && s->kind == kind &&
            (kind < CONF_KEY_ITEMS ? text_eq_nocase(s->name, name) : text_eq(s->name, name)))
            return s;
    }
}

static int grow(struct conf_index *x)
{
    struct conf_index bigger = { .cap = x->cap ? x->cap * 2 : 64, .used = x->used };

    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < x->cap; i++) {
        const struct conf_slot *s = x->slots + i;

        if (s->name.p)
            *slot_of(&bigger, s->hash, s->kind, s->name) = *s;
    }
    free(x->slots);
    *x = bigger;
    return 0;
}

bool conf_index_get(const struct conf_index *x, size_t kind, struct text name, size_t *value)
{
    const struct conf_slot *s = x->cap ? slot_of(x, hash_of(kind, name), kind, name) : NULL;

    if (!s || !s->name.p)
        return false;
    *value = s->value;
    return true;
}

int conf_index_put(struct conf_index *x, size_t kind, struct text name, size_t value)
{
    const uint64_t hash = hash_of(kind, name);
    struct conf_slot *s;

    if (x->used * 2 >= x->cap && grow(x))
        return -ENOMEM;
    s = slot_of(x, hash, kind, name);
    if (!s->name.p)
        x->used++;
    *s = (struct conf_slot){ .name = name, .kind = kind, .value = value, .hash = hash };
    return 0;
}

void conf_index_free(struct conf_index *x)
{
    free(x->slots);
    *x = (struct conf_index){ .cap = 0 };
}
