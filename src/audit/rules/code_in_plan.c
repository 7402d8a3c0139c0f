/* Rule ST214: a code or a password stands in the dialplan. */
#include "audit/rules.h"

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules/each.h"

/* "user:word@" of an address, "api_key=", "token=" with a value that stands there. */
static bool has_secret(struct text args)
{
    static const char *const keys[] = { "api_key=", "apikey=", "token=", "password=", "passwd=", "secret=" };
    const ptrdiff_t scheme = text_find_text(args, TEXT("://"));
    struct text host;
    ptrdiff_t at, colon;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const ptrdiff_t found = text_find_text(args, text_of(keys[i]));
        const struct text value = found < 0 ? TEXT_NONE : text_skip(args, (size_t)found + text_of(keys[i]).n);

        if (found >= 0 && scheme >= 0 && scheme < found && value.n && value.p[0] != '$' && value.p[0] != '&' && value.p[0] != ')')
            return true;
    }
    if (scheme < 0)
        return false;
    host = text_skip(args, (size_t)scheme + 3);
    at = text_find(host, '/');
    host = text_head(host, at < 0 ? host.n : (size_t)at);
    at = text_find(host, '@');
    colon = text_find(host, ':');
    return at > 0 && colon > 0 && colon < at && host.p[colon + 1] != '$';
}

static bool is_digits(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
    return t.n > 0;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        if (flow_is(calls[i].app, "Authenticate") && is_digits(flow_argument(calls[i].args, 0)))
            err = audit_find(a, self, s->place, "the code that Authenticate asks for stands here");
    if (!err && has_secret(s->args))
        err = audit_find(a, self, s->place, "a password or key stands in the arguments of %.*s", TEXT_ARG(s->app));
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Authenticate(4711)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(X=${CURL(https://crm.example.com/find?api_key=f00ba4&n=1)})\n"
              " same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AGI(agi://app:hunter2@10.0.0.3/x)\n"
              " same => n,NoOp(${AGISTATUS})\n same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Authenticate(/etc/asterisk/codes)\n"
              " same => n,Set(X=${CURL(https://crm.example.com/find?api_key=${KEY})})\n"
              " same => n,Set(P=password=x)\n same => n,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_code_in_plan = {
    .code = "ST214",
    .name = "code-in-dialplan",
    .severity = AUDIT_WARNING,
    .summary = "A code, a password or a key stands in the dialplan.",
    .why = "Every console, every manager user with ShowDialPlan, every log at verbose 3 and every backup shows it, and "
           "nobody changes it.",
    .fix = "Keep codes in a file, Authenticate(/etc/asterisk/codes), and keys in [globals] of a file that only Asterisk "
           "reads.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
