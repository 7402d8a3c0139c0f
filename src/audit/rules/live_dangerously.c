/* Rule ST501: AMI and ARI reach the functions that run commands and read files. */
#include "audit/rules.h"

#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings all;
    const struct settings_group *g;
    int err = settings_read(&all, a->memory, a->files[AUDIT_ASTERISK]);

    if (err)
        return err;
    g = settings_find(&all, "options");
    if (!g || !(settings_is(g, "live_dangerously", false)))
        return 0;
    return audit_find(a, self, settings_place(g, "live_dangerously"), "live_dangerously is on");
}

static const struct audit_rule_example examples[] = {
    { .file = "asterisk.conf", .text = "[options]\nlive_dangerously = yes\n", .is_bad = true },
    { .file = "asterisk.conf", .text = "[options]\nlive_dangerously = no\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_dangerously = {
    .code = "ST501",
    .name = "live-dangerously",
    .severity = AUDIT_ERROR,
    .summary = "AMI and ARI reach the functions that run commands and read files.",
    .why = "With live_dangerously a variable read over AMI or ARI may be SHELL(), FILE() and the like.",
    .fix = "Write this into its section: live_dangerously = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
