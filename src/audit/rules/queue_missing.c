/* Rule ST533: the dialplan sends calls to a queue that is not there. */
#include "audit/rules.h"

#include <errno.h>

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules/elsewhere.h"
#include "audit/rules/sections.h"

static int look(struct audit *a, const struct audit_rule *self, const struct settings *queues, const struct flow_call *c)
{
    const struct text name = flow_argument(c->args, 0);
    const char *copy;

    if (!flow_is(c->app, "Queue") || !name.n || !expression_is_plain(name) || text_find(name, '|') >= 0) /* bars are told by ST128 */
        return 0;
    copy = arena_text(a->memory, name);
    if (!copy)
        return -ENOMEM;
    if (settings_find(queues, copy))
        return 0;
    return audit_find(a, self, c->step->place, "queues.conf has no queue \"%.*s\"", TEXT_ARG(name));
}

static int look_at_plan(struct audit *a, const struct audit_rule *self, const struct settings *queues)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++) {
            const struct dialplan_extension *e = d->contexts[i]->extensions[k];

            for (size_t n = 0; !err && n < e->step_count; n++) {
                struct flow_call calls[FLOW_CALLS_MAX];
                const size_t count = flow_calls(e->steps + n, calls);

                for (size_t m = 0; !err && m < count; m++)
                    err = look(a, self, queues, calls + m);
            }
        }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct settings queues;
    int err;

    if (!a->files[AUDIT_QUEUES] || rule_is_realtime(a, "queues") || rule_has_hole(a, AUDIT_QUEUES))
        return 0;
    err = settings_read(&queues, a->memory, a->files[AUDIT_QUEUES]);
    return err ? err : look_at_plan(a, self, &queues);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(sales,t)\n same => n,Hangup()\n;; file queues.conf\n[general]\n[sale]\nstrategy = ringall\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(Sales,t)\n same => n,Queue(${Q})\n same => n,Hangup()\n;; file queues.conf\n[sales]\nstrategy = ringall\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(sales,t)\n same => n,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Queue(sales,t)\n same => n,Hangup()\n;; file queues.conf\n[general]\n;; file extconfig.conf\n[settings]\nqueues => odbc,asterisk\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_queue_missing = {
    .code = "ST533",
    .name = "queue-missing",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan sends calls to a queue that queues.conf does not have.",
    .why = "Queue() comes back at once (\"Unable to join queue\" in the log), and the caller goes on behind it as if nobody had answered (apps/app_queue.c of 22.10.1).",
    .fix = "Correct the name, or write the queue.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
