/* The hash of a header's name without its case: by the reader of messages, and by the tables that turn names into numbers (made at build time).
 * Three words of eight bytes are looked at, so a name of any length costs the same; whoever finds an equal hash compares the names. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t name_hash_word(const char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return le64toh(w) | UINT64_C(0x2020202020202020);
}

/* Less than eight bytes: from both ends, overlapping. */
static inline uint64_t name_hash_short(const char *p, size_t n)
{
    uint32_t a = 0, b = 0;

    if (n >= 4) {
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        return ((uint64_t)le32toh(a) << 32 | le32toh(b)) | UINT64_C(0x2020202020202020);
    }
    for (size_t i = 0; i < n; i++)
        a = a << 8 | (unsigned char)p[i];
    return (uint64_t)a | 0x202020;
}

static inline uint32_t name_hash(const char *p, size_t n)
{
    uint64_t h;

    if (n < 8)
        h = name_hash_short(p, n) * UINT64_C(0x9e3779b97f4a7c15);
    else
        h = name_hash_word(p) * UINT64_C(0x9e3779b97f4a7c15) ^ name_hash_word(p + n - 8) * UINT64_C(0xc2b2ae3d27d4eb4f);
    if (n > 16)
        h ^= name_hash_word(p + n / 2 - 4) * UINT64_C(0x165667b19e3779f9);
    h ^= n * UINT64_C(0x27d4eb2f165667c5);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

/* The same bytes, case and all. Names are short: words beat a call of memcmp. */
static inline bool name_is_same(const char *a, const char *b, size_t n)
{
    uint64_t x, y;

    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);
    return x == y;
}
