/* Rule ST901: a context is loaded that no file has. */
#include "audit/rules.h"

#include "audit/dialplan.h"
#include "audit/live.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf_section *loaded = live_section(a, "contexts");
    int err = 0;

    for (size_t i = 0; loaded && a->dialplan && !a->dialplan->is_open && !err && i < loaded->count; i++)
        if (text_eq(loaded->items[i].name, TEXT("context")) && !live_is_unsure(a, AUDIT_EXTENSIONS) &&
            !dialplan_context_of(a->dialplan, loaded->items[i].value))
            err = audit_find(a, self, loaded->items[i].place, "context \"%.*s\" is loaded, but extensions.conf does not have it",
                             TEXT_ARG(loaded->items[i].value));
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[contexts]\ncontext = a\ncontext = b\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[contexts]\ncontext = a\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_context = {
    .code = "ST901",
    .name = "live-context-in-no-file",
    .severity = AUDIT_WARNING,
    .summary = "A context is loaded that the files do not have.",
    .why = "It was removed from the file and not read again, or loaded from another folder. Calls still reach it, and the next reload takes it away.",
    .fix = "asterisk -rx \"dialplan reload\", or write the context into extensions.conf",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
