/* Rule ST507: consoles that connect leave no trace. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_ASTERISK, "options", &g);

    if (err || !settings_is(g, "hideconnect", false))
        return err;
    return audit_find(a, self, settings_place(g, "hideconnect"), "consoles that connect and leave are not told");
}

static const struct audit_rule_example examples[] = {
    { .file = "asterisk.conf", .text = "[options]\nhideconnect = yes\n", .is_bad = true },
    { .file = "asterisk.conf", .text = "[options]\nhideconnect = no\n", .is_bad = false },
};

const struct audit_rule audit_rule_hidden_consoles = {
    .code = "ST507",
    .name = "hidden-consoles",
    .severity = AUDIT_NOTE,
    .summary = "Remote consoles that connect are not told.",
    .why = "hideconnect = yes keeps \"Remote UNIX connection\" out of the log: commands are run, and nobody sees by whom.",
    .fix = "Leave it out: hideconnect = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
