/* Rule ST203: text of the caller in an AGI request or a URL. */
#include "audit/rules.h"
#include "audit/rules/injection.h"

static struct text sink(const struct flow_call *c)
{
    const bool parses = flow_is(c->app, "AGI") || flow_is(c->app, "EAGI") || flow_is(c->app, "DeadAGI") || flow_is(c->app, "Stasis");

    return parses ? c->args : TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .does = "is parsed as part of the arguments of" };

    return injection_find(a, self, &j);
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
