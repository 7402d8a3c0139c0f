/* Rule ST102: an include of a context that does not exist. */
#include "audit/dialplan.h"
#include "audit/expression.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

/* Hooks that FreePBX and its kin leave open in every context that they write: nothing is missing when nobody fills them. */
struct hooks {
    const struct dialplan_include *first;
    size_t count;
};

static int tell_hooks(struct audit *a, const struct audit_rule *self, const struct hooks *h)
{
    const struct dialplan_include *const i = h->first;
    int err = 0;

    if (!i)
        return 0;
    if (h->count > 1)
        err = audit_find(a, self, i->place, "hooks whose names end in -custom are included, and not written: \"%.*s\", and %zu more", TEXT_ARG(i->name),
                         h->count - 1);
    else
        err = audit_find(a, self, i->place, "\"%.*s\", a hook by its name, is included, and not written", TEXT_ARG(i->name));
    if (err)
        return err;
    audit_weigh(a, AUDIT_NOTE);
    return audit_hint(a, "nothing to do, unless you meant to fill it: Asterisk warns at each reload, and goes on without it");
}

/* FreePBX and its kin write this file anew at each change, with includes of modules that are switched off: nobody mistyped them. */
static bool is_generated(const char *file)
{
    return file && text_ends(text_of(file), TEXT("extensions_additional.conf"));
}

static int look_at(struct audit *a, const struct audit_rule *self, const struct dialplan_context *c, const struct dialplan_include *i, struct hooks *h)
{
    if (i->target || !expression_is_plain(i->name) || !rule_lacks_context(a, i->name))
        return 0;
    if (!text_ends(i->name, TEXT("-custom"))) {
        const int err = audit_find(a, self, i->place, "context \"%.*s\" includes \"%.*s\", which does not exist", TEXT_ARG(c->name), TEXT_ARG(i->name));

        if (!err && is_generated(i->place.file))
            audit_weigh(a, AUDIT_WARNING);
        return err ? err : rule_hint_hole(a);
    }
    if (h->count++ == 0)
        h->first = i;
    return 0;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct dialplan *d = a->dialplan;
    struct hooks hooks = { .first = NULL };
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->include_count; k++)
            err = look_at(a, self, d->contexts[i], d->contexts[i]->includes + k, &hooks);
    return err ? err : tell_hooks(a, self, &hooks);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\ninclude => bb\n[b]\nexten => 1,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\ninclude => a-custom\nexten => 1,1,Hangup()\n[b]\ninclude => b-custom\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\ninclude => parkedcalls\nexten => 1,1,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\ninclude => b,09:00-17:00,mon-fri,*,*\n[b]\nexten => 1,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_missing_include = {
    .code = "ST102",
    .name = "missing-include",
    .severity = AUDIT_ERROR,
    .summary = "A context includes one that does not exist.",
    .why = "Asterisk warns at load, ignores the include and goes on: extensions that should be found are not. Names that end in -custom, which FreePBX writes for others to fill, are told once.",
    .fix = "Correct the name, or write the context.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
