/* Things found by a node and an id: channels, calls and bridges. Intrusive; grows by doubling; nothing is freed here. */
#pragma once

#include "tap/facts.h"

/* First member of whatever is kept. */
struct named {
    struct named *next;
    uint64_t hash;
    uint32_t node;
    uint32_t id_n;
    char id[CALL_ID_MAX];
};

struct map {
    struct named **slots;
    size_t count, mask;
};

int map_init(struct map *m) MUST_USE;
void map_free(struct map *m);
/* An id longer than CALL_ID_MAX - 1 is cut; the hash is over the whole. */
uint64_t map_hash(uint32_t node, struct text id);
struct named *map_find(const struct map *m, uint64_t hash, uint32_t node, struct text id);
/* Sets hash, node and id of *item. When it cannot grow it stays as large as it is, and slower. */
void map_put(struct map *m, struct named *item, uint64_t hash, uint32_t node, struct text id);
void map_drop(struct map *m, struct named *item);
