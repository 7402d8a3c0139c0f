/* Keeps unsent bytes where they are until they are sent. */
#include "net/out_queue.h"

#include <stdlib.h>
#include <string.h>

static size_t room_of(const struct out_queue *q)
{
    return q->tail ? OUT_BLOCK_BYTES - q->tail->to : 0;
}

static void chain_free(struct out_block *b)
{
    while (b) {
        struct out_block *next = b->next;

        free(b);
        b = next;
    }
}

/* Empty blocks for n bytes. */
static int chain_new(struct out_block **out, size_t n)
{
    struct out_block *chain = NULL;

    for (size_t have = 0; have < n; have += OUT_BLOCK_BYTES) {
        struct out_block *b = malloc(sizeof *b);

        if (!b) {
            chain_free(chain);
            return -ENOMEM;
        }
        b->from = b->to = 0;
        b->next = chain;
        chain = b;
    }
    *out = chain;
    return 0;
}

/* Fills the tail, then takes the next empty block. */
static void part_copy(struct out_queue *q, struct out_block **empty, struct text t)
{
    while (t.n > 0) {
        size_t n = room_of(q);

        if (n == 0) {
            struct out_block *b = *empty;

            *empty = b->next;
            b->next = NULL;
            if (q->tail)
                q->tail->next = b;
            else
                q->head = b;
            q->tail = b;
            n = OUT_BLOCK_BYTES;
        }
        if (n > t.n)
            n = t.n;
        memcpy(q->tail->bytes + q->tail->to, t.p, n);
        q->tail->to += (uint32_t)n;
        q->n += n;
        t = text_skip(t, n);
    }
}

int out_queue_add(struct out_queue *q, const struct text *parts, size_t count, size_t skip)
{
    const size_t room = room_of(q);
    struct out_block *empty = NULL;
    size_t total = 0;
    int err;

    for (size_t i = 0; i < count; i++)
        total += parts[i].n;
    INVARIANT(skip <= total);
    total -= skip;
    err = total > room ? chain_new(&empty, total - room) : 0;
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        const size_t less = skip < parts[i].n ? skip : parts[i].n;

        skip -= less;
        part_copy(q, &empty, text_skip(parts[i], less));
    }
    INVARIANT(empty == NULL);
    return 0;
}

size_t out_queue_peek(const struct out_queue *q, struct text *out, size_t max)
{
    size_t count = 0;

    for (const struct out_block *b = q->head; b && count < max; b = b->next)
        out[count++] = text_make(b->bytes + b->from, b->to - b->from);
    return count;
}

void out_queue_drop(struct out_queue *q, size_t n)
{
    INVARIANT(n <= q->n);
    q->n -= n;
    while (n > 0) {
        struct out_block *b = q->head;
        const size_t here = b->to - b->from;
        const size_t less = n < here ? n : here;

        b->from += (uint32_t)less;
        n -= less;
        if (b->from < b->to)
            continue;
        q->head = b->next;
        if (!q->head)
            q->tail = NULL;
        free(b);
    }
}

void out_queue_free(struct out_queue *q)
{
    chain_free(q->head);
    *q = (struct out_queue){ 0 };
}
