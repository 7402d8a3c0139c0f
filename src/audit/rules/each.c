/* Walks the dialplan for rules. */
#include "audit/rules/each.h"

int rule_each_extension(struct audit *a, const struct audit_rule *self, each_extension *visit)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->extension_count; k++)
            err = visit(a, self, d->contexts[i]->extensions[k]);
    return err;
}

int rule_each_step(struct audit *a, const struct audit_rule *self, each_step *visit)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->extension_count; k++) {
            const struct dialplan_extension *e = d->contexts[i]->extensions[k];

            for (size_t n = 0; !err && n < e->step_count; n++)
                err = visit(a, self, e->steps + n);
        }
    return err;
}

int rule_report_faults(struct audit *a, const struct audit_rule *self, enum dialplan_fault fault)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->problem_count; i++)
        if (d->problems[i].fault == fault)
            err = audit_find(a, self, d->problems[i].place, "%s", d->problems[i].message);
    return err;
}
