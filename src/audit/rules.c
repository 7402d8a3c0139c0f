/* Lists every rule. */
#include "audit/rules.h"

#include <string.h>

#define ENTRY(name) &audit_rule_##name,
const struct audit_rule *const audit_rules[] = { AUDIT_RULES(ENTRY) };
const size_t audit_rule_count = sizeof audit_rules / sizeof *audit_rules;

const struct audit_rule *audit_rule_of(const char *code)
{
    for (size_t i = 0; i < audit_rule_count; i++)
        if (strcmp(audit_rules[i]->code, code) == 0)
            return audit_rules[i];
    return NULL;
}
