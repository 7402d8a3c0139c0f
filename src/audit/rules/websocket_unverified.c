/* Rule ST410: the other side of a WebSocket is not checked. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    static const char *const checks[] = { "verify_server_cert", "verify_server_hostname" };
    int err = 0;

    if (!text_starts_nocase(section_value(s, "uri"), TEXT("wss://")))
        return 0;
    for (size_t i = 0; !err && i < sizeof checks / sizeof *checks; i++) {
        const struct text value = section_value(s, checks[i]);

        if (value.n && !settings_is_true(value))
            err = audit_find(a, self, section_place(s, checks[i]), "connection %.*s does not check whom it talks to: %s is off", TEXT_ARG(s->name), checks[i]);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_WEBSOCKET_CLIENT, "websocket_client", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = wss://ai.example.com/media\n"
              "verify_server_cert = no\n",
      .is_bad = true },
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = wss://ai.example.com/media\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_websocket_unverified = {
    .code = "ST410",
    .name = "websocket-client-unverified",
    .severity = AUDIT_WARNING,
    .summary = "An outgoing WebSocket does not check the certificate.",
    .why = "TLS without a look at the certificate protects from nobody who stands in between (res/res_websocket_client.c of "
           "22.10.1: both are on unless switched off).",
    .fix = "Leave both on, and name the authority: ca_list_file = /etc/ssl/certs/ca-certificates.crt",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
