/* Rule ST125: an application with too few or too many arguments. */
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/known.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static size_t count_of(struct text args)
{
    struct text one;
    size_t n = 0;

    if (!text_trim(args).n)
        return 0;
    while (expression_cut(&args, ',', &one))
        n++;
    return n;
}

static int tell_too_many(struct audit *a, const struct audit_rule *self, const struct flow_call *c, size_t n)
{
    const struct known_app *k = known_app_of(c->app);
    const int err = audit_find(a, self, c->step->place, "%s takes at most %u argument%s, and has %zu", k->name, k->max, k->max == 1 ? "" : "s", n);

    if (err || !flow_is(c->app, "Queue") || n != k->max + 1)
        return err;
    return audit_hint(a, "the macro, once the seventh argument, is gone since Asterisk 21: leave it out, and the subroutine is the seventh");
}

static int judge(struct audit *a, const struct audit_rule *self, const struct flow_call *c)
{
    const struct known_app *k = known_app_of(c->app);
    size_t n;

    if (!k || k->state == KNOWN_REMOVED)
        return 0;
    n = count_of(c->args);
    /* One ${} may bring commas of its own. */
    if (n < k->min && expression_is_plain(c->args))
        return audit_find(a, self, c->step->place, "%s needs %u argument%s, and has %zu", k->name, k->min, k->min == 1 ? "" : "s", n);
    if (k->max && n > k->max)
        return tell_too_many(a, self, c, n);
    return 0;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        err = judge(a, self, calls + i);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AudioSocket(1234)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(a,b,c,d)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(q,t,,,30,,,,1)\n same => n,Goto(1)\n same => n,AudioSocket(${BOTH})\n same => n,Set(X=a,b)\n same => n,Playback(\"a,b\",noanswer)\n", .is_bad = false },
};

const struct audit_rule audit_rule_argument_count = {
    .code = "ST125",
    .name = "argument-count",
    .severity = AUDIT_ERROR,
    .summary = "An application gets too few or too many arguments.",
    .why = "With too few the application refuses and the call ends or goes on without it; what is too many is glued to the "
           "last argument, which then means nothing.",
    .fix = "Compare with \"core show application NAME\".",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
