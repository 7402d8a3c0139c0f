/* Rule ST503: asterisk runs as root. */
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
    if (!g || !(text_eq(settings_value(g, "runuser"), TEXT("root"))))
        return 0;
    return audit_find(a, self, settings_place(g, "runuser"), "runuser is root");
}

static const struct audit_rule_example examples[] = {
    { .file = "asterisk.conf", .text = "[options]\nrunuser = root\n", .is_bad = true },
    { .file = "asterisk.conf", .text = "[options]\nrunuser = asterisk\n", .is_bad = false },
};

const struct audit_rule audit_rule_run_root = {
    .code = "ST503",
    .name = "runs-as-root",
    .severity = AUDIT_ERROR,
    .summary = "Asterisk runs as root.",
    .why = "Whatever a call or a script makes it do, it does as root.",
    .fix = "runuser = asterisk and rungroup = asterisk",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
