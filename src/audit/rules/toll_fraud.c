/* Rule ST210: a way from outside to an outgoing trunk, with the caller's own number. */
#include "audit/rules.h"

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/taint.h"
#include "audit/trunk.h"
#include "audit/ways.h"

/* The dial string leaves the house: somebody else's number behind a trunk. */
static bool is_trunk(const struct audit *a, struct text devices)
{
    struct text one;

    while (expression_cut(&devices, '&', &one))
        if (trunk_is(a, one))
            return true;
    return false;
}

static int look_at(struct ways *w, const struct audit_rule *self, size_t node, const struct taint_state *t, const struct dialplan_step *step)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(step, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        struct taint_value v;

        if (!flow_is(calls[i].app, "Dial") || !is_trunk(w->audit, flow_argument(calls[i].args, 0)))
            continue;
        err = taint_read(t, w->audit->memory, flow_argument(calls[i].args, 0), &v);
        if (err || !v.level)
            continue;
        err = audit_find(w->audit, self, step->place, "callers from outside, let in to \"%.*s\", reach this trunk with a number of theirs (%.*s)",
                         TEXT_ARG(w->entry->context->name), TEXT_ARG(v.source));
        if (!err)
            err = ways_show(w, node, step, "dials out");
    }
    return err;
}

static int visit(struct ways *w, const struct audit_rule *self, size_t node)
{
    const struct dialplan_extension *e;
    int err = 0;

    for (size_t i = 0; !err && (e = ways_extension(w, node, i)) != NULL; i++) {
        struct taint_state t;

        ways_taint(w, node, e, &t);
        for (size_t k = 0; !err && k < e->step_count && !ways_is_gate(e->steps + k); k++) {
            err = look_at(w, self, node, &t, e->steps + k);
            if (!err)
                err = taint_after(&t, w->audit->memory, w->audit->memory, e->steps + k);
        }
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return ways_each(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[default]\ninclude => internal\n[internal]\ninclude => out\n[out]\nexten => _9NXXXXXX,1,Dial(PJSIP/${EXTEN:1}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\nexten => s,1,Read(N,enter,12)\n same => n,Goto(out,${N},1)\n[out]\nexten => _X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@itsp,60)\n"
              ";; file pjsip.conf\n[anonymous]\ntype=endpoint\ncontext=in\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\nexten => s,1,Read(N,enter,12)\n same => n,Dial(DAHDI/g1/${N})\n;; file pjsip.conf\n[t]\ntype=endpoint\ncontext=in\n",
      .is_bad = true },
    { .file = "extensions.conf", .text = "[default]\nexten => _9X.,1,Dial(${GLOBAL(TRUNK)}/${FILTER(0-9,${EXTEN:1})})\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[globals]\nOUT=PJSIP/trunk\n[default]\nexten => s,1,Read(N,enter,12)\n same => n,Gosub(dial,s,1(${N}))\n[dial]\nexten => s,1,Dial(${OUT}/${ARG1})\n"
              " same => n,Return()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => s,1,Dial(Local/1@fwd/n)\n[fwd]\nexten => 1,1,Set(FORWARD_CONTEXT=all)\n same => n,Dial(PJSIP/7)\n[all]\ninclude => out\n[out]\n"
              "exten => _0X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 9,1,DISA(no-password,out)\n[out]\nexten => _0X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => _1XX,1,Dial(PJSIP/${EXTEN})\nexten => 2,1,Dial(PJSIP/+15550100@trunk)\nexten => 3,1,Authenticate(4711)\n"
              " same => n,Goto(out,s,1)\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Gosub(mobile,s,1(15550100))\n[desks]\nexten => _0X.,1,Gosub(mobile,s,1(${EXTEN:1}))\n[mobile]\n"
              "exten => s,1,Set(N=${FILTER(0-9,${ARG1})})\n same => n,Gosub(out,s,1(${N}))\n same => n,Return()\n[out]\n"
              "exten => s,1,Dial(PJSIP/${ARG1}@trunk)\n same => n,Return()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Gosub(mobile,s,1(15550100))\nexten => _0X.,1,Gosub(mobile,s,1(${EXTEN:1}))\n[mobile]\n"
              "exten => s,1,Dial(PJSIP/${FILTER(0-9,${ARG1})}@trunk)\n same => n,Return()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => _1XX,1,Goto(house,${EXTEN},1)\nexten => _*1XX,1,Goto(house,${EXTEN:1},1)\n[house]\ninclude => out\nexten => _1XX,1,Dial(PJSIP/${EXTEN})\n"
              "[out]\nexten => _0X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\nexten => _1XX.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\nexten => _+X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\n"
              "exten => _1XXX,1,Dial(PJSIP/${EXTEN}@trunk)\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[default]\nexten => _0XXX,1,Goto(house,${EXTEN},1)\n[house]\ninclude => out\n"
              "[out]\nexten => _0X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => _10XXX,1,Goto(house,${EXTEN:1},1)\n[house]\ninclude => out\n"
              "[out]\nexten => _0XXX,1,Dial(PJSIP/${EXTEN}@trunk)\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[office]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n;; file pjsip.conf\n[desk](!)\ntype=endpoint\ncontext=office\n"
              "[100](desk)\nauth=100\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_toll_fraud = {
    .code = "ST210",
    .name = "toll-fraud",
    .severity = AUDIT_ERROR,
    .summary = "People from outside can call out through a trunk, to a number they choose.",
    .why = "Scanners try every open SIP port all day; one that finds a way from the context of strangers to a trunk calls premium numbers until the "
           "money is gone. Includes, jumps, Local channels and options of Dial all count as a way.",
    .fix = "Give strangers a context of their own that includes no outgoing route, and endpoints an auth=; where it must be, ask for a code first: "
           "same => n,Authenticate(/etc/asterisk/codes).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
