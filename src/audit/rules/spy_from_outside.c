/* Rule ST213: callers from outside can listen to calls. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/ways.h"

static int look_at(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *s)
{
    static const char *const spies[] = { "ChanSpy", "ExtenSpy" };
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        for (size_t k = 0; !err && k < 2; k++)
            if (flow_is(calls[i].app, spies[k])) {
                err = audit_find(w->audit, self, s->place, "%s is open to callers from outside", spies[k]);
                if (!err)
                    err = ways_show(w, node, s, "listens");
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
    { .file = "extensions.conf", .text = "[default]\nexten => 555,1,ChanSpy(PJSIP)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 555,1,Authenticate(/etc/asterisk/codes)\n"
              " same => n,ChanSpy(PJSIP)\n same => n,Hangup()\n[desks]\n"
              "exten => 555,1,ChanSpy()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Set(TO=${DB(CF/1)})\n same => n,Dial(Local/${TO}@desks/n)\n same => n,Hangup()\n[desks]\n"
              "exten => 555,1,ChanSpy()\n same => n,Hangup()\nexten => _*72X.,1,Set(DB(CF/${CALLERID(num)})=${EXTEN:3})\n same => n,Hangup()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,AGI(route.py)\n same => n,Goto(desks,${TO},1)\n[desks]\nexten => 555,1,ChanSpy()\n same => n,Hangup()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Read(TO,enter,4)\n same => n,Set(DB(CF/1)=${TO})\n same => n,Dial(Local/${DB(CF/1)}@desks/n)\n"
              " same => n,Hangup()\n[desks]\nexten => 555,1,ChanSpy()\n same => n,Hangup()\n",
      .is_bad = true },
};

const struct audit_rule audit_rule_spy_from_outside = {
    .code = "ST213",
    .name = "outside-spy",
    .severity = AUDIT_ERROR,
    .summary = "Callers from outside can listen to calls of the house.",
    .why = "ChanSpy and ExtenSpy ask nobody: who gets to the extension hears, and with option w or B speaks in, every call.",
    .fix = "Ask for a code before: same => n,Authenticate(/etc/asterisk/codes)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
