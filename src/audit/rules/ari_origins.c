/* Rule ST402: any web page may call ARI with a visitor's password. */
#include "audit/rules.h"

#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings all;
    const struct settings_group *g;
    int err = settings_read(&all, a->memory, a->files[AUDIT_ARI]);

    if (err)
        return err;
    g = settings_find(&all, "general");
    if (!g || !(settings_has_word(settings_value(g, "allowed_origins"), "*")))
        return 0;
    return audit_find(a, self, settings_place(g, "allowed_origins"), "allowed_origins lets every web page in");
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf", .text = "[general]\nallowed_origins = *\n", .is_bad = true },
    { .file = "ari.conf", .text = "[general]\nallowed_origins = https://a.example\n", .is_bad = false },
};

const struct audit_rule audit_rule_ari_origins = {
    .code = "ST402",
    .name = "ari-any-origin",
    .severity = AUDIT_ERROR,
    .summary = "Any web page may call ARI with a visitor's password.",
    .why = "allowed_origins = * lets scripts of every site read the answers.",
    .fix = "allowed_origins = https://your.own.site",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
