/* Rule ST405: an ARI password stands in the file as it is. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    if (!section_value(s, "password").n || text_eq_nocase(section_value(s, "password_format"), TEXT("crypt")))
        return 0;
    return audit_find(a, self, section_place(s, "password"), "the password of ARI user %.*s stands in the file as it is", TEXT_ARG(s->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_ARI, "user", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf", .text = "[a]\ntype = user\npassword = 9fA2kd83LzpQw71m\n", .is_bad = true },
    { .file = "ari.conf", .text = "[a]\ntype = user\npassword = $6$abc\npassword_format = crypt\n", .is_bad = false },
};

const struct audit_rule audit_rule_ari_plain = {
    .code = "ST405",
    .name = "ari-plain-password",
    .severity = AUDIT_NOTE,
    .summary = "The password of an ARI user stands in the file as it is.",
    .why = "ari.conf goes into backups and repositories; ARI can check a hash instead (password_format = crypt, "
           "res/ari/config.c of 22.10.1), so that reading the file does not open the door.",
    .fix = "Print the hash in Asterisk's console: ari mkpasswd PASSWORD; then password_format = crypt",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
