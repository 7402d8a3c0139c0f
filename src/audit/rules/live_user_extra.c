/* Rule ST905: the running manager has a user that no file has. */
#include "audit/rules.h"

#include "audit/live_users.h"
#include "audit/manager_users.h"

static bool has_user(const struct manager *m, struct text name)
{
    for (size_t i = 0; i < m->user_count; i++)
        if (text_eq_nocase(m->users[i].name, name))
            return true;
    return false;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct live_user *users;
    struct manager m;
    size_t count;
    int err = live_users_read(&users, &count, a);

    if (err || !users || !a->files[AUDIT_MANAGER] || live_is_unsure(a, AUDIT_MANAGER) || live_is_unsure(a, AUDIT_USERS))
        return err;
    err = manager_read(&m, a);
    for (size_t i = 0; !err && i < count; i++)
        if (!has_user(&m, users[i].name))
            err = audit_find(a, self, users[i].place, "user %.*s can log in at the running manager%s, but no file has that user", TEXT_ARG(users[i].name),
                             users[i].is_told && manager_has(users[i].write, "command") ? " and send commands" : "");
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n;; file sidetone-live.conf\n[users]\nuser = a\nuser = b\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n;; file sidetone-live.conf\n[users]\nuser = A\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n", .is_bad = false },
    { .file = "manager.conf", .text = "#exec make-users\n[general]\nenabled = yes\n;; file sidetone-live.conf\n[users]\nuser = b\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_user_extra = {
    .code = "ST905",
    .name = "live-user-in-no-file",
    .severity = AUDIT_ERROR,
    .summary = "The running manager lets a user in that no file has.",
    .why = "The user was taken out of the file and the manager was not reloaded, or the files are not those that Asterisk reads. Who has the old secret is still let in.",
    .fix = "asterisk -rx \"manager reload\"; sessions that are open stay: \"manager show connected\", \"manager kick session\"",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
