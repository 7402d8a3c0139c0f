/* Rule ST305: A manager user may do what amounts to a shell on the server. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    static const char *const strong[] = { "system", "command", "config", "originate" };

    (void)m;
    for (size_t i = 0; u->secret.p && i < sizeof strong / sizeof *strong; i++)
        if (manager_has(u->write, strong[i]))
            return audit_find(a, self, manager_user_place(u, "write"), "manager user %.*s may use write class %s%s", TEXT_ARG(u->name), strong[i],
                              text_eq(u->write, TEXT("all")) ? " (write = all)" : "");
    return 0;
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = all\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = call,originate\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = call,agi\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_power = {
    .code = "ST305",
    .name = "manager-power-write",
    .severity = AUDIT_WARNING,
    .summary = "A manager user may do what amounts to a shell on the server.",
    .why = "write with system, command or all reaches System() and the dialplan; config rewrites the configuration; originate enters any context (main/manager.c of 22.10.1).",
    .fix = "Name only the classes that the program needs: write = call",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
