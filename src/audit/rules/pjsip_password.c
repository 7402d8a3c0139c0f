/* Rule ST515: a SIP password is guessed. */
#include "audit/rules.h"

#include "audit/secrets.h"
#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    bool is_known = false;
    const struct text type = section_value(s, "auth_type"), password = section_value(s, "password");
    const char *why = password.p ? secret_weakness(password, section_value(s, "username"), &is_known) : NULL;
    int err;

    if (!why && password.p && text_eq_nocase(password, s->name)) {
        why = "is the name of its section";
        is_known = true;
    }
    if (!why || (type.n && !text_eq_nocase(type, TEXT("userpass"))) || rule_told(a, self, section_place(s, "password")))
        return 0;
    err = audit_find(a, self, section_place(s, "password"), "the SIP password of %.*s %s", TEXT_ARG(s->name), why);
    if (!err && is_known)
        audit_weigh(a, AUDIT_ERROR);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "auth", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf",
      .text = "[100]\ntype = auth\nauth_type = userpass\nusername = 100\npassword = 100\n",
      .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = auth\nusername = 100\npassword = Tr0ub4d\n", .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[100]\ntype = auth\nauth_type = userpass\nusername = 100\n"
              "password = q8ZtW3mVx7KpL2rN\n[200]\ntype = auth\nauth_type = md5\n"
              "md5_cred = 0123\npassword = x\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_password = {
    .code = "ST515",
    .name = "sip-weak-password",
    .severity = AUDIT_WARNING,
    .summary = "A SIP password is one that is guessed.",
    .why = "Scanners try the number itself and short words on every account all day; one hit, and they call premium numbers "
           "in its name.",
    .fix = "Make one a phone cannot be typed into: openssl rand -base64 18",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
