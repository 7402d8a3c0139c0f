/* Rule ST110: a circle of steps that nothing leaves and nothing slows. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

enum { CIRCLE_MAX = 200 };

/* Applications that take no time and never end a call. All others are a wait, a prompt or a way out. */
static bool is_instant(const struct dialplan_step *s)
{
    static const char *const instant[] = { "NoOp", "Set", "MSet", "Verbose", "Log", "Goto", "Answer", "UserEvent", "Progress", "Ringing",
                                           "Proceeding", "CELGenUserEvent", "ClearHash", "DumpChan", "ResetCDR" };

    for (size_t i = 0; i < sizeof instant / sizeof *instant; i++)
        if (flow_is(s->app, instant[i]))
            return true;
    return false;
}

static const struct dialplan_step *follow(const struct audit *a, const struct dialplan_step *s)
{
    struct flow_target targets[FLOW_TARGETS_MAX];

    if (!is_instant(s))
        return NULL;
    if (!flow_is(s->app, "Goto"))
        return dialplan_step_of(s->extension, s->priority + 1);
    return flow_targets(a->dialplan, s, targets) && targets[0].state == FLOW_FOUND ? targets[0].step : NULL;
}

/* While(1), While($[1]), While(${TRUE}) with a body that takes no time and never leaves. */
static bool is_true_for_ever(struct text condition)
{
    int64_t number;

    condition = text_trim(condition);
    if (text_starts(condition, TEXT("$[")) && text_ends(condition, TEXT("]")))
        condition = text_trim(text_make(condition.p + 2, condition.n - 3));
    return text_to_i64(condition, &number) == 0 && number != 0;
}

static bool is_trap(const struct dialplan_step *s)
{
    const struct dialplan_step *at = s;

    if (!flow_is(s->app, "While") || !is_true_for_ever(s->args))
        return false;
    for (unsigned n = 0; n < CIRCLE_MAX; n++) {
        at = dialplan_step_of(s->extension, at->priority + 1);
        if (!at || flow_is(at->app, "EndWhile"))
            return at != NULL;
        if (!is_instant(at) || flow_is(at->app, "Goto"))
            return false;
    }
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    const struct dialplan_step *at = s;
    bool is_first = true; /* a circle of several Gotos is told once: at the one that stands first */

    if (!flow_is_ordered(s->extension))
        return 0;
    if (is_trap(s))
        return audit_find(a, self, s->place, "this While is always true, and nothing in it leaves or waits");
    if (!flow_is(s->app, "Goto"))
        return 0;
    for (unsigned n = 0; n < CIRCLE_MAX; n++) {
        at = follow(a, at);
        if (!at)
            return 0;
        if (at == s)
            return is_first ? audit_find(a, self, s->place, "this Goto closes a circle of %u steps that nothing leaves", n + 1) : 0;
        is_first &= !flow_is(at->app, "Goto") || at->place.line >= s->place.line;
    }
    return 0;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,While($[1])\n same => n,Set(N=$[${N} + 1])\n same => n,EndWhile()\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,While(1)\n same => n,Read(D,x,1)\n same => n,EndWhile()\n same => n,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1(top),NoOp()\n same => n,Goto(top)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(b,1,1)\n[b]\nexten => 1,1,Set(X=1)\n same => n,Goto(a,1,1)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1(top),Wait(1)\n same => n,Goto(top)\nexten => 2,1(x),Set(N=$[${N}+1])\n same => n,GotoIf($[${N}<3]?x)\n same => n,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_endless_loop = {
    .code = "ST110",
    .name = "endless-loop",
    .severity = AUDIT_ERROR,
    .summary = "Steps jump in a circle without a condition, a wait or a prompt.",
    .why = "The channel spins through the circle as fast as the machine can until the caller hangs up: one call takes one "
           "processor.",
    .fix = "Count the turns and leave: GotoIf($[${TRY} < 3]?again), or wait in the circle.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
