/* Rule ST310: users.conf gives a phone every right of a manager. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    (void)m;
    if (!u->phone || !u->secret.p)
        return 0;
    return audit_find(a, self, u->phone->sections[0]->place, "users.conf makes %.*s a manager, %s", TEXT_ARG(u->name),
                      manager_has(u->write, "system") ? "with every right" : "with the phone's secret");
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);

    for (size_t i = 0; !err && m.is_enabled && i < m.user_count; i++)
        err = check_user(a, self, &m, &m.users[i]);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "users.conf", .text = "[6000]\nsecret = x\nhasmanager = yes\n;; file manager.conf\n[general]\nenabled = yes\nbindaddr = 127.0.0.1\n", .is_bad = true },
    { .file = "users.conf", .text = "[6000]\nsecret = x\nhasmanager = no\n;; file manager.conf\n[general]\nenabled = yes\nbindaddr = 127.0.0.1\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_phone = {
    .code = "ST310",
    .name = "manager-from-users-conf",
    .severity = AUDIT_ERROR,
    .summary = "users.conf gives a phone every right of a manager.",
    .why = "hasmanager = yes makes an AMI user with the secret of the phone; where read or write is left out, it has all of them (__init_manager of main/manager.c, 22.10.1).",
    .fix = "Write this into its section: hasmanager = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
