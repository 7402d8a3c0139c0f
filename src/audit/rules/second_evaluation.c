/* Rule ST204: text of the caller that is evaluated again. */
#include "audit/rules.h"
#include "audit/rules/injection.h"

static struct text sink(const struct flow_call *c)
{
    return flow_is(c->app, "Exec") || flow_is(c->app, "TryExec") ? c->args : TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .function = "EVAL", .does = "is evaluated a second time by" };

    return injection_find(a, self, &j);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${EVAL(${CALLERID(name)})})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Exec(NoOp(${CALLERID(name)}))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${EVAL(${TEMPLATE})})\n same => n,Exec(Playback(hello))\n", .is_bad = false },
};

const struct audit_rule audit_rule_second_evaluation = {
    .code = "ST204",
    .name = "second-evaluation",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses is evaluated a second time.",
    .why = "EVAL, Exec, TryExec and ExecIf with a built text substitute what came out of the first substitution: a caller ID "
           "of ${SHELL(command)} then runs.",
    .fix = "Do not evaluate what a caller sends; FILTER it first.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
