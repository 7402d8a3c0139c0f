/* Rule ST107: an extension that runs out of steps. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

static bool is_end(const struct dialplan_step *s)
{
    static const char *const ends[] = { "StackPop", "MacroExit", "Stasis", "Congestion", "Busy", "WaitExten", "Macro", "Transfer", "EndWhile", "VoiceMailMain",
                                        "ParkedCall", "Park", "Echo", "ConfBridge", "Milliwatt", "Incomplete", "Directory", "DISA", "AgentLogin" };

    if (flow_ends(s))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (flow_is(s->app, ends[i]))
            return true;
    return false;
}

static bool is_special(struct text name)
{
    return text_eq(name, TEXT("h")) || text_eq(name, TEXT("e")) || text_eq(name, TEXT("T"));
}

/* Behind the steps of one caller come those of another, or of everybody: Asterisk looks for the next priority by pattern and caller anew. */
static bool goes_on_beside(const struct dialplan_extension *e, unsigned next)
{
    const struct dialplan_context *const c = e->context;

    if (!e->caller.p)
        return false;
    for (size_t i = 0; i < c->extension_count; i++)
        if (c->extensions[i] != e && text_eq(c->extensions[i]->name, e->name) && dialplan_step_of(c->extensions[i], next))
            return true;
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    const struct dialplan_step *last = e->step_count ? e->steps + e->step_count - 1 : NULL;
    bool is_open;

    if (!flow_is_ordered(e) || text_starts(e->context->name, TEXT("macro-"))) /* its end is the way back */
        return 0;
    if (last && e->origin == DIALPLAN_AEL && !last->app_column) /* the end of an if: its branches may all have left */
        return 0;
    if (!last || is_end(last) || is_special(e->name) || e->context->has_switch)
        return 0;
    if (goes_on_beside(e, last->priority + 1))
        return 0;
    if (!e->is_pattern && dialplan_match(a->dialplan, e->context, e->name, last->priority + 1, &is_open))
        return 0;
    return audit_find(a, self, last->place, "extension %.*s of \"%.*s\" ends here without Hangup", TEXT_ARG(e->name), TEXT_ARG(e->context->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\n same => n,Playback(bye)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Answer()\n same => n,Hangup()\nexten => h,1,NoOp(x)\nexten => 2,hint,PJSIP/2\nexten => 3,1,Goto(1,1)\n", .is_bad = false },
    { .file = "extensions.ael", .text = "context a { 1 => Answer(); }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => { if (${X}) Hangup(); else Busy(); } }\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => _X./_+1X.,1,Set(CALLERID(num)=${CALLERID(num):2})\nexten => _X./_NX.,n,Goto(b,${EXTEN},1)\n[b]\nexten => _X.,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_missing_hangup = {
    .code = "ST107",
    .name = "missing-hangup",
    .severity = AUDIT_NOTE,
    .summary = "An extension ends without Hangup, Return or a jump.",
    .why = "With autofallthrough=yes (the default) Asterisk then ends the call with a code guessed from HANGUPCAUSE; with "
           "autofallthrough=no the caller hears silence until he gives up.",
    .fix = "End it: same => n,Hangup().",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
