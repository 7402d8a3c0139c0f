/* Rule ST102: an include of a context that does not exist. */
#include "audit/dialplan.h"
#include "audit/expression.h"
#include "audit/known.h"
#include "audit/rules.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->include_count; k++) {
            const struct dialplan_include *include = d->contexts[i]->includes + k;

            if (!include->target && expression_is_plain(include->name) && !known_context(include->name))
                err = audit_find(a, self, include->place, "context \"%.*s\" includes \"%.*s\", which does not exist",
                                 TEXT_ARG(d->contexts[i]->name), TEXT_ARG(include->name));
        }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\ninclude => bb\n[b]\nexten => 1,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\ninclude => parkedcalls\nexten => 1,1,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\ninclude => b,09:00-17:00,mon-fri,*,*\n[b]\nexten => 1,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_missing_include = {
    .code = "ST102",
    .name = "missing-include",
    .severity = AUDIT_ERROR,
    .summary = "A context includes one that does not exist.",
    .why = "Asterisk warns at load, ignores the include and goes on: extensions that should be found are not.",
    .fix = "Correct the name, or write the context.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
