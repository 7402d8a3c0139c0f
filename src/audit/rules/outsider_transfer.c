/* Rule ST211: callers from outside may transfer calls. */
#include "audit/rules.h"

#include "audit/ways.h"

static int look_at(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const char power = ways_has_option(calls + i, 'T') ? 'T' : ways_has_option(calls + i, 'K') ? 'K' : 0;

        if (!power)
            continue;
        err = audit_find(w->audit, self, s->place, "option %c of %.*s lets callers from outside %s", power, TEXT_ARG(calls[i].app),
                         power == 'T' ? "transfer the call" : "park the call");
        if (!err)
            err = ways_show(w, node, s, "gives them that");
    }
    return err;
}

static int visit(struct ways *w, const struct audit_rule *self, size_t node)
{
    return ways_each_step(w, self, node, look_at);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return ways_each(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[default]\nexten => 1,1,Dial(PJSIP/1,20,tT)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[default]\nexten => 1,1,Queue(sales,cT)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Dial(PJSIP/1,20,tU(Test))\n same => n,Hangup()\n"
              "[desks]\nexten => 1,1,Dial(PJSIP/1,20,T)\n same => n,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_outsider_transfer = {
    .code = "ST211",
    .name = "outsider-transfer",
    .severity = AUDIT_WARNING,
    .summary = "Callers from outside may transfer or park calls.",
    .why = "Option T gives the transfer key to the one who calls: he sends your end of the call wherever TRANSFER_CONTEXT "
           "or his context leads, and you pay.",
    .fix = "Give it to the one who is called, with t, if to anybody: Dial(PJSIP/100,20,t)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
