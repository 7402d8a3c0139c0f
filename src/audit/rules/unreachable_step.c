/* Rule ST106: a step behind one that never goes on. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

/* Labels and numbers may be jumped to from outside of the file: only steps that no name leads to count. */
/* Of AEL: it leads to its cases only. */
static bool is_switch(const struct dialplan_step *s)
{
    return s->extension->origin == DIALPLAN_AEL && flow_is(s->app, "Goto") && text_starts(s->args, TEXT("sw_"));
}

static bool leads_to(const struct audit *a, const struct dialplan_step *from, const struct dialplan_step *to)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const size_t n = flow_targets(a->dialplan, from, targets);

    for (size_t k = 0; k < n; k++)
        if (targets[k].step == to || (targets[k].state == FLOW_DYNAMIC && !targets[k].is_named && !is_switch(from)))
            return true;
    return false;
}

static bool is_wanted(const struct audit *a, const struct dialplan_step *s)
{
    const struct dialplan_extension *e = s->extension;

    if (s->label.n || leads_to(a, s - 1, s)) /* mostly it is the one before it */
        return true;
    for (size_t i = 0; i < e->step_count; i++)
        if (leads_to(a, e->steps + i, s))
            return true;
    return false;
}

static bool is_loop_end(const struct dialplan_step *s)
{
    return flow_is(s->app, "EndWhile") || flow_is(s->app, "EndIf") || flow_is(s->app, "Else") || flow_is(s->app, "ElseIf");
}

/* What Asterisk's compiler of AEL adds may well be dead; and what it jumps over is the other branch. */
static bool is_made(const struct dialplan_step *s)
{
    return s->extension->origin == DIALPLAN_AEL && (!s->app_column || (!s[-1].app_column && !s[-1].args_column));
}

/* "Goto(x)" and then "Hangup()": a second end behind the first, as many write it to be sure. It harms nobody. */
static bool is_spare_end(const struct dialplan_step *s)
{
    return flow_is(s->app, "Hangup") || flow_is(s->app, "Return") || flow_is(s->app, "MacroExit") ||
           (flow_is(s->app, "Macro") && text_starts(text_trim(s->args), TEXT("hangupcall")));
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    int err = 0;

    for (size_t i = 1; !err && i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;

        if (s->priority != s[-1].priority + 1 || !flow_ends(s - 1) || is_loop_end(s) || is_made(s) || is_wanted(a, s))
            continue;
        err = audit_find(a, self, s->place, "%.*s is never reached: the step before it, %.*s, does not go on", TEXT_ARG(s->app), TEXT_ARG(s[-1].app));
        if (!err && is_spare_end(s))
            audit_weigh(a, AUDIT_NOTE);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n same => n,Playback(bye)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,GotoIf(${X}?x:y)\n same => n,NoOp(here)\n same => n(x),Hangup()\n same => n(y),Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,GotoIf(${X}?5)\n same => n,Hangup()\n same => n(more),Answer()\n same => n,Hangup()\n same => n,Busy(5)\n same => n,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,If(${X})\n same => n,Hangup()\n same => n,EndIf()\n same => n,Answer()\n", .is_bad = false },
    { .file = "extensions.ael", .text = "context a { 1 => { if (${X}) { Hangup(); } else { goto 2,1; } } 2 => { while (1) { Wait(1); break; NoOp(dead); } Hangup(); } }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => { switch (${X}) { case 1: Busy(); } return; NoOp(dead); } }\n", .is_bad = true },
    { .file = "extensions.ael",
      .text = "context a { 1 => { if (\"${X}\" = \"\") { Hangup(); } else { goto 2,1; } } 2 => { switch (${X}) { case 1: Busy(); break; default: goto 1,1; } Hangup(); } }\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_unreachable_step = {
    .code = "ST106",
    .name = "unreachable-step",
    .severity = AUDIT_WARNING,
    .summary = "A step stands behind one that never goes on, and nothing jumps to it.",
    .why = "Goto, Hangup, Return and a GotoIf with two branches never continue with the next priority: what stands there is "
           "dead text that reads as if it ran. A Hangup or a Return behind one is told as a note.",
    .fix = "Delete the step, or give it a label and jump to it.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
