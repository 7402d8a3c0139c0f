/* Rule ST407: the HTTP server hands out files. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http;
    const int err = rule_http(a, &http);

    if (err || !http.is_enabled || !settings_is(http.general, "enable_static", false))
        return err;
    return audit_find(a, self, settings_place(http.general, "enable_static"), "files below static-http are handed out without a password");
}

static const struct audit_rule_example examples[] = {
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nenable_static = yes\n", .is_bad = true },
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nenable_static = no\n", .is_bad = false },
};

const struct audit_rule audit_rule_http_static = {
    .code = "ST407",
    .name = "http-static-files",
    .severity = AUDIT_NOTE,
    .summary = "The HTTP server hands out the files of static-http.",
    .why = "Pages from there run in the browser of whoever is logged in over HTTP, and share the origin of ARI and of the "
           "manager's pages.",
    .fix = "Leave it out unless something needs it: enable_static = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
