/* Rule ST221: a call's control or audio goes over the Internet in clear. */
#include "audit/rules.h"

#include "audit/reach.h"
#include "audit/flow.h"
#include "audit/rules/each.h"

/* The address behind "agi://" or "host:port" of AudioSocket; TEXT_NONE: a name, or nothing of that kind. */
static struct text address_of(const struct flow_call *c)
{
    struct text t = TEXT_NONE, host;
    ptrdiff_t end;

    if (flow_is(c->app, "AGI") && text_starts_nocase(c->args, TEXT("agi://")))
        t = text_skip(flow_argument(c->args, 0), 6);
    else if (flow_is(c->app, "AudioSocket"))
        t = flow_argument(c->args, 1);
    else if (flow_is(c->app, "Dial") && text_starts_nocase(c->args, TEXT("AudioSocket/")))
        t = text_skip(flow_argument(c->args, 0), 12);
    end = text_find(t, '/');
    t = text_head(t, end < 0 ? t.n : (size_t)end);
    end = text_find(t, ':');
    host = text_head(t, end < 0 ? t.n : (size_t)end);
    for (size_t i = 0; i < host.n; i++)
        if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.')
            return TEXT_NONE; /* a name may be one of the house */
    return host;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct text host = address_of(calls + i);

        if (host.n && reach_of(host) == REACH_OPEN)
            err = audit_find(a, self, s->place, "%.*s goes to %.*s in clear and without a password", TEXT_ARG(calls[i].app), TEXT_ARG(host));
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AGI(agi://198.51.100.7/x)\n same => n,NoOp(${AGISTATUS})\n"
              " same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\n"
              "exten => 1,1,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,198.51.100.7:9092)\n"
              " same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AGI(agi://10.0.0.7/x)\n same => n,NoOp(${AGISTATUS})\n"
              " same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,media:9092)\n"
              " same => n,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_plain_network = {
    .code = "ST221",
    .name = "plain-to-internet",
    .severity = AUDIT_WARNING,
    .summary = "FastAGI or AudioSocket goes to a public address.",
    .why = "Neither has encryption or a password: who is on the way hears the call, changes its variables, or takes its "
           "control (res/res_agi.c, res/res_audiosocket.c of 22.10.1).",
    .fix = "Keep it on 127.0.0.1 or in a tunnel: AGI(agi://127.0.0.1/x)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
