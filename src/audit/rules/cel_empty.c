/* Rule ST524: channel event logging is on and logs nothing. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_CEL, "general", &g);

    if (err || !settings_is(g, "enable", false) || settings_value(g, "events").n)
        return err;
    return audit_find(a, self, settings_place(g, "enable"), "channel event logging is on, and events= names none");
}

static const struct audit_rule_example examples[] = {
    { .file = "cel.conf", .text = "[general]\nenable = yes\napps = dial\n", .is_bad = true },
    { .file = "cel.conf", .text = "[general]\nenable = yes\nevents = APP_START,CHAN_START\n", .is_bad = false },
};

const struct audit_rule audit_rule_cel_empty = {
    .code = "ST524",
    .name = "cel-without-events",
    .severity = AUDIT_WARNING,
    .summary = "Channel event logging is on and no event is named.",
    .why = "events has no default: nothing is written, and whoever counts on the log finds it empty (main/cel.c of "
           "22.10.1).",
    .fix = "Name them: events = ALL",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
