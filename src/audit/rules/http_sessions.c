/* Rule ST408: the number of HTTP sessions is smaller than what media needs. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/rules/sections.h"
#include "audit/rules/each.h"

enum { DEFAULT_LIMIT = 100, WANTED = 200 };

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        if (flow_is(calls[i].app, "Dial") && text_starts_nocase(flow_argument(calls[i].args, 0), TEXT("WebSocket/INCOMING")))
            err = audit_find(a, self, s->place, "every such call holds one of the HTTP server's sessions: sessionlimit of http.conf is at most %d", DEFAULT_LIMIT);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http;
    int64_t limit = DEFAULT_LIMIT;
    const int err = rule_http(a, &http);
    const struct conf_item *item = err ? NULL : settings_item(http.general, "sessionlimit");

    if (err || !http.is_enabled || (item && text_to_i64(item->value, &limit) == 0 && limit >= WANTED))
        return err;
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Dial(WebSocket/INCOMING/c(ulaw)n)\n;; file http.conf\n"
              "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Dial(WebSocket/INCOMING/c(ulaw)n)\n;; file http.conf\n"
              "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nsessionlimit = 1000\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_http_sessions = {
    .code = "ST408",
    .name = "http-session-limit",
    .severity = AUDIT_NOTE,
    .summary = "Calls hold sessions of the HTTP server, whose limit is 100.",
    .why = "A media WebSocket that comes in, an ARI WebSocket and a web client count alike; at sessionlimit (100 when it is "
           "not set) the next one is refused, and the call has no audio (main/http.c of 22.10.1).",
    .fix = "Write into [general] of http.conf as many as calls at once, and some: sessionlimit = 1000",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
