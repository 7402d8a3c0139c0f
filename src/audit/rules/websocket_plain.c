/* Rule ST409: audio or events go to another host in clear. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    struct text uri = section_value(s, "uri"), host;
    ptrdiff_t end;

    if (!text_starts_nocase(uri, TEXT("ws://")))
        return 0;
    host = text_skip(uri, 5);
    end = text_find(host, '/');
    host = text_head(host, end < 0 ? host.n : (size_t)end);
    end = text_rfind(host, '@'); /* user:password@ */
    host = end < 0 ? host : text_skip(host, (size_t)end + 1);
    if (reach_of(host) == REACH_LOOPBACK || text_starts_nocase(host, TEXT("localhost")))
        return 0;
    return audit_find(a, self, section_place(s, "uri"), "connection %.*s sends its password, events and audio to %.*s in clear", TEXT_ARG(s->name),
                      TEXT_ARG(host));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_WEBSOCKET_CLIENT, "websocket_client", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = ws://ai.example.com:8765/media\n",
      .is_bad = true },
    { .file = "websocket_client.conf",
      .text = "[a]\ntype = websocket_client\nuri = wss://ai.example.com/media\n"
              "tls_enabled = yes\n[b]\ntype = websocket_client\n"
              "uri = ws://127.0.0.1:9000/x\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_websocket_plain = {
    .code = "ST409",
    .name = "websocket-client-plain",
    .severity = AUDIT_WARNING,
    .summary = "An outgoing WebSocket goes to another host in clear.",
    .why = "ws:// carries the user's name and password of the connection, every event and the audio of calls unencrypted.",
    .fix = "Use wss:// and tls_enabled = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
