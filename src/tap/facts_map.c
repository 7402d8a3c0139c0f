/* A hash table of things that carry their own key. */
#include "tap/facts_map.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 256 };

int map_init(struct map *m)
{
    m->slots = calloc(SLOTS_FIRST, sizeof *m->slots);
    if (!m->slots)
        return -ENOMEM;
    m->mask = SLOTS_FIRST - 1;
    m->count = 0;
    return 0;
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = (struct map){ 0 };
}

/* Eight bytes a step; a caller may choose ids (Originate's ChannelId), so the bits are mixed well at the end. */
uint64_t map_hash(uint32_t node, struct text id)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ node ^ ((uint64_t)id.n << 32), word;
    size_t i = 0;

    for (; i + 8 <= id.n; i += 8) {
        memcpy(&word, id.p + i, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    if (i < id.n)
        memcpy(&word, id.p + i, id.n - i);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 29;
    h *= 0x94d049bb133111ebu;
    return h ^ h >> 32;
}

struct named *map_find(const struct map *m, uint64_t hash, uint32_t node, struct text id)
{
    const struct text key = text_head(id, CALL_ID_MAX - 1);

    for (struct named *at = m->slots[hash & m->mask]; at; at = at->next)
        if (at->hash == hash && at->node == node && at->id_n == key.n && memcmp(at->id, key.p, key.n) == 0)
            return at;
    return NULL;
}

static void grow(struct map *m)
{
    const size_t mask = (m->mask + 1) * 2 - 1;
    struct named **slots = calloc(mask + 1, sizeof *slots);

    if (!slots)
        return;
    for (size_t i = 0; i <= m->mask; i++)
        for (struct named *at = m->slots[i], *next; at; at = next) {
            next = at->next;
            at->next = slots[at->hash & mask];
            slots[at->hash & mask] = at;
        }
    free(m->slots);
    m->slots = slots;
    m->mask = mask;
}

void map_put(struct map *m, struct named *item, uint64_t hash, uint32_t node, struct text id)
{
    if (m->count > m->mask)
        grow(m);
    item->hash = hash;
    item->node = node;
    item->id_n = (uint32_t)text_copy(item->id, sizeof item->id, id);
    item->next = m->slots[hash & m->mask];
    m->slots[hash & m->mask] = item;
    m->count++;
}

void map_drop(struct map *m, struct named *item)
{
    struct named **at = &m->slots[item->hash & m->mask];

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    m->count--;
}
