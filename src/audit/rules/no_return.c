/* Rule ST114: a subroutine that never returns. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/rules/each.h"

enum { STEPS_MAX = 500 }; /* a longer one is taken to return */

/* Runs one of these, behind a condition, too. */
static bool has_end(const struct dialplan_step *s)
{
    static const char *const ends[] = { "Return", "StackPop", "Hangup", "Stasis", "WaitExten" };
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
            if (flow_is(calls[i].app, ends[k]))
                return true;
    return false;
}

/* A subroutine or macro of its own that hangs up: the end was meant. */
static bool hangs_up(const struct dialplan_extension *e)
{
    for (size_t i = 0; e && i < e->step_count && i < STEPS_MAX; i++)
        if (flow_is(e->steps[i].app, "Hangup"))
            return true;
    return false;
}

static bool leaves(const struct audit *a, const struct dialplan_extension *e)
{
    struct flow_target targets[FLOW_TARGETS_MAX];

    if (e->step_count > STEPS_MAX || !flow_is_ordered(e))
        return true;
    for (size_t i = 0; i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;
        const size_t n = flow_targets(a->dialplan, s, targets);

        if (has_end(s))
            return true;
        for (size_t k = 0; k < n; k++)
            if (targets[k].returns ? hangs_up(targets[k].extension) : targets[k].extension != e)
                return true; /* it goes on elsewhere, or ends on purpose */
    }
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    size_t n;
    int err = 0;

    if (!flow_is(s->app, "Gosub") && !flow_is(s->app, "GosubIf"))
        return 0;
    n = flow_targets(a->dialplan, s, targets);
    for (size_t i = 0; !err && i < n; i++) {
        const struct dialplan_extension *e = targets[i].state == FLOW_FOUND ? targets[i].extension : NULL;

        if (e && !e->is_pattern && !leaves(a, e))
            err = audit_find(a, self, s->place, "the subroutine at %s:%u never returns: the call ends there", e->place.file, e->place.line);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Gosub(b,s,1)\n same => n,Hangup()\n[b]\n"
              "exten => s,1,NoOp(x)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Gosub(b,s,1(x,y))\n same => n,Gosub(c,s,1)\n"
              " same => n,Hangup()\n[b]\nexten => s,1,GotoIf(${X}?end)\n same => n,NoOp()\n"
              " same => n(end),Return()\n[c]\nexten => s,1,Goto(b,s,1)\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Gosub(b,s,1)\n same => n,Gosub(c,s,1)\n same => n,Hangup()\n[b]\nexten => s,1,ExecIf(${X}?Return())\n"
              " same => n,NoOp(y)\n[c]\nexten => s,1,Gosub(end,s,1)\n[end]\nexten => s,1,Hangup()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Gosub(b,s,1)\n same => n,Hangup()\n[b]\nexten => s,1,WaitExten(5)\nexten => 1,1,Return()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_no_return = {
    .code = "ST114",
    .name = "gosub-without-return",
    .severity = AUDIT_WARNING,
    .summary = "A subroutine that Gosub calls never returns.",
    .why = "What is behind the Gosub is not run: at the end of the subroutine's steps the call ends, or goes on nowhere, "
           "and the stack keeps its frame.",
    .fix = "End it: same => n,Return()",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
