/* The table of rules: one line a rule, by code. ST0xx files, ST1xx the dialplan's shape, ST2xx what callers can do with it, ST3xx manager,
 * ST4xx ARI and HTTP, ST5xx SIP and the rest. A code is never given to another rule. */
#pragma once

#include "audit/audit.h"

#define AUDIT_RULES(RULE) \
    RULE(unreadable_file) \
    RULE(jump_to_nowhere) \
    RULE(missing_include) \
    RULE(ignored_line) \
    RULE(duplicate_priority) \
    RULE(no_first_priority) \
    RULE(unreachable_step) \
    RULE(missing_hangup) \
    RULE(shadowed_pattern) \
    RULE(catch_all_pattern) \
    RULE(endless_loop) \
    RULE(unknown_application) \
    RULE(removed_application) \
    RULE(deprecated_application) \
    RULE(unknown_function) \
    RULE(removed_function) \
    RULE(argument_count) \
    RULE(broken_expression) \
    RULE(shell_injection) \
    RULE(dial_injection) \
    RULE(argument_injection) \
    RULE(second_evaluation) \
    RULE(toll_fraud) \
    RULE(no_fallback) \
    /* end */

#define AUDIT_RULE_DECLARE(name) extern const struct audit_rule audit_rule_##name;
AUDIT_RULES(AUDIT_RULE_DECLARE)
#undef AUDIT_RULE_DECLARE

/* For the record of a rule. */
#define AUDIT_EXAMPLES(list) .examples = (list), .example_count = sizeof(list) / sizeof *(list)
