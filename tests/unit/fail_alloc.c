/* One job: allocation failure on demand. */
#include "fail_alloc.h"

#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t a, size_t b);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t a, size_t b);
void *__wrap_realloc(void *p, size_t n);

static atomic_long count, target;
static atomic_bool hit;

static bool fails(void)
{
    const long n = atomic_fetch_add(&count, 1) + 1;

    if (n != atomic_load(&target))
        return false;
    atomic_store(&hit, true);
    return true;
}

void fail_alloc_at(long n)
{
    atomic_store(&count, 0);
    atomic_store(&hit, false);
    atomic_store(&target, n);
}

bool fail_alloc_hit(void)
{
    return atomic_load(&hit);
}

void fail_alloc_off(void)
{
    fail_alloc_at(0);
}

long fail_alloc_count(void)
{
    return atomic_load(&count);
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t a, size_t b)
{
    return fails() ? NULL : __real_calloc(a, b);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
