/* Rule ST504: anybody may send audio into a call. */
#include "audit/rules.h"

#include "audit/settings.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings all;
    const struct settings_group *g;
    int err = settings_read(&all, a->memory, a->files[AUDIT_RTP]);

    if (err)
        return err;
    g = settings_find(&all, "general");
    if (!g || !(settings_item(g, "strictrtp") && text_eq_nocase(settings_value(g, "strictrtp"), TEXT("no"))))
        return 0;
    return audit_find(a, self, settings_place(g, "strictrtp"), "strictrtp is off");
}

static const struct audit_rule_example examples[] = {
    { .file = "rtp.conf", .text = "[general]\nstrictrtp = no\n", .is_bad = true },
    { .file = "rtp.conf", .text = "[general]\nrtpstart = 10000\n", .is_bad = false },
};

const struct audit_rule audit_rule_strict_rtp = {
    .code = "ST504",
    .name = "rtp-not-strict",
    .severity = AUDIT_WARNING,
    .summary = "Anybody may send audio into a call.",
    .why = "With strictrtp = no packets of another sender are taken as those of the caller.",
    .fix = "Write this into its section: strictrtp = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
