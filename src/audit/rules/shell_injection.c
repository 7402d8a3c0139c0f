/* Rule ST201: text of the caller in a shell command. */
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"
#include "audit/taint.h"

#define MESSAGE "%.*s comes from the caller and reaches the shell through %.*s"

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

/* The argument that a shell gets, or TEXT_NONE. */
static struct text command_of(const struct flow_call *c)
{
    if (flow_is(c->app, "System") || flow_is(c->app, "TrySystem"))
        return c->args;
    if (flow_is(c->app, "MixMonitor"))
        return flow_argument(c->args, 2);
    if (flow_is(c->app, "ExternalIVR") && !text_starts_nocase(c->args, TEXT("ivr://")))
        return flow_argument(c->args, 0);
    return TEXT_NONE;
}

static int shells(struct audit *a, const struct audit_rule *self, const struct taint_state *t, const struct dialplan_step *s,
                  const struct expression *e)
{
    int err = 0;

    for (; !err && e; e = e->next) {
        struct taint_value v = { .level = TAINT_NONE };

        if (e->kind == EXPRESSION_FUNCTION && text_eq(e->name, TEXT("SHELL")))
            err = taint_read(t, a->memory, e->inside, &v);
        if (!err && v.level == TAINT_TEXT)
            err = report(a, self, s, &v, TEXT("SHELL()"));
        if (!err)
            err = shells(a, self, t, s, e->parts);
    }
    return err;
}

static int judge(struct audit *a, const struct audit_rule *self, const struct taint_state *t, const struct flow_call *c)
{
    struct expression_fault fault;
    struct expression *tree;
    struct taint_value v;
    int err = taint_read(t, a->memory, command_of(c), &v);

    if (!err && v.level == TAINT_TEXT)
        err = report(a, self, c->step, &v, c->app);
    if (err || text_find_text(c->args, TEXT("SHELL(")) < 0)
        return err;
    err = expression_parse(&tree, &fault, a->memory, c->args);
    return err ? err : shells(a, self, t, c->step, tree);
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
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,System(log ${CALLERID(name)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,Set(N=${EXTEN:1})\n same => n,TrySystem(x \"${N}\")\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${SHELL(id ${CALLERID(num)})})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,MixMonitor(a.wav,b,mail ${CALLERID(num)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf(${X}?System(x ${CALLERID(name)}))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,System(log ${FILTER(0-9,${CALLERID(num)})})\n same => n,System(x ${UNIQUEID})\nexten => _5XX,1,System(x ${EXTEN})\nexten => 100,1,System(x ${EXTEN})\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Read(PIN,pin,4)\n same => n,System(x ${PIN})\n", .is_bad = false },
};

const struct audit_rule audit_rule_shell_injection = {
    .code = "ST201",
    .name = "shell-injection",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses reaches a shell command.",
    .why = "System, TrySystem, SHELL() and the command of MixMonitor hand their text to /bin/sh: a caller ID of $(command) "
           "or ; command runs as the Asterisk user. Quotes around it do not help.",
    .fix = "Keep what is needed only: System(/usr/local/bin/x ${FILTER(0-9,${CALLERID(num)})}).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
