/* Rule ST212: DISA gives a dial tone for a short code or none. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/ways.h"

enum { CODE_MIN = 8 };

static int look_at(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct text code = flow_argument(calls[i].args, 0);
        const bool is_open = text_eq_nocase(code, TEXT("no-password"));

        if (!flow_is(calls[i].app, "DISA") || (!is_open && (text_find(code, '/') >= 0 || code.n >= CODE_MIN)))
            continue;
        err = audit_find(w->audit, self, s->place, is_open ? "DISA gives callers from outside a dial tone without a code"
                                                           : "DISA gives callers from outside a dial tone for a short code that stands here");
        if (!err)
            err = ways_show(w, node, s, "gives it");
    }
    return err;
}

static int visit(struct ways *w, const struct audit_rule *self, size_t node)
{
    return ways_each_step(w, self, node, look_at);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return ways_each(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,DISA(no-password,out)\n[out]\nexten => 1,1,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,DISA(1234,out)\n[out]\nexten => 1,1,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nexten => 1,1,Authenticate(/etc/asterisk/codes)\n"
              " same => n,DISA(no-password,out)\n[out]\nexten => 1,1,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_dial_tone = {
    .code = "ST212",
    .name = "outside-dial-tone",
    .severity = AUDIT_ERROR,
    .summary = "DISA gives callers from outside a dial tone for a short code or none.",
    .why = "DISA is a second dial tone: whoever finds it calls on at your cost. It asks three times a call and is called "
           "all night; four digits are found in days (apps/app_disa.c).",
    .fix = "Ask for a code of eight digits from a file first: Authenticate(/etc/asterisk/codes)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
