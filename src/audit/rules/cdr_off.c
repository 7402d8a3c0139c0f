/* Rule ST523: calls leave no record. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_CDR, "general", &g);

    if (err || settings_is(g, "enable", true))
        return err;
    return audit_find(a, self, settings_place(g, "enable"), "no call leaves a record: a bill that is too high cannot be explained");
}

static const struct audit_rule_example examples[] = {
    { .file = "cdr.conf", .text = "[general]\nenable = no\n", .is_bad = true },
    { .file = "cdr.conf", .text = "[general]\nenable = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_cdr_off = {
    .code = "ST523",
    .name = "no-call-records",
    .severity = AUDIT_NOTE,
    .summary = "Call records are switched off.",
    .why = "Toll fraud is seen first in the call records; without them the provider's bill is the first news.",
    .fix = "Leave them on: enable = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
