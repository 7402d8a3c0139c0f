/* Rule ST124: a function that Asterisk has lost. */
#include "audit/expression.h"
#include "audit/known.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static int judge(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s, struct text name)
{
    const struct known_function *k = known_function_of(name);
    int err;

    if (!k || k->state != KNOWN_REMOVED)
        return 0;
    err = audit_find(a, self, s->place, "%s() is gone since Asterisk %s", k->name, k->since);
    return !err && k->instead[0] ? audit_hint(a, "use %s", k->instead) : err;
}

static int look(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s, const struct expression *e)
{
    int err = 0;

    for (; !err && e; e = e->next) {
        if (e->kind == EXPRESSION_FUNCTION && e->name.n)
            err = judge(a, self, s, e->name);
        if (!err)
            err = look(a, self, s, e->parts);
    }
    return err;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct expression_fault fault;
    struct expression *tree;
    int err;

    if (expression_is_plain(s->args))
        return 0;
    err = expression_parse(&tree, &fault, a->memory, s->args);
    return err ? err : look(a, self, s, tree);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${SIP_HEADER(From)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${PJSIP_HEADER(read,From)})\n", .is_bad = false },
};

const struct audit_rule audit_rule_removed_function = {
    .code = "ST124",
    .name = "removed-function",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan reads a function that Asterisk has removed.",
    .why = "A removed function reads as an empty text with an error in the log: conditions take the wrong branch without a "
           "sound.",
    .fix = "Write what the hint names instead.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
