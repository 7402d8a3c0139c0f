/* Rule ST903: a file is newer than the last reload. */
#include "audit/rules.h"

#include "audit/live.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf_section *changed = live_section(a, "changed");
    int err = 0;

    for (size_t i = 0; changed && !err && i < changed->count; i++)
        err = audit_find(a, self, changed->items[i].place, "%.*s was changed after Asterisk last read all of its files", TEXT_ARG(changed->items[i].value));
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[changed]\nfile = extensions.conf\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[changed]\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_changed = {
    .code = "ST903",
    .name = "live-file-newer",
    .severity = AUDIT_NOTE,
    .summary = "A file was changed after the last reload.",
    .why = "What runs may not be what the file says. A reload of one module alone (dialplan reload) is not among the times that Asterisk tells.",
    .fix = "asterisk -rx \"core reload\", at a quiet time",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
