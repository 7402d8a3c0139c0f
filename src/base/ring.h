/* A bounded queue of pointers between threads: many writers, many readers, no lock (Vyukov's scheme).
 * What happens when it is full is the caller's to say; the ring only reports it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct ring;

/* capacity is rounded up to a power of two. 0 or -ENOMEM. */
int ring_new(struct ring **out, size_t capacity) MUST_USE;
void ring_free(struct ring *r);                 /* does not touch what is still inside */
bool ring_push(struct ring *r, void *item);     /* false: full. Any thread. */
void *ring_pop(struct ring *r);                 /* NULL: empty. Any thread. */
size_t ring_depth(const struct ring *r);        /* a moment's estimate */
size_t ring_capacity(const struct ring *r);
