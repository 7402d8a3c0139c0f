/* Rule ST411: the password of an outgoing WebSocket is guessed. */
#include "audit/rules.h"

#include "audit/secrets.h"
#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    bool is_known;
    const struct text password = section_value(s, "password");
    const char *why = password.p ? secret_weakness(password, section_value(s, "username"), &is_known) : NULL;

    return why ? audit_find(a, self, section_place(s, "password"), "the password of connection %.*s %s", TEXT_ARG(s->name), why) : 0;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_WEBSOCKET_CLIENT, "websocket_client", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = ws://127.0.0.1/\nusername = u\n"
              "password = secret\n",
      .is_bad = true },
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = ws://127.0.0.1/\nusername = u\n"
              "password = 9fA2kd83LzpQw71m\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_websocket_secret = {
    .code = "ST411",
    .name = "websocket-client-weak-password",
    .severity = AUDIT_WARNING,
    .summary = "The password of an outgoing WebSocket is one that is guessed.",
    .why = "Whoever knows it can speak to the application as if he were this Asterisk, and send it calls that there are "
           "not.",
    .fix = "Make one of 16 characters and more: openssl rand -base64 18",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
