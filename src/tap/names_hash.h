/* The hash of a name without its case; shared by the table's maker (at build time) and its reader. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint32_t names_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u ^ (uint32_t)n;

    for (size_t i = 0; i < n; i++)
        h = (h ^ ((unsigned char)p[i] | 0x20u)) * 16777619u;
    return h ^ h >> 15;
}
