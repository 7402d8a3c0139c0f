/* Rule ST128: arguments that are separated as Asterisk 1.4 did. */
#include "audit/rules.h"

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules/each.h"

/* Applications in whose arguments a bar means nothing. */
static const char *const apps[] = { "AddQueueMember", "AgentLogin", "AMD",         "Authenticate", "BackGround",    "ChanIsAvail",      "ChanSpy",
                                    "ConfBridge",     "Dial",       "DISA",        "Directory",    "ExtenSpy",      "FollowMe",         "Gosub",
                                    "GosubIf",        "Goto",       "GotoIf",      "GotoIfTime",   "MeetMe",        "MixMonitor",       "MusicOnHold",
                                    "Page",           "Park",       "PauseQueueMember", "Playback", "Queue",        "Read",             "Record",
                                    "RemoveQueueMember", "UnpauseQueueMember", "UserEvent", "VoiceMail", "VoiceMailMain", "WaitExten" };

/* The place of the first bar outside of ${}, $[] and quotes; -1: none. */
static ptrdiff_t bar_of(struct text t)
{
    bool is_quoted = false;
    int depth = 0;

    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];

        if (c == '"')
            is_quoted = !is_quoted;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c == '|' && depth <= 0 && !is_quoted)
            return (ptrdiff_t)i;
    }
    return -1;
}

/* A comma before it: the author knows what separates, and joins letters of options. */
static bool is_behind_comma(struct text args, ptrdiff_t bar)
{
    struct text rest = text_head(args, (size_t)bar), first;

    return expression_cut(&rest, ',', &first) && rest.p != NULL;
}

static int look_at(struct audit *a, const struct audit_rule *self, const struct flow_call *c)
{
    const ptrdiff_t bar = bar_of(c->args);
    struct conf_place place = c->step->place;
    size_t i = 0;
    int err;

    while (i < sizeof apps / sizeof *apps && !flow_is(c->app, apps[i]))
        i++;
    if (bar < 0 || i == sizeof apps / sizeof *apps)
        return 0;
    place.column = c->step->args_column + (unsigned)(c->args.p + bar - c->step->args.p);
    err = audit_find(a, self, place, "%s takes the \"|\" for a part of its argument: only a comma separates arguments", apps[i]);
    if (!err && is_behind_comma(c->args, bar))
        audit_weigh(a, AUDIT_WARNING);
    return err;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = text_find(s->args, '|') < 0 ? 0 : flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        err = look_at(a, self, calls + i);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Dial(PJSIP/100|20|tr)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf($[${X} | ${Y}]?VoiceMail(100|u))\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,GotoIf($[\"${X}\" : \"a|b\" | ${Y}]?z)\n same => n,System(date | logger)\n same => n,Set(L=a|b)\n"
              " same => n,Dial(PJSIP/${CUT(L,|,1)},20)\n same => n(z),Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_old_separator = {
    .code = "ST128",
    .name = "old-separator",
    .severity = AUDIT_ERROR,
    .summary = "Arguments of an application are separated by \"|\", which is a plain character since Asterisk 1.6.",
    .why = "Dial(PJSIP/100|20|tr) dials a device of the name \"100|20|tr\"; only the comma separates (UPGRADE-1.6.txt; AST_STANDARD_APP_ARGS of 22.10.1). "
           "Dialplans that began under Asterisk 1.4 still have it.",
    .fix = "Write commas: Dial(PJSIP/100,20,tr).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
