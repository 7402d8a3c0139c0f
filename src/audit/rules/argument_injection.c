/* Rule ST203: text of the caller in an AGI request or a URL. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"
#include "audit/taint.h"

#define MESSAGE "%.*s comes from the caller and is parsed as part of the arguments of %.*s"

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

    if (!flow_is(c->app, "AGI") && !flow_is(c->app, "EAGI") && !flow_is(c->app, "DeadAGI") && !flow_is(c->app, "Stasis"))
        return 0;
    err = taint_read(t, a->memory, c->args, &v);
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
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AGI(x.py,${CALLERID(name)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,AGI(agi://h/${EXTEN})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,AGI(agi://h/x?n=${URIENCODE(${EXTEN})})\nexten => 5,1,AGI(x.py,${UNIQUEID})\n", .is_bad = false },
};

const struct audit_rule audit_rule_argument_injection = {
    .code = "ST203",
    .name = "argument-injection",
    .severity = AUDIT_WARNING,
    .summary = "Text that the caller chooses reaches the address or the arguments of a script unescaped.",
    .why = "Substituted text is parsed as arguments: a comma in it begins the next one, and \"/\", \"?\" and \"&\" change the path "
           "and query of an agi:// or http:// address.",
    .fix = "Encode it: AGI(agi://127.0.0.1/look-up?number=${URIENCODE(${CALLERID(num)})}), or read the value inside the "
           "script.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
