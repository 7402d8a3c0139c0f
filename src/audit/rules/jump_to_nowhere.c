/* Rule ST101: a jump whose target does not exist. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static const char *what_of(enum flow_state s)
{
    return s == FLOW_NO_CONTEXT ? "the context" : s == FLOW_NO_EXTENSION ? "the extension" : "the priority or label";
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const size_t n = flow_targets(a->dialplan, s, targets);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        if (targets[i].state < FLOW_NO_CONTEXT || text_find(targets[i].written, '|') >= 0) /* bars are told by ST128 */
            continue;
        err = audit_find(a, self, s->place, "%.*s leads to \"%.*s\", but %s does not exist", TEXT_ARG(s->app), TEXT_ARG(targets[i].written),
                         what_of(targets[i].state));
        if (!err && targets[i].state == FLOW_NO_CONTEXT)
            err = rule_hint_hole(a);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 77,1,Gosub(time)\n same => n,Gosub(77,time)\n same => n,Hangup()\ninclude => b\n[b]\nexten => _X.,30000(time),Return()\n",
      .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 77,1,Gosub(tine)\n same => n,Hangup()\ninclude => b\n[b]\nexten => _X.,30000(time),Return()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(nowhere,s,1)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(2,1)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,GotoIf(${X}?gone)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Dial(PJSIP/x,,U(missing^1))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Dial(Local/5@b/n)\n[b]\nexten => 6,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf(${X}?Goto(5))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(b,${WHO},1)\nexten => 2,1(top),Goto(top)\nexten => 3,1,GotoIf($[${X}]?b,7,1:b,_X,x)\nexten => 4,1,GotoIf(${X}?2,1)\n same => n,Gosub(b,7,x(1,2))\n same => n,ExecIf(${X}?Goto(2,top))\n[b]\nexten => _X,1(x),Return()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(nowhere,s,1)\n#include missing.conf\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(b|s|1)\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Goto(parkedcalls,701,1)\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nswitch => Realtime/x@y\nexten => 1,1,Goto(9,1)\n", .is_bad = false },
};

const struct audit_rule audit_rule_jump_to_nowhere = {
    .code = "ST101",
    .name = "jump-to-nowhere",
    .severity = AUDIT_ERROR,
    .summary = "A jump leads to a context, an extension, a priority or a label that does not exist.",
    .why = "Goto to a missing place ends the call (pbx_parseable_goto and the PBX loop of 22.10.1: the channel is sent to "
           "\"i\" or hung up); Gosub to one hangs up at once.",
    .fix = "Correct the target, or write the missing extension: Goto(context,extension,1).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
