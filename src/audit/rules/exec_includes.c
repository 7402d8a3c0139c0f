/* Rule ST502: configuration files may run commands. */
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
    if (!g || !(settings_is(g, "execincludes", false)))
        return 0;
    return audit_find(a, self, settings_place(g, "execincludes"), "execincludes is on: each #exec runs a command");
}

static const struct audit_rule_example examples[] = {
    { .file = "asterisk.conf", .text = "[options]\nexecincludes = yes\n", .is_bad = true },
    { .file = "asterisk.conf", .text = "[options]\nverbose = 3\n", .is_bad = false },
};

const struct audit_rule audit_rule_exec_includes = {
    .code = "ST502",
    .name = "exec-includes",
    .severity = AUDIT_WARNING,
    .summary = "Configuration files may run commands.",
    .why = "execincludes lets a line #exec of any file run a shell command as Asterisk's user when it is read.",
    .fix = "Write this into its section: execincludes = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
