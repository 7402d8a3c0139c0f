/* Counts references to objects that one loop owns. */
#include "base/ref.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { REF_MARK = 0x5e7f0bec };

struct ref_head {
    alignas(max_align_t) void (*destroy)(void *obj);
    uint32_t mark;
    uint32_t count;
};

static struct ref_head *head_of(void *obj)
{
    struct ref_head *h = (struct ref_head *)obj - 1;

    INVARIANT(h->mark == REF_MARK && h->count > 0);
    return h;
}

void *ref_new(size_t size, void (*destroy)(void *obj))
{
    struct ref_head *h;

    if (size > SIZE_MAX - sizeof *h)
        return NULL;
    h = calloc(1, sizeof *h + size);
    if (!h)
        return NULL;
    h->destroy = destroy;
    h->mark = REF_MARK;
    h->count = 1;
    return h + 1;
}

void *ref_hold(void *obj)
{
    if (obj)
        head_of(obj)->count++;
    return obj;
}

void *ref_drop(void *obj)
{
    struct ref_head *h;

    if (!obj)
        return NULL;
    h = head_of(obj);
    if (h->count > 1) {
        h->count--;
        return NULL;
    }
    /* The count stays 1 while the destructor runs, so that it may hold and drop on its way, but not revive. */
    if (h->destroy)
        h->destroy(obj);
    INVARIANT(h->count == 1);
    h->mark = 0;
    free(h);
    return NULL;
}
