/* Rule ST505: callers without an account are let in. */
#include "audit/rules.h"

#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf *c = a->files[AUDIT_PJSIP];
    int err = 0;

    for (size_t i = 0; !err && c && i < c->section_count; i++) {
        const struct conf_section *s = &c->sections[i];
        const struct settings_group one = { .name = s->name, .sections = (const struct conf_section *[]){ s }, .count = 1 };
        struct text context = settings_value(&one, "context");

        if (s->is_template || !text_eq_nocase(s->name, TEXT("anonymous")) || !text_eq_nocase(settings_value(&one, "type"), TEXT("endpoint")))
            continue;
        if (context.n == 0)
            context = TEXT("default");
        err = audit_find(a, self, s->place, "anonymous callers enter context %.*s", TEXT_ARG(context));
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[anonymous]\ntype = endpoint\ncontext = default\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[alice]\ntype = endpoint\ncontext = inside\n", .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_anonymous = {
    .code = "ST505",
    .name = "sip-anonymous",
    .severity = AUDIT_WARNING,
    .summary = "Callers without an account are let in.",
    .why = "An endpoint named anonymous takes every call that no other endpoint matches, into its context; scanners find it within hours.",
    .fix = "Remove it, or give it a context that reaches no trunk.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
