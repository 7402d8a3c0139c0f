/* Rule ST111: While and EndWhile, If and EndIf that do not belong together. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/rules/each.h"

struct pair {
    const char *opens, *closes;
};

static const struct pair pairs[] = { { "While", "EndWhile" }, { "If", "EndIf" } };

static int look(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e, const struct pair *p)
{
    const struct dialplan_step *open[16];
    size_t n = 0;
    int err = 0;

    for (size_t i = 0; !err && i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;

        if (flow_is(s->app, p->opens) && n < 16)
            open[n++] = s;
        else if (flow_is(s->app, p->closes) && n > 0)
            n--;
        else if (flow_is(s->app, p->closes))
            err = audit_find(a, self, s->place, "no %s of this extension belongs to this %s", p->opens, p->closes);
    }
    for (size_t i = 0; !err && i < n; i++)
        err = audit_find(a, self, open[i]->place, "no %s of this extension belongs to this %s", p->closes, p->opens);
    return err;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    int err = 0;

    for (size_t i = 0; !err && flow_is_ordered(e) && i < sizeof pairs / sizeof *pairs; i++)
        err = look(a, self, e, &pairs[i]);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,While($[${N} < 3])\n same => n,Set(N=$[${N} + 1])\n"
              " same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(N=1)\n same => n,EndWhile()\n same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,While($[${N} < 3])\n same => n,If($[${X} = 1])\n"
              " same => n,NoOp()\n same => n,EndIf()\n same => n,EndWhile()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_while_pairs = {
    .code = "ST111",
    .name = "while-without-end",
    .severity = AUDIT_ERROR,
    .summary = "A While has no EndWhile, or an EndWhile no While; the same of If and EndIf.",
    .why = "The end is looked for in the priorities of the same extension; where there is none Asterisk warns \"Couldn't "
           "find matching EndWhile\" and goes on with the body (apps/app_while.c of 22.10.1).",
    .fix = "Write the other one: same => n,EndWhile()",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
