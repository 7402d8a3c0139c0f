/* Rule ST202: text of the caller in a dial string. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"
#include "audit/taint.h"

#define MESSAGE "%.*s comes from the caller and reaches the dial string of %.*s"

static int report(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s, const struct taint_value *v, struct text where)
{
    struct audit_step way[2] = { { .text = "the caller's value is put into a variable" }, { .text = "and is used here" } };
    const int err = audit_find(a, self, s->place, MESSAGE, TEXT_ARG(v->source), TEXT_ARG(where));

    if (err || !v->from || v->from == s)
        return err;
    way[0].place = v->from->place;
    way[1].place = s->place;
    return audit_path(a, way, 2);
}

static int judge(struct audit *a, const struct audit_rule *self, const struct taint_state *t, const struct flow_call *c)
{
    struct taint_value v;
    int err;

    if (!flow_is(c->app, "Dial") && !flow_is(c->app, "Originate") && !flow_is(c->app, "Page") && !flow_is(c->app, "ChanIsAvail"))
        return 0;
    err = taint_read(t, a->memory, flow_argument(c->args, 0), &v);
    return err || v.level != TAINT_TEXT ? err : report(a, self, c->step, &v, c->app);
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    struct taint_state state;
    int err = 0;

    taint_begin(&state, e);
    for (size_t i = 0; !err && i < e->step_count; i++) {
        struct flow_call calls[FLOW_CALLS_MAX];
        const size_t n = flow_calls(e->steps + i, calls);

        for (size_t k = 0; !err && k < n; k++)
            err = judge(a, self, &state, calls + k);
        if (!err)
            err = taint_after(&state, a->memory, e->steps + i);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@trunk)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _9!,1,Set(D=${EXTEN:1})\n same => n,Set(__E=${D})\n same => n,Dial(PJSIP/${E}@trunk,30)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Dial(PJSIP/${CALLERID(num)}@trunk)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk)\nexten => _1XX,1,Dial(PJSIP/${EXTEN})\nexten => 100,1,Dial(PJSIP/${EXTEN},20,tT)\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,GotoIf($[${REGEX(\"^[0-9]+$\" ${EXTEN})} = 0]?bad)\n same => n,Dial(PJSIP/${EXTEN}@trunk)\n same => n(bad),Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_dial_injection = {
    .code = "ST202",
    .name = "dial-injection",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses reaches a dial string.",
    .why = "The user part of a SIP request may hold \"&\", \"@\", \"/\" and \",\"; 500&PJSIP/trunk/1900... adds a second leg of the "
           "caller's choice (the dialplan injection advisory AST-2010-002).",
    .fix = "Filter it, Dial(PJSIP/${FILTER(0-9,${EXTEN})}@trunk), or match digits only: _NXXXXXXXXX.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
