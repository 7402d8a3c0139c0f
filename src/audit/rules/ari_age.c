/* Rule ST413: the password of an ARI user is old. */
#include "audit/rules.h"

#include "audit/ages.h"
#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings users;
    int err = age_limit(a) ? settings_read(&users, a->memory, a->files[AUDIT_ARI]) : 0;

    if (err || !age_limit(a))
        return err;
    for (size_t i = 0; !err && i < users.count; i++)
        if (settings_value(&users.groups[i], "password").n)
            err = age_find(a, self, "ari", "ARI user", users.groups[i].name, settings_place(&users.groups[i], "password"));
    return err;
}

#define USER "[a]\ntype = user\nread_only = yes\npassword = 9fA2kd83LzpQw71m\n;; file sidetone-ages.conf\n[limit]\ndays = 90\n"

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf", .text = USER "[files]\nfile = /etc/asterisk/ari.conf\ndays = 91\n", .is_bad = true },
    { .file = "ari.conf", .text = USER "[files]\nfile = ari.conf\ndays = 2\n[exchanged]\ndoor = ari\nuser = a\ndays = 91\n", .is_bad = true },
    { .file = "ari.conf", .text = USER "[files]\nfile = ari.conf\ndays = 91\n[exchanged]\ndoor = ari\nuser = a\ndays = 91\ndoor = ari\nuser = a\ndays = 9\n", .is_bad = false },
    { .file = "ari.conf", .text = USER, .is_bad = false },
};

const struct audit_rule audit_rule_ari_age = {
    .code = "ST413",
    .name = "ari-old-password",
    .severity = AUDIT_NOTE,
    .summary = "The password of an ARI user has not been exchanged for a long time.",
    .why = "Who has had it once, in a backup, an old script, a former colleague's notes, has it still. Known is the least age: what `sidetone rotate` has recorded, else "
           "how long the file has not been changed; a file that was changed lately says nothing about the passwords in it.",
    .fix = "sidetone rotate NODE --ari exchanges the one that we use without a session lost; for others write a new one: openssl rand -base64 18. --secret-age DAYS moves "
           "the limit (365), 0 turns it off",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
