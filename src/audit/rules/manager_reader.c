/* Rule ST311: A manager user without any write class can still end calls. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    (void)m;
    if (!u->secret.p || u->write.n || u->read.n == 0)
        return 0;
    return audit_find(a, self, u->place, "manager user %.*s only reads, and can still end bridges and reload queues", TEXT_ARG(u->name));
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call\nwrite =\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = call\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_reader = {
    .code = "ST311",
    .name = "manager-reader-can-act",
    .severity = AUDIT_NOTE,
    .summary = "A manager user without any write class can still end calls.",
    .why = "BridgeDestroy, BridgeKick, QueueReload and others need no class: a user with an empty write= destroyed a call on 22.10.1.",
    .fix = "Let only 127.0.0.1 or the reader's own address in, and keep its secret as that of a user who may act.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
