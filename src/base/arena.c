/* Hands out small pieces of memory that all end together. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 4096, ARENA_ALIGN = 16 };

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(ARENA_ALIGN) unsigned char bytes[];
};

struct arena {
    struct block *first, *last;
    size_t max, taken; /* taken: block bytes beyond the first block too */
};

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof *b + size);

    if (!b)
        return NULL;
    b->next = NULL;
    b->size = size;
    b->used = 0;
    return b;
}

static void drop_after(struct block *b)
{
    struct block *next;

    for (b = b ? b->next : NULL; b; b = next) {
        next = b->next;
        free(b);
    }
}

int arena_new(struct arena **out, size_t max_bytes)
{
    struct arena *a = calloc(1, sizeof *a);

    if (!a)
        return -ENOMEM;
    a->first = block_new(max_bytes < ARENA_BLOCK ? max_bytes : ARENA_BLOCK);
    if (!a->first) {
        free(a);
        return -ENOMEM;
    }
    a->last = a->first;
    a->max = max_bytes;
    a->taken = a->first->size;
    *out = a;
    return 0;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    drop_after(a->first);
    free(a->first);
    free(a);
}

void *arena_take(struct arena *a, size_t n)
{
    struct block *b = a->last;
    size_t size;
    void *p;

    if (n > a->max)
        return NULL;
    n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (n > b->size - b->used) {
        size = n > ARENA_BLOCK ? n : ARENA_BLOCK;
        if (size > a->max - a->taken)
            size = n;
        if (size > a->max - a->taken)
            return NULL;
        b = block_new(size);
        if (!b)
            return NULL;
        a->taken += size;
        a->last->next = b;
        a->last = b;
    }
    p = b->bytes + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

char *arena_text(struct arena *a, struct text t)
{
    char *p = t.n < SIZE_MAX ? arena_take(a, t.n + 1) : NULL;

    if (p && t.n)
        memcpy(p, t.p, t.n);
    return p;
}

void arena_reset(struct arena *a)
{
    drop_after(a->first);
    a->first->next = NULL;
    a->first->used = 0;
    a->last = a->first;
    a->taken = a->first->size;
}

size_t arena_used(const struct arena *a)
{
    size_t n = 0;

    for (const struct block *b = a->first; b; b = b->next)
        n += b->used;
    return n;
}
