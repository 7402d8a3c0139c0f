/* Rule ST906: a user of the manager stands in a file, but is not loaded. */
#include "audit/rules.h"

#include "audit/live_users.h"
#include "audit/manager_users.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct live_user *users;
    struct manager m;
    size_t count;
    int err = live_users_read(&users, &count, a);

    if (err || !users)
        return err;
    err = manager_read(&m, a);
    for (size_t i = 0; !err && i < m.user_count; i++) {
        const struct manager_user *u = &m.users[i];

        if (live_is_plain(u->name) && !live_user_of(users, count, u->name))
            err = audit_find(a, self, u->place, "user %.*s is in the file, but the running manager does not have it", TEXT_ARG(u->name));
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n[b]\nsecret = y\n;; file sidetone-live.conf\n[users]\nuser = a\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n;; file sidetone-live.conf\n[users]\nuser = a\nuser = b\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n;; file sidetone-live.conf\n[modules]\nmodule = x\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_user_missing = {
    .code = "ST906",
    .name = "live-user-not-loaded",
    .severity = AUDIT_WARNING,
    .summary = "A user of the manager stands in a file, but is not loaded.",
    .why = "The file was changed and not read again, or Asterisk threw the user away because of a deny, permit or acl line that it cannot read: this user cannot log in.",
    .fix = "asterisk -rx \"manager reload\", and look into Asterisk's log",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
