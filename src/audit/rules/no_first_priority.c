/* Rule ST105: an extension or a step that the numbering of priorities cuts off. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

/* Another extension that matches the same digits may hold the priority. */
static bool is_elsewhere(const struct audit *a, const struct dialplan_extension *e, unsigned priority)
{
    const struct dialplan_context *c = e->context;
    bool is_open = false;

    if (c->has_switch || e->caller.p)
        return true;
    if (!e->is_pattern)
        return dialplan_match(a->dialplan, c, e->name, priority, &is_open) || is_open;
    for (size_t i = 0; i < c->extension_count; i++)
        if (c->extensions[i] != e && c->extensions[i]->is_pattern && dialplan_step_of(c->extensions[i], priority))
            return true;
    return c->include_count > 0;
}

static bool is_target(const struct audit *a, const struct dialplan_step *s)
{
    struct flow_target targets[FLOW_TARGETS_MAX];
    const struct dialplan_extension *e = s->extension;

    if (s->label.n)
        return true;
    for (size_t i = 0; i < e->step_count; i++) {
        const size_t n = flow_targets(a->dialplan, e->steps + i, targets);

        for (size_t k = 0; k < n; k++)
            if (targets[k].step == s || targets[k].state == FLOW_DYNAMIC)
                return true;
    }
    return false;
}

/* Asterisk's compiler of AEL begins the cases of a switch with 10, and jumps there. */
static bool is_case(const struct dialplan_extension *e)
{
    return e->origin == DIALPLAN_AEL && e->steps[0].priority == 10;
}

/* A script that ran before may have set the priority (AGI: SET PRIORITY); Macro and the like come back to the next one. */
static bool may_be_set(const struct dialplan_extension *e, const struct dialplan_step *s)
{
    static const char *const scripts[] = { "AGI", "EAGI", "DeadAGI", "FastAGI" };

    for (const struct dialplan_step *before = e->steps; before < s; before++)
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
            if (flow_is(before->app, scripts[i]))
                return true;
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    int err = 0;

    if (!e->step_count)
        return 0; /* a hint alone */
    if (is_case(e))
        return 0;
    if (e->steps[0].priority != 1 && !e->steps[0].label.n && !is_elsewhere(a, e, 1)) /* a label: Gosub(name) of an including context */
        return audit_find(a, self, e->steps[0].place, "extension %.*s begins with priority %u: no call enters it", TEXT_ARG(e->name),
                          e->steps[0].priority);
    for (size_t i = 1; !err && i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;

        if (s->priority == s[-1].priority + 1 || flow_ends(s - 1) || is_target(a, s) || is_elsewhere(a, e, s[-1].priority + 1))
            continue;
        err = audit_find(a, self, s->place, "priority %u of extension %.*s is missing: this step is never reached", s[-1].priority + 1,
                         TEXT_ARG(e->name));
        if (!err && may_be_set(e, s)) {
            audit_weigh(a, AUDIT_WARNING);
            err = audit_hint(a, "unless the script that runs before it sets priority %u", s->priority);
        }
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nexten => 2,n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nexten => 1,3,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\nexten => 1,2,GotoIf(${X}?102)\nexten => 1,3,Hangup()\nexten => 1,102,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => _1X,1,Answer()\nexten => 12,2,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,30000(time),Answer()\n same => n,Return()\n[b]\ninclude => a\nexten => 1,1,Gosub(time)\n same => n,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 7,hint,PJSIP/7\n", .is_bad = false },
    { .file = "extensions.ael", .text = "context a { regexten 1 => Hangup(); }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => { switch (${X}) { case 2: Busy(); } Hangup(); } }\n", .is_bad = false },
};

const struct audit_rule audit_rule_no_first_priority = {
    .code = "ST105",
    .name = "no-first-priority",
    .severity = AUDIT_ERROR,
    .summary = "An extension has no priority 1, or a gap in its priorities.",
    .why = "A call enters at priority 1 and goes on to the next number; where that is missing, it ends (autofallthrough). "
           "\"n\" behind another extension's step continues that one's number.",
    .fix = "Begin with 1 and go on with n: exten => 100,1,Answer().",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
