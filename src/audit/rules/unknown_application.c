/* Rule ST120: an application that Asterisk 22 does not know. */
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/known.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const char *near = NULL;
        struct text rest = calls[i].app, name = TEXT_NONE;

        if (!calls[i].app.n || !expression_is_plain(calls[i].app) || known_app_of(calls[i].app))
            continue;
        near = known_app_near(text_trim(calls[i].app));
        err = audit_find(a, self, s->place, "Asterisk 22 has no application \"%.*s\"", TEXT_ARG(calls[i].app));
        if (!err && expression_cut(&rest, ',', &name) && rest.p && known_app_of(text_trim(name)))
            err = audit_hint(a, "arguments stand in brackets: %.*s(...)", TEXT_ARG(text_trim(name)));
        else if (!err && near)
            err = audit_hint(a, "did you mean %s?", near);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Playbck(x)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup ()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf(${X}?Hangupp())\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,playBACK(x)\n same => n,ExecIf(${X}?Set(Y=1):Macro(x))\n same => n,Exec(${APP}(1))\n", .is_bad = false },
};

const struct audit_rule audit_rule_unknown_application = {
    .code = "ST120",
    .name = "unknown-application",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan runs an application that Asterisk 22 does not have.",
    .why = "Asterisk loads the line without a word; when a call reaches it, the log says \"No application ... for extension\" "
           "and the call ends.",
    .fix = "Correct the name; \"core show applications\" lists those that are loaded.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
