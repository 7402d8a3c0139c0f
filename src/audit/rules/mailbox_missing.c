/* Rule ST534: the dialplan sends callers to a mailbox that is not there. */
#include "audit/rules.h"

#include <errno.h>

#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules/elsewhere.h"
#include "audit/rules/sections.h"

struct boxes {
    struct settings file;          /* voicemail.conf */
    struct settings phones;        /* users.conf may make mailboxes */
    bool is_any_context;           /* searchcontexts */
};

static bool holds(const struct settings_group *g, struct text box)
{
    for (size_t i = 0; g && i < g->count; i++)
        for (size_t k = 0; k < g->sections[i]->count; k++)
            if (text_eq_nocase(g->sections[i]->items[k].name, box))
                return true;
    return false;
}

static bool is_there(const struct boxes *b, struct text box, const char *context, const char *name)
{
    if (settings_find(&b->phones, name) || holds(settings_find(&b->file, context), box))
        return true;
    for (size_t i = 0; b->is_any_context && i < b->file.count; i++)
        if (holds(b->file.groups + i, box))
            return true;
    return false;
}

/* "100@default&101,u": each of them. */
static int look(struct audit *a, const struct audit_rule *self, const struct boxes *b, const struct flow_call *c)
{
    struct text rest = flow_argument(c->args, 0), one;
    int err = 0;

    while (!err && rest.n && text_cut(&rest, '&', &one)) {
        const ptrdiff_t at = text_find(one, '@');
        const struct text box = text_trim(at < 0 ? one : text_head(one, (size_t)at));
        const char *context = arena_text(a->memory, text_trim(at < 0 ? TEXT("default") : text_skip(one, (size_t)at + 1))), *name = arena_text(a->memory, box);

        if (!context || !name)
            return -ENOMEM;
        if (box.n && expression_is_plain(one) && text_find(one, '|') < 0 && /* bars are told by ST128 */ !is_there(b, box, context, name))
            err = audit_find(a, self, c->step->place, "voicemail.conf has no mailbox %s in context \"%s\"", name, context);
    }
    return err;
}

static int look_at_step(struct audit *a, const struct audit_rule *self, const struct boxes *b, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        if (flow_is(calls[i].app, "VoiceMail"))
            err = look(a, self, b, calls + i);
    return err;
}

static int boxes_read(struct boxes *b, struct audit *a)
{
    int err = settings_read(&b->file, a->memory, a->files[AUDIT_VOICEMAIL]);

    if (!err)
        err = settings_read(&b->phones, a->memory, a->files[AUDIT_USERS]);
    b->is_any_context = !err && settings_is(settings_find(&b->file, "general"), "searchcontexts", false);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct dialplan *d = a->dialplan;
    struct boxes b;
    int err;

    if (!d || !a->files[AUDIT_VOICEMAIL] || rule_is_realtime(a, "voicemail") || rule_has_hole(a, AUDIT_VOICEMAIL))
        return 0;
    err = boxes_read(&b, a);
    if (err || settings_value(settings_find(&b.file, "general"), "aliasescontext").n)
        return err;
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++)
            for (size_t n = 0; !err && n < d->contexts[i]->extensions[k]->step_count; n++)
                err = look_at_step(a, self, &b, d->contexts[i]->extensions[k]->steps + n);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,VoiceMail(100,u)\n same => n,Hangup()\n;; file voicemail.conf\n[general]\n[default]\n101 => 7319,Ann\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,VoiceMail(101@home&100@office,u)\n same => n,Hangup()\n;; file voicemail.conf\n[home]\n101 => 7319,Ann\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,VoiceMail(101@home,u)\n same => n,VoiceMail(${EXTEN})\n same => n,Hangup()\n;; file voicemail.conf\n[home]\n101 => 7319,Ann\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,VoiceMail(101,u)\n same => n,Hangup()\n;; file voicemail.conf\n[general]\nsearchcontexts = yes\n[home]\n101 => 7319,Ann\n",
      .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,VoiceMail(101,u)\n same => n,Hangup()\n;; file voicemail.conf\n[general]\n;; file users.conf\n[101]\nhasvoicemail = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_mailbox_missing = {
    .code = "ST534",
    .name = "mailbox-missing",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan sends callers to a mailbox that voicemail.conf does not have.",
    .why = "VoiceMail() writes \"No entry in voicemail config file\" and comes back with VMSTATUS=FAILED: the caller hears no greeting and leaves no message "
           "(apps/app_voicemail.c of 22.10.1).",
    .fix = "Write the mailbox, or correct its context: VoiceMail(100@office,u).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
