/* Rule ST301: AMI listens on an address that others can reach. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/reach.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);
    enum reach reach;

    if (err || !m.is_enabled)
        return err;
    reach = reach_of(m.bind);
    if (reach == REACH_LOOPBACK)
        return 0;
    err = m.bind.p ? audit_find(a, self, settings_place(m.general, "bindaddr"), "AMI listens on %.*s, which others can reach", TEXT_ARG(m.bind))
                   : audit_find(a, self, settings_place(m.general, "bindaddr"), "AMI listens on every address, IPv6 too: bindaddr is not set");
    if (!err && reach == REACH_PRIVATE) {
        audit_weigh(a, AUDIT_NOTE);
    } else if (!err && manager_is_local(&m)) {
        audit_weigh(a, AUDIT_WARNING);
        err = audit_hint(a, "each user is let in from this machine only; let the port be so, too: bindaddr = 127.0.0.1");
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = no\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_address = {
    .code = "ST301",
    .name = "manager-open-address",
    .severity = AUDIT_ERROR,
    .summary = "AMI listens on an address that others can reach.",
    .why = "Without bindaddr Asterisk binds to [::], which is every address, IPv4 and IPv6 (main/manager.c of 22.10.1). Whoever reaches the port may try passwords.",
    .fix = "Write this into its section: bindaddr = 127.0.0.1",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
