/* Rule ST104: a priority given twice. */
#include "audit/rules.h"
#include "audit/rules/each.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_report_faults(a, self, DIALPLAN_TWICE);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nexten => 1,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nsame => s,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nexten => 1/5,1,Answer()\nexten => 2,1,Answer()\n", .is_bad = false },
};

const struct audit_rule audit_rule_duplicate_priority = {
    .code = "ST104",
    .name = "duplicate-priority",
    .severity = AUDIT_ERROR,
    .summary = "An extension has two steps of the same priority.",
    .why = "Asterisk keeps the first and drops the other with \"already in use\" in the log; what was written later never "
           "runs.",
    .fix = "Number the steps with \"n\".",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
