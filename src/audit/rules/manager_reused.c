/* Rule ST304: two manager users have the same secret. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    for (const struct manager_user *o = m->users; u->secret.n && o < u; o++)
        if (text_eq(o->secret, u->secret))
            return audit_find(a, self, manager_user_place(u, "secret"), "manager user %.*s has the same secret as %.*s", TEXT_ARG(u->name),
                              TEXT_ARG(o->name));
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = 9fA2kd83LzpQw71m\n[b]\nsecret = 9fA2kd83LzpQw71m\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = 9fA2kd83LzpQw71m\n[b]\nsecret = xfA2kd83LzpQw71m\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_reused = {
    .code = "ST304",
    .name = "manager-reused-secret",
    .severity = AUDIT_WARNING,
    .summary = "Two manager users have the same secret.",
    .why = "Who learns one of them is the other as well, and neither can be changed alone.",
    .fix = "Give each user a secret of its own.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
