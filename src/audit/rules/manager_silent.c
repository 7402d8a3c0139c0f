/* Rule ST313: logins at AMI leave no line in the log. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);

    if (err || !m.is_enabled)
        return err;
    if (!settings_is(m.general, "displayconnects", true))
        return audit_find(a, self, settings_place(m.general, "displayconnects"), "logins of every manager user are kept out of the log");
    for (size_t i = 0; !err && i < m.user_count; i++)
        if (!settings_is(m.users[i].own, "displayconnects", true))
            err = audit_find(a, self, settings_place(m.users[i].own, "displayconnects"), "logins of manager user %.*s are kept out of the log",
                             TEXT_ARG(m.users[i].name));
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\ndisplayconnects = no\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\ndisplayconnects = no\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_silent = {
    .code = "ST313",
    .name = "manager-silent-logins",
    .severity = AUDIT_NOTE,
    .summary = "Logins of manager users are kept out of the log.",
    .why = "With displayconnects = no nobody sees who came and from where; it is off for a program that logs in every "
           "minute, and hides the stranger beside it.",
    .fix = "Leave it out, and let the program stay connected: displayconnects = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
