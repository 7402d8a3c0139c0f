/* Rule ST121: an application that Asterisk has lost. */
#include "audit/flow.h"
#include "audit/known.h"
#include "audit/rules.h"
#include "audit/rules/each.h"
#include "audit/ways.h"

/* Dial(...,M(macro^argument)): Asterisk 22 says "Unrecognized option" and dials without it (seen in main/app.c, apps/app_dial.c). */
static int look_at_option(struct audit *a, const struct audit_rule *self, const struct flow_call *c)
{
    int err;

    if (!flow_is(c->app, "Dial") || !ways_has_option(c, 'M'))
        return 0;
    err = audit_find(a, self, c->step->place, "option M of Dial runs a macro, and macros are gone since Asterisk 21: it is passed over");
    return err ? err : audit_hint(a, "use U(context^argument): a subroutine that ends with Return");
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct known_app *k = known_app_of(calls[i].app);

        err = look_at_option(a, self, calls + i);
        if (err || !k || k->state != KNOWN_REMOVED)
            continue;
        err = audit_find(a, self, s->place, "%s is gone since Asterisk %s", k->name, k->since);
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
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Macro(x)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf(${X}?SIPAddHeader(A: b))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Gosub(x,1,1)\n same => n,MixMonitor(a.wav)\n same => n,Dial(PJSIP/1,20,rU(M^x)m(M))\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Dial(PJSIP/1,20,trM(confirm^1))\n", .is_bad = true },
};

const struct audit_rule audit_rule_removed_application = {
    .code = "ST121",
    .name = "removed-application",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan runs an application that Asterisk has removed.",
    .why = "The modules app_macro, res_monitor, chan_sip and others left with Asterisk 21, older ones before (the UPGRADE "
           "notes of each version); a call that reaches the line ends there.",
    .fix = "Write what the hint names instead.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
