/* Rule ST204: text of the caller that is evaluated again. */
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"
#include "audit/taint.h"

#define MESSAGE "%.*s comes from the caller and is evaluated a second time by %.*s"

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

static int evals(struct audit *a, const struct audit_rule *self, const struct taint_state *t, const struct dialplan_step *s,
                 const struct expression *e)
{
    int err = 0;

    for (; !err && e; e = e->next) {
        struct taint_value v = { .level = TAINT_NONE };

        if (e->kind == EXPRESSION_FUNCTION && text_eq(e->name, TEXT("EVAL")))
            err = taint_read(t, a->memory, e->inside, &v);
        if (!err && v.level == TAINT_TEXT)
            err = report(a, self, s, &v, TEXT("EVAL()"));
        if (!err)
            err = evals(a, self, t, s, e->parts);
    }
    return err;
}

static int judge(struct audit *a, const struct audit_rule *self, const struct taint_state *t, const struct flow_call *c)
{
    struct expression_fault fault;
    struct expression *tree;
    struct taint_value v = { .level = TAINT_NONE };
    int err = 0;

    if (flow_is(c->app, "Exec") || flow_is(c->app, "TryExec"))
        err = taint_read(t, a->memory, c->args, &v);
    if (!err && v.level == TAINT_TEXT)
        err = report(a, self, c->step, &v, c->app);
    if (err || text_find_text(c->args, TEXT("EVAL(")) < 0)
        return err;
    err = expression_parse(&tree, &fault, a->memory, c->args);
    return err ? err : evals(a, self, t, c->step, tree);
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
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${EVAL(${CALLERID(name)})})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Exec(NoOp(${CALLERID(name)}))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${EVAL(${TEMPLATE})})\n same => n,Exec(Playback(hello))\n", .is_bad = false },
};

const struct audit_rule audit_rule_second_evaluation = {
    .code = "ST204",
    .name = "second-evaluation",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses is evaluated a second time.",
    .why = "EVAL, Exec, TryExec and ExecIf with a built text substitute what came out of the first substitution: a caller ID "
           "of ${SHELL(command)} then runs.",
    .fix = "Do not evaluate what a caller sends; FILTER it first.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
