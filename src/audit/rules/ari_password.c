/* Rule ST403: an ARI user has a password that is guessed. */
#include "audit/rules.h"

#include "audit/secrets.h"
#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings all;
    int err = settings_read(&all, a->memory, a->files[AUDIT_ARI]);

    for (size_t i = 0; !err && i < all.count; i++) {
        const struct settings_group *g = &all.groups[i];
        const struct conf_item *item = settings_item(g, "password");
        bool is_known = false;
        const char *why = item ? secret_weakness(item->value, g->name, &is_known) : NULL;

        if (!why || !text_eq_nocase(settings_value(g, "type"), TEXT("user")) || text_eq_nocase(settings_value(g, "password_format"), TEXT("crypt")))
            continue;
        err = audit_find(a, self, item->place, "the password of ARI user %.*s %s", TEXT_ARG(g->name), why);
        if (!err && is_known)
            audit_weigh(a, AUDIT_ERROR);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf", .text = "[a]\ntype = user\npassword = asterisk\n", .is_bad = true },
    { .file = "ari.conf", .text = "[a]\ntype = user\npassword = 9fA2kd83LzpQw71m\n", .is_bad = false },
    { .file = "ari.conf", .text = "[a]\ntype = user\npassword = $6$abc\npassword_format = crypt\n", .is_bad = false },
};

const struct audit_rule audit_rule_ari_password = {
    .code = "ST403",
    .name = "ari-weak-password",
    .severity = AUDIT_WARNING,
    .summary = "An ARI user has a password that is guessed.",
    .why = "ARI does not lock a user after wrong passwords; a user who is not read_only controls every call.",
    .fix = "Make one with openssl rand -base64 24, and store it with password_format = crypt (ari mkpasswd).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
