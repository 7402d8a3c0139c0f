/* Rule ST412: an ARI user and a manager user have the same password. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings users;
    struct manager m;
    int err = manager_read(&m, a);

    if (!err)
        err = settings_read(&users, a->memory, a->files[AUDIT_ARI]);
    for (size_t i = 0; !err && i < users.count; i++) {
        const struct text password = settings_value(&users.groups[i], "password");

        for (size_t k = 0; !err && password.n && k < m.user_count; k++)
            if (text_eq(m.users[k].secret, password)) {
                err = audit_find(a, self, settings_place(&users.groups[i], "password"), "ARI user %.*s has the secret of manager user %.*s",
                                 TEXT_ARG(users.groups[i].name), TEXT_ARG(m.users[k].name));
                break;
            }
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = 9fA2kd83LzpQw71m\n;; file manager.conf\n"
              "[general]\nenabled = yes\n[b]\nsecret = 9fA2kd83LzpQw71m\n",
      .is_bad = true },
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = 9fA2kd83LzpQw71m\n;; file manager.conf\n"
              "[general]\nenabled = yes\n[b]\nsecret = 1fA2kd83LzpQw71m\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_ari_reused = {
    .code = "ST412",
    .name = "ari-reused-password",
    .severity = AUDIT_WARNING,
    .summary = "An ARI user has the same password as a manager user.",
    .why = "Who gets one has both: what is read at one door opens the other, and a rotation of one leaves the other as it "
           "was.",
    .fix = "Give each its own: openssl rand -base64 18",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
