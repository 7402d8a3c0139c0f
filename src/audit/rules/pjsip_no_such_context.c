/* Rule ST517: calls of an endpoint enter a context that does not exist. */
#include "audit/rules.h"

#include "audit/rules/each.h"
#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    const struct text context = section_value(s, "context");
    int err;

    if (!context.n || !rule_lacks_context(a, context))
        return 0;
    err = audit_find(a, self, section_place(s, "context"), "calls of endpoint %.*s enter context \"%.*s\", which does not exist", TEXT_ARG(s->name),
                     TEXT_ARG(context));
    return err ? err : rule_hint_hole(a);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "endpoint", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf",
      .text = "[100]\ntype = endpoint\ncontext = phones\n;; file extensions.conf\n"
              "[phone]\nexten => 1,1,Hangup()\n",
      .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[100]\ntype = endpoint\ncontext = phones\n;; file extensions.conf\n"
              "[phones]\nexten => 1,1,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_no_such_context = {
    .code = "ST517",
    .name = "context-missing",
    .severity = AUDIT_ERROR,
    .summary = "A SIP endpoint names a context that the dialplan does not have.",
    .why = "Names of contexts are compared with their case; every call of the endpoint is refused with 404 Not Found.",
    .fix = "Correct the name: context = phones",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
