/* What the fuzz targets share: the input cut in pieces at places that it chooses itself. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(cond) ((cond) ? (void)0 : abort())

/* The length of the next piece: 1..61 bytes, from a small generator that the input's size seeds. */
static inline size_t fuzz_piece(uint32_t *seed, size_t left)
{
    const uint32_t s = *seed = *seed * 1664525u + 1013904223u;
    const size_t n = 1 + (s >> 24) % 61;

    return n < left ? n : left;
}

/* A copy of exactly that size, so that the address checker sees one byte too far. */
static inline char *fuzz_copy(const void *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    FUZZ_CHECK(copy);
    if (n)
        memcpy(copy, p, n);
    return copy;
}
