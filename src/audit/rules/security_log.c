/* Rule ST528: failed logins are written nowhere. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf *c = a->files[AUDIT_LOGGER];
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_LOGGER, "logfiles", &g);

    if (err || !g)
        return err;
    for (size_t i = 0; i < c->section_count; i++)
        for (size_t k = 0; k < c->sections[i].count; k++)
            if (text_find_text(c->sections[i].items[k].value, TEXT("security")) >= 0 || text_find(c->sections[i].items[k].value, '*') >= 0)
                return 0;
    return audit_find(a, self, g->sections[0]->place, "no log file has the level security");
}

static const struct audit_rule_example examples[] = {
    { .file = "logger.conf", .text = "[general]\n[logfiles]\nmessages => notice,warning,error\n", .is_bad = true },
    { .file = "logger.conf",
      .text = "[general]\n[logfiles]\nmessages => notice,warning,error\n"
              "security => security\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_security_log = {
    .code = "ST528",
    .name = "no-security-log",
    .severity = AUDIT_NOTE,
    .summary = "Failed logins are written to no file.",
    .why = "Wrong passwords of SIP, AMI and ARI and refused addresses are logged at level security only; fail2ban and "
           "people read it there.",
    .fix = "Write into [logfiles]: security => security",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
