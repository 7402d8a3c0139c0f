/* Rule ST109: a pattern that also catches special extensions. */
#include "audit/rules.h"
#include "audit/rules/each.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    if (!text_eq(e->name, TEXT("_.")) && !text_eq(e->name, TEXT("_!")))
        return 0;
    return audit_find(a, self, e->place, "%.*s in \"%.*s\" also matches h, i, t and s", TEXT_ARG(e->name), TEXT_ARG(e->context->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => _.,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,Hangup()\nexten => _X!,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_catch_all_pattern = {
    .code = "ST109",
    .name = "catch-all-pattern",
    .severity = AUDIT_WARNING,
    .summary = "The pattern \"_.\" or \"_!\" also catches h, i, t, s and the like.",
    .why = "When the call ends, Asterisk looks for \"h\" and finds this pattern: its steps run again on a dead channel. "
           "Asterisk itself warns at load.",
    .fix = "Write it as _X. instead: exten => _X.,1,...",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
