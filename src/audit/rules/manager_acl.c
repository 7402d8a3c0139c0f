/* Rule ST306: A manager user can log in from any address. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/reach.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    struct reach_lists lists;

    if (!u->secret.p || reach_of(m->bind) == REACH_LOOPBACK)
        return 0;
    reach_lists_read(&lists, u->own);
    if (lists.lets_all4)
        return audit_find(a, self, u->place, "manager user %.*s can log in from any address", TEXT_ARG(u->name));
    if (lists.lets_all6 && reach_has_ipv6(m->bind))
        return audit_find(a, self, u->place, "manager user %.*s can log in from any IPv6 address: deny = ::/0 is missing", TEXT_ARG(u->name));
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\ndeny = 0.0.0.0/0.0.0.0\npermit = 10.0.0.5/32\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\ndeny = 0.0.0.0/0\ndeny = ::/0\npermit = 10.0.0.5/32\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 10.0.0.1\n[a]\nsecret = x\ndeny = 0.0.0.0/0\npermit = 10.0.0.5/32\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_acl = {
    .code = "ST306",
    .name = "manager-no-acl",
    .severity = AUDIT_WARNING,
    .summary = "A manager user can log in from any address.",
    .why = "Without deny and permit every address may try. An IPv4 deny says nothing about IPv6: that needs a deny of its own.",
    .fix = "deny = 0.0.0.0/0.0.0.0, then deny = ::/0, then permit = 127.0.0.1/32",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
