/* Rule ST506: several machines would make the same call ids. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

/* A file of realtime or a switch to other machines: this one is not alone. */
static const struct conf_item *sign_of_others(const struct audit *a)
{
    const struct conf *c = a->files[AUDIT_EXTCONFIG];

    for (size_t i = 0; c && i < c->section_count; i++)
        if (text_eq_nocase(c->sections[i].name, TEXT("settings")) && c->sections[i].count)
            return &c->sections[i].items[0];
    return NULL;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const struct conf_item *sign = sign_of_others(a);
    const int err = rule_group(a, AUDIT_ASTERISK, "options", &g);

    if (err || !sign || settings_value(g, "systemname").n || settings_is(g, "autosystemname", false))
        return err;
    return audit_find(a, self, sign->place, "configuration is shared with other machines, and asterisk.conf gives this one no systemname");
}

static const struct audit_rule_example examples[] = {
    { .file = "extconfig.conf",
      .text = "[settings]\nqueues => odbc,asterisk\n;; file asterisk.conf\n[options]\n",
      .is_bad = true },
    { .file = "extconfig.conf",
      .text = "[settings]\nqueues => odbc,asterisk\n;; file asterisk.conf\n[options]\n"
              "systemname = pbx1\n",
      .is_bad = false },
    { .file = "extconfig.conf", .text = "[settings]\n", .is_bad = false },
};

const struct audit_rule audit_rule_system_name = {
    .code = "ST506",
    .name = "no-system-name",
    .severity = AUDIT_NOTE,
    .summary = "A machine among others has no name of its own.",
    .why = "Unique ids are a time and a counter; without systemname those of two machines are alike, and call records, "
           "recordings and events of two calls become one.",
    .fix = "Write into [options] of asterisk.conf: systemname = pbx1",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
