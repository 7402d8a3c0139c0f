/* Rule ST516: an endpoint whose calls go to the context default. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    if (section_value(s, "context").n)
        return 0;
    return audit_find(a, self, s->place, "calls of endpoint %.*s enter the context default", TEXT_ARG(s->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "endpoint", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\nauth = 100\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\nauth = 100\ncontext = phones\n", .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_context = {
    .code = "ST516",
    .name = "sip-no-context",
    .severity = AUDIT_WARNING,
    .summary = "A SIP endpoint has no context.",
    .why = "Its calls enter \"default\" (res/res_pjsip/pjsip_configuration.c of 22.10.1), the context that strangers get, "
           "too; what is opened there for one is open for all.",
    .fix = "Name it: context = phones",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
