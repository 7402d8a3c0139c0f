/* Rule ST303: A manager user has a secret that is guessed. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/secrets.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    bool is_known;
    const char *why = u->secret.p ? secret_weakness(u->secret, u->name, &is_known) : NULL;
    int err;

    (void)m;
    if (!why)
        return 0;
    err = audit_find(a, self, manager_user_place(u, "secret"), "the secret of manager user %.*s %s", TEXT_ARG(u->name), why);
    if (!err && is_known)
        audit_weigh(a, AUDIT_ERROR);
    return err;
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[tap]\nsecret = mysecret\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[tap]\nsecret = k3Jd9\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[tap]\nsecret = 9fA2kd83LzpQw71m\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_secret = {
    .code = "ST303",
    .name = "manager-weak-secret",
    .severity = AUDIT_WARNING,
    .summary = "A manager user has a secret that is guessed.",
    .why = "AMI tells a wrong login after one second and does not lock the user: short and well-known secrets are found.",
    .fix = "Make one with: openssl rand -base64 24",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
