/* Rule ST530: a section of pjsip.conf that Asterisk does not make, for one word in it. */
#include "audit/rules.h"

#include "audit/known_sip.h"
#include "audit/rules/sections.h"

static int tell(struct audit *a, const struct audit_rule *self, const struct conf_section *s, struct text type, const struct conf_item *item)
{
    const char *like = known_sip_like(type, item->name);
    int err;

    if (rule_told(a, self, item->place))
        return 0;
    err = audit_find(a, self, item->place, "%.*s is no setting of type %.*s: Asterisk does not make [%.*s]", TEXT_ARG(item->name), TEXT_ARG(type), TEXT_ARG(s->name));
    return err || !like ? err : audit_hint(a, "did you mean %s?", like);
}

/* [global] and [system] are known by their names (sorcery_is_explicit_name_met of res/res_sorcery_config.c). */
static struct text type_of(const struct conf_section *s)
{
    const struct text type = section_value(s, "type");

    return !type.n && (text_eq(s->name, TEXT("global")) || text_eq(s->name, TEXT("system"))) ? s->name : type;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    const struct text type = type_of(s);
    int err = 0;

    if (!s->count)
        return 0;
    if (!type.n)
        return audit_find(a, self, s->place, "[%.*s] has no type=: Asterisk passes over it", TEXT_ARG(s->name));
    if (!known_sip_type(type))
        return audit_find(a, self, section_place(s, "type"), "there is no type \"%.*s\": Asterisk passes over [%.*s]", TEXT_ARG(type), TEXT_ARG(s->name));
    for (size_t i = 0; !err && i < s->count; i++)
        if (!known_sip_setting(type, s->items[i].name))
            err = tell(a, self, s, type, &s->items[i]);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\ncontxt = phones\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpont\ncontext = phones\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ncontext = phones\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[global]\nuser_agent = x\n[system]\ntimer_t1 = 500\n", .is_bad = false },
    { .file = "pjsip.conf",
      .text = "[phone](!)\ntype = endpoint\nAllow = alaw\n[100](phone)\ncontext = phones\n@room = 7\n[100]\ntype = aor\nmax_contacts = 1\n"
              "[100]\ntype = phoneprov\nLABEL = x\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_setting = {
    .code = "ST530",
    .name = "sip-setting-unknown",
    .severity = AUDIT_ERROR,
    .summary = "A section of pjsip.conf has a setting or a type that does not exist.",
    .why = "One unknown setting, and Asterisk says \"Could not create an object\" and goes on without the endpoint, the trunk or the transport (main/sorcery.c, seen on "
           "22.10.1); a section without a type, or of an unknown one, is passed over without a word.",
    .fix = "Correct the word; pjsip.conf.sample and `config show help res_pjsip endpoint` list them.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
