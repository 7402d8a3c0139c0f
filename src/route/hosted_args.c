/* The arguments of a hosted script. */
#include "route/hosted_inner.h"

#include <stdio.h>
#include <string.h>

void hosted_args_clear(struct hosted_args *a)
{
    a->n = 0;
    a->count = 0;
    a->cut = false;
}

void hosted_args_add(struct hosted_args *a, struct text value)
{
    const ptrdiff_t nul = text_find(value, '\0');

    if (nul >= 0)
        value = text_head(value, (size_t)nul);
    if (a->count == HOSTED_ARGS_MAX || a->n + value.n + 1 > sizeof a->bytes) {
        a->cut = true;
        return;
    }
    if (value.n)
        memcpy(a->bytes + a->n, value.p, value.n);
    a->bytes[a->n + value.n] = '\0';
    a->n += value.n + 1;
    a->count++;
}

bool hosted_args_equal(const struct hosted_args *a, const struct hosted_args *b)
{
    return a->count == b->count && !a->cut && !b->cut && a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

void hosted_args_take(struct hosted_args *a, const struct agi_env *env)
{
    struct text name, value;
    char wanted[32];
    size_t from = 0;

    hosted_args_clear(a);
    for (size_t i = 0; agi_env_at(env, i, &name, &value); i++)
        if (text_eq(name, TEXT("agi_threadid")))
            from = i;
    for (size_t i = from; agi_env_at(env, i, &name, &value); i++) {
        snprintf(wanted, sizeof wanted, "agi_arg_%u", a->count + 1);
        if (text_eq(name, text_of(wanted)))
            hosted_args_add(a, value);
    }
}
