/* Rule ST302: AMI can be reached from other machines without TLS. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/reach.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    const int err = manager_read(&m, a);

    if (err || !m.is_enabled || reach_of(m.bind) == REACH_LOOPBACK || settings_is(m.general, "tlsenable", false) || manager_is_local(&m))
        return err;
    return audit_find(a, self, settings_place(m.general, "tlsenable"), "secrets and events cross the network in clear: tlsenable is not yes");
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 10.0.0.5\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 10.0.0.5\ntlsenable = yes\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n[a]\nsecret = x\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.0\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n[a]\nsecret = x\ndeny = 0.0.0.0/0\npermit = 127.0.0.1\npermit = 10.1.1.1/24\n", .is_bad = true },
};

const struct audit_rule audit_rule_manager_plain = {
    .code = "ST302",
    .name = "manager-plain-login",
    .severity = AUDIT_WARNING,
    .summary = "AMI can be reached from other machines without TLS.",
    .why = "Login sends the secret as it is, and every event tells numbers. tlsenable opens a second port (5039) and does not close the plain one.",
    .fix = "Set tlsenable = yes with tlscertfile, and bindaddr = 127.0.0.1 for the plain port.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
