/* Rule ST401: asterisk's HTTP server can be reached by others without TLS. */
#include "audit/rules.h"

#include "audit/settings.h"
#include "audit/reach.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings all;
    const struct settings_group *g;
    int err = settings_read(&all, a->memory, a->files[AUDIT_HTTP]);

    if (err)
        return err;
    g = settings_find(&all, "general");
    if (!g || !(settings_is(g, "enabled", false) && settings_item(g, "bindaddr") && reach_of(settings_value(g, "bindaddr")) != REACH_LOOPBACK))
        return 0;
    return audit_find(a, self, settings_place(g, "bindaddr"), "the plain HTTP port can be reached by others");
}

static const struct audit_rule_example examples[] = {
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n", .is_bad = true },
    { .file = "http.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n", .is_bad = false },
    { .file = "http.conf", .text = "[general]\nenabled = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_http_plain = {
    .code = "ST401",
    .name = "http-open-plain",
    .severity = AUDIT_WARNING,
    .summary = "Asterisk's HTTP server can be reached by others without TLS.",
    .why = "ARI passwords and every ARI event cross it in clear; it also carries AMI over HTTP, /ws and /media.",
    .fix = "bindaddr = 127.0.0.1; for others beside it tlsenable = yes with tlsbindaddr and tlscertfile. TLS alone leaves the plain port open.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
