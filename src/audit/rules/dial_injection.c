/* Rule ST202: text of the caller in a dial string. */
#include "audit/rules.h"
#include "audit/rules/injection.h"

/* Where a number becomes a channel. */
static struct text sink(const struct flow_call *c)
{
    const bool dials = flow_is(c->app, "Dial") || flow_is(c->app, "Originate") || flow_is(c->app, "Page") || flow_is(c->app, "ChanIsAvail");

    return dials ? flow_argument(c->args, 0) : TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .does = "reaches the dial string of" };

    return injection_find(a, self, &j);
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
