/* Rule ST126: a "${" or "$[" that is never closed. */
#include "audit/expression.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct expression_fault fault;
    struct conf_place place = s->place;
    struct expression *tree;
    int err;

    if (expression_is_plain(s->args))
        return 0;
    err = expression_parse(&tree, &fault, a->memory, s->args);
    if (err || !fault.what)
        return err;
    place.column = s->args_column + (unsigned)fault.at;
    return audit_find(a, self, place, "in the arguments of %.*s: %s", TEXT_ARG(s->app), fault.what);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${A)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=$[1+${C})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${A${B}}$[1+${C:1:2}])\n same => n,Set(CALLERID(name)=${CALLERID(name):${LEN(${P})}})\n", .is_bad = false },
};

const struct audit_rule audit_rule_broken_expression = {
    .code = "ST126",
    .name = "broken-expression",
    .severity = AUDIT_ERROR,
    .summary = "A \"${\" or \"$[\" is never closed, or is nested too deep.",
    .why = "Asterisk logs \"Error in extension logic (missing '}')\" and cuts the text there: the application runs with half "
           "of its arguments.",
    .fix = "Close the bracket: ${CALLERID(num)}, $[${N} + 1].",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
