/* Rule ST123: a function that Asterisk 22 does not know. */
#include "audit/expression.h"
#include "audit/known.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static int judge(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s, struct text name)
{
    const char *near = NULL;
    int err;

    /* func_odbc.conf makes functions of its own, ODBC_ by default. */
    if (known_function_of(name) || text_starts(name, TEXT("ODBC_")))
        return 0;
    near = known_function_near(name);
    err = audit_find(a, self, s->place, "Asterisk 22 has no function \"%.*s\"", TEXT_ARG(name));
    return !err && near ? audit_hint(a, "did you mean %s?", near) : err;
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
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${CALERID(num)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${IF($[${len(${Y})}>2]?1:2)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${TOUPPER(${CALLERID(num)})}${ODBC_MINE(1)})\n same => n,GotoIf($[\"${SIP_HEADER(a)}\"=\"\"]?1)\n", .is_bad = false },
};

const struct audit_rule audit_rule_unknown_function = {
    .code = "ST123",
    .name = "unknown-function",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan reads a function that Asterisk 22 does not have.",
    .why = "An unknown function reads as an empty text with an error in the log: conditions take the wrong branch without a "
           "sound. Names are upper case.",
    .fix = "Correct the name; \"core show functions\" lists those that are loaded.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
