/* Rule ST312: AMI is open to web clients. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http = { 0 };
    struct manager m;
    int err = manager_read(&m, a);

    if (!err)
        err = rule_http(a, &http);
    if (err || !m.is_enabled || !settings_is(m.general, "webenabled", false) || !http.is_enabled)
        return err;
    err = audit_find(a, self, settings_place(m.general, "webenabled"), "AMI is served over HTTP, on %.*s: /rawman, /manager, /mxml",
                     TEXT_ARG(settings_value(http.general, "bindaddr")));
    if (!err && http.reach == REACH_LOOPBACK)
        audit_weigh(a, AUDIT_NOTE);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nwebenabled = yes\n"
              ";; file http.conf\n[general]\nenabled = yes\nbindaddr = 0.0.0.0\n",
      .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nwebenabled = yes\n;; file http.conf\n[general]\n"
              "enabled = no\nbindaddr = 0.0.0.0\n",
      .is_bad = false },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n;; file http.conf\n[general]\nenabled = yes\n"
              "bindaddr = 0.0.0.0\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_manager_web = {
    .code = "ST312",
    .name = "manager-over-http",
    .severity = AUDIT_WARNING,
    .summary = "AMI can be used over Asterisk's HTTP server.",
    .why = "webenabled = yes adds /rawman, /manager and /mxml to the HTTP server: whoever reaches that port may try manager "
           "secrets, whatever bindaddr of manager.conf says; a cookie stands for the session (main/manager.c of 22.10.1).",
    .fix = "Write webenabled = no, or keep http.conf on 127.0.0.1.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
