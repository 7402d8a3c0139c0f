/* Groups findings that say the same. */
#include "audit/repeats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_grouped(const struct audit_finding *f)
{
    return f->path_count == 0;
}

static int compare_kind(const struct audit_finding *a, const struct audit_finding *b)
{
    const int by_rule = strcmp(a->rule->code, b->rule->code);

    if (by_rule)
        return by_rule;
    if (a->severity != b->severity)
        return a->severity < b->severity ? -1 : 1;
    if (is_grouped(a) != is_grouped(b))
        return is_grouped(a) ? -1 : 1;
    return a->severity == AUDIT_NOTE ? 0 : strcmp(a->message, b->message);
}

/* By kind, then as they come in the list. */
static int compare(const void *x, const void *y)
{
    const struct repeat *const a = *(struct repeat *const *)x, *const b = *(struct repeat *const *)y;
    const int by_kind = compare_kind(a->finding, b->finding);

    return by_kind ? by_kind : a < b ? -1 : a > b;
}

static void mark(struct repeat **group, size_t n)
{
    if (n <= REPEATS_MAX || !is_grouped(group[0]->finding))
        return;
    group[REPEATS_SHOWN - 1]->untold = n - REPEATS_SHOWN;
    group[REPEATS_SHOWN - 1]->last = group[n - 1]->finding;
    for (size_t i = REPEATS_SHOWN; i < n; i++)
        group[i]->is_left_out = true;
}

int repeats_find(struct repeat *list, size_t count)
{
    struct repeat **order = calloc(count + 1, sizeof *order);

    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = list + i;
    qsort(order, count, sizeof *order, compare);
    for (size_t from = 0, to; from < count; from = to) {
        to = from + 1;
        while (to < count && compare_kind(order[from]->finding, order[to]->finding) == 0)
            to++;
        mark(order + from, to - from);
    }
    free(order);
    return 0;
}
