/* Rule ST122: an application that Asterisk will lose. */
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
        const struct known_app *k = known_app_of(calls[i].app);

        if (!k || k->state != KNOWN_DEPRECATED)
            continue;
        err = audit_find(a, self, s->place, "%s is deprecated in Asterisk 22", k->name);
        if (!err && k->instead[0])
            err = audit_hint(a, "use %s", k->instead);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,DeadAGI(x.py)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,MeetMe(1)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AGI(x.py)\n", .is_bad = false },
};

const struct audit_rule audit_rule_deprecated_application = {
    .code = "ST122",
    .name = "deprecated-application",
    .severity = AUDIT_WARNING,
    .summary = "The dialplan runs an application that is deprecated in Asterisk 22.",
    .why = "A deprecated application logs a warning or is no longer built by default, and goes with one of the next "
           "versions.",
    .fix = "Write what the hint names instead.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
