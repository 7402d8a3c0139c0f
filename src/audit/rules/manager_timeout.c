/* Rule ST308: A manager user that reads events is disconnected after a stall of 100 ms. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    int64_t ms = 100;
    const struct conf_item *item = manager_user_item(u, "writetimeout");

    (void)m;
    if (!u->secret.p || u->read.n == 0 || text_eq_nocase(u->read, TEXT("none")) || (item && text_to_i64(item->value, &ms)) || ms >= 1000)
        return 0;
    return audit_find(a, self, manager_user_place(u, "writetimeout"), "manager user %.*s is disconnected when a write stalls for 0.1 to 1 s", TEXT_ARG(u->name));
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call\nwritetimeout = 5000\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nwrite = call\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_timeout = {
    .code = "ST308",
    .name = "manager-writetimeout",
    .severity = AUDIT_WARNING,
    .summary = "A manager user that reads events is disconnected after a stall of 100 ms.",
    .why = "writetimeout is 100 ms when it is not set; a write that cannot go on for so long ends the session, and nothing is sent again (main/manager.c of 22.10.1).",
    .fix = "Write this into its section: writetimeout = 5000",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
