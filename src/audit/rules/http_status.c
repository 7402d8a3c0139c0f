/* Rule ST406: the HTTP server tells about itself. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http;
    int err = rule_http(a, &http);

    if (err || !http.is_enabled || !settings_is(http.general, "enable_status", false))
        return err;
    err = audit_find(a, self, settings_place(http.general, "enable_status"), "/httpstatus shows addresses, ports and cookies without a password");
    if (!err && http.reach != REACH_LOOPBACK)
        audit_weigh(a, AUDIT_WARNING);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\nenable_status = yes\n", .is_bad = true },
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n", .is_bad = false },
};

const struct audit_rule audit_rule_http_status = {
    .code = "ST406",
    .name = "http-status-page",
    .severity = AUDIT_NOTE,
    .summary = "The HTTP server shows its status page to everybody.",
    .why = "enable_status = yes serves /httpstatus without a password: bound addresses, prefix, the cookies and variables "
           "of the request; it was switched off by default in 22.8.2 (GHSA-v6hp-wh3r-cwxh).",
    .fix = "Leave it out: enable_status = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
