/* Rule ST519: dynamic members are gone after a restart. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/rules/sections.h"
#include "audit/rules/each.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        if (flow_is(calls[i].app, "AddQueueMember"))
            err = audit_find(a, self, s->place, "who logs in here is no member any more after a restart: persistentmembers is not yes");
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_QUEUES, "general", &g);

    if (err || !a->files[AUDIT_QUEUES] || settings_is(g, "persistentmembers", false))
        return err;
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AddQueueMember(q,PJSIP/1)\n same => n,Hangup()\n"
              ";; file queues.conf\n[general]\n[q]\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AddQueueMember(q,PJSIP/1)\n same => n,Hangup()\n"
              ";; file queues.conf\n[general]\npersistentmembers = yes\n[q]\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_queue_forgets = {
    .code = "ST519",
    .name = "queue-forgets-members",
    .severity = AUDIT_NOTE,
    .summary = "Agents who logged in are gone after a restart.",
    .why = "Without persistentmembers Asterisk keeps dynamic members in memory only: after a restart the queue is empty, "
           "and callers wait for nobody (apps/app_queue.c of 22.10.1).",
    .fix = "Write into [general] of queues.conf: persistentmembers = yes",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
