/* Rule ST520: a queue leads to a place that does not exist. */
#include "audit/rules.h"

#include "audit/dialplan.h"
#include "audit/rules/each.h"
#include "audit/rules/sections.h"

static int look_at_member(struct audit *a, const struct audit_rule *self, const struct conf_section *s, const struct conf_item *item)
{
    struct text device = item->value, context;
    const struct dialplan_context *c;
    bool is_open = false;
    ptrdiff_t end;

    end = text_find(device, ',');
    device = text_trim(end < 0 ? device : text_head(device, (size_t)end));
    end = text_find(device, '@');
    if (!text_starts_nocase(device, TEXT("Local/")) || end < 0)
        return 0;
    context = text_skip(device, (size_t)end + 1);
    device = text_skip(text_head(device, (size_t)end), 6);
    end = text_find(context, '/');
    context = end < 0 ? context : text_head(context, (size_t)end);
    c = dialplan_context_of(a->dialplan, context);
    if (c ? dialplan_match(a->dialplan, c, device, 1, &is_open) || is_open : a->dialplan->is_open)
        return 0;
    return audit_find(a, self, item->place, "member %.*s of queue %.*s: there is no extension %.*s in context \"%.*s\"", TEXT_ARG(item->value),
                      TEXT_ARG(s->name), TEXT_ARG(device), TEXT_ARG(context));
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    for (size_t i = 0; a->dialplan && !err && i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        if (text_eq_nocase(item->name, TEXT("member")))
            err = look_at_member(a, self, s, item);
        else if (text_eq_nocase(item->name, TEXT("context")) && item->value.n && rule_lacks_context(a, item->value))
            err = audit_find(a, self, item->place, "callers of queue %.*s who press a key go to context \"%.*s\", which does not exist",
                             TEXT_ARG(s->name), TEXT_ARG(item->value));
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_QUEUES, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "queues.conf",
      .text = "[q]\nmember => Local/100@agents/n\n;; file extensions.conf\n[agents]\n"
              "exten => 101,1,Hangup()\n",
      .is_bad = true },
    { .file = "queues.conf",
      .text = "[q]\ncontext = exits\n;; file extensions.conf\n[agents]\n"
              "exten => 101,1,Hangup()\n",
      .is_bad = true },
    { .file = "queues.conf",
      .text = "[q]\ncontext = agents\nmember => Local/100@agents/n,1\nmember => PJSIP/7\n"
              ";; file extensions.conf\n[agents]\nexten => _10X,1,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_queue_member = {
    .code = "ST520",
    .name = "queue-to-nowhere",
    .severity = AUDIT_ERROR,
    .summary = "A queue's member or exit context does not exist in the dialplan.",
    .why = "The member counts as there and never answers: each caller waits through its timeout; a caller who presses a key "
           "to leave stays.",
    .fix = "Correct the member: member => Local/100@agents/n",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
