/* Rule ST315: the secret of a manager user is old. */
#include "audit/rules.h"

#include "audit/ages.h"
#include "audit/manager_users.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = age_limit(a) ? manager_read(&m, a) : 0;

    if (err || !age_limit(a) || !m.is_enabled)
        return err;
    for (size_t i = 0; !err && i < m.user_count; i++)
        if (m.users[i].secret.n)
            err = age_find(a, self, "ami", "manager user", m.users[i].name, manager_user_place(&m.users[i], "secret"));
    return err;
}

#define USER "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = 9fA2kd83LzpQw71m\n;; file sidetone-ages.conf\n[limit]\ndays = 365\n"

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = USER "[files]\nfile = manager.conf\ndays = 366\n", .is_bad = true },
    { .file = "manager.conf", .text = USER "[files]\nfile = manager.conf\ndays = 2\n[exchanged]\ndoor = ami\nuser = a\ndays = 400\n", .is_bad = true },
    { .file = "manager.conf", .text = USER "[files]\nfile = manager.conf\ndays = 365\n", .is_bad = false },
    { .file = "manager.conf", .text = USER "[files]\nfile = manager.conf\ndays = 700\n[exchanged]\ndoor = ami\nuser = a\ndays = 30\n", .is_bad = false },
    { .file = "manager.conf", .text = USER "[files]\nfile = other.conf\ndays = 700\n[exchanged]\ndoor = ari\nuser = a\ndays = 400\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = 9fA2kd83LzpQw71m\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_age = {
    .code = "ST315",
    .name = "manager-old-secret",
    .severity = AUDIT_NOTE,
    .summary = "The secret of a manager user has not been exchanged for a long time.",
    .why = "Who has had it once, in a backup, an old script, a former colleague's notes, has it still. Known is the least age: what `sidetone rotate` has recorded, else "
           "how long the file has not been changed; a file that was changed lately says nothing about the secrets in it.",
    .fix = "sidetone rotate NODE exchanges one that we use without a session lost; for others write a new one: openssl rand -base64 18. --secret-age DAYS moves the limit "
           "(365), 0 turns it off",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
