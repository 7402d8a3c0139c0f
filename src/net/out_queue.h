/* Bytes that wait to be sent, in blocks that never move: TLS wants a refused send repeated from the same address, and libuv
 * holds the addresses of a write in flight. A block's tail may grow meanwhile; it is freed when its last byte is gone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { OUT_BLOCK_BYTES = 16384 };

struct out_block {
    struct out_block *next;
    uint32_t from, to;
    char bytes[OUT_BLOCK_BYTES];
};

struct out_queue {
    struct out_block *head, *tail;
    size_t n; /* bytes in all */
};

/* Copies the parts without their first `skip` bytes. 0 or -ENOMEM (nothing was added). The ceiling is the caller's. */
int out_queue_add(struct out_queue *q, const struct text *parts, size_t count, size_t skip) MUST_USE;
/* The bytes of the first blocks, at most max of them; returns how many. */
size_t out_queue_peek(const struct out_queue *q, struct text *out, size_t max);
/* Forgets n leading bytes. */
void out_queue_drop(struct out_queue *q, size_t n);
void out_queue_free(struct out_queue *q);
