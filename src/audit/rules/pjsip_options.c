/* Rule ST513: an endpoint answers OPTIONS without a password. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    if (!settings_is_true(section_value(s, "allow_unauthenticated_options")) || rule_told(a, self, section_place(s, "allow_unauthenticated_options")))
        return 0;
    return audit_find(a, self, section_place(s, "allow_unauthenticated_options"), "endpoint %.*s answers OPTIONS of anybody", TEXT_ARG(s->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "endpoint", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf",
      .text = "[100]\ntype = endpoint\ncontext = a\nauth = 100\n"
              "allow_unauthenticated_options = yes\n",
      .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\ncontext = a\nauth = 100\n", .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_options = {
    .code = "ST513",
    .name = "sip-open-options",
    .severity = AUDIT_NOTE,
    .summary = "A SIP endpoint answers OPTIONS without a password.",
    .why = "A scanner that sends OPTIONS to one name after the other sees which exist, and then tries passwords on those "
           "only.",
    .fix = "Leave it out: allow_unauthenticated_options = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
