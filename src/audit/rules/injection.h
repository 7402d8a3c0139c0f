/* What the rules about injection have in common: a place of a step's arguments that must not hold a caller's text. */
#pragma once

#include "audit/audit.h"
#include "audit/flow.h"

struct injection {
    /* That place, or TEXT_NONE: this application has none. */
    struct text (*sink)(const struct flow_call *c);
    /* A function whose inside is such a place in every application, "SHELL"; NULL: none. */
    const char *function;
    bool is_prefix;                /* function is how its name begins, "ODBC_" */
    /* Does that function make what it gets harmless? NULL: none does. */
    bool (*is_safe)(const struct audit *a, struct text name);
    const char *does;              /* "reaches the shell through": behind the value, before the application */
};

/* Follows values through each extension and reports what reaches the place. 0 or -ENOMEM. */
int injection_find(struct audit *a, const struct audit_rule *self, const struct injection *j) MUST_USE;
