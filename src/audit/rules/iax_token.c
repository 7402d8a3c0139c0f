/* Rule ST518: IAX calls are taken without a token. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    static const char *const keys[] = { "requirecalltoken", "calltokenoptional" };
    int err = 0;

    for (size_t i = 0; !err && i < 2; i++) {
        const struct text value = section_value(s, keys[i]);

        if (value.n && (i == 1 || text_eq_nocase(value, TEXT("no"))))
            err = audit_find(a, self, section_place(s, keys[i]), "%.*s takes IAX calls without a call token", TEXT_ARG(s->name));
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_IAX, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "iax.conf", .text = "[general]\ncalltokenoptional = 0.0.0.0/0.0.0.0\n", .is_bad = true },
    { .file = "iax.conf", .text = "[peer]\ntype = friend\nrequirecalltoken = no\n", .is_bad = true },
    { .file = "iax.conf", .text = "[peer]\ntype = friend\nrequirecalltoken = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_iax_token = {
    .code = "ST518",
    .name = "iax-no-calltoken",
    .severity = AUDIT_WARNING,
    .summary = "IAX calls are taken without a call token.",
    .why = "Without tokens one machine with false sender addresses uses up all call numbers, and no further IAX call can be "
           "made (AST-2009-006).",
    .fix = "Leave both out: requirecalltoken = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
