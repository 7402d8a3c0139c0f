/* Rule ST902: a context of the files is not loaded. */
#include "audit/rules.h"

#include "audit/dialplan.h"
#include "audit/live.h"

/* One without a line is made, but not told by ShowDialPlan (seen on 22.10.1). */
static bool is_told(const struct dialplan_context *c)
{
    return c->extension_count || c->include_count;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf_section *loaded = live_section(a, "contexts");
    const struct dialplan *d = a->dialplan;
    struct live_names names;
    int err = loaded && d ? live_names_of(&names, a, loaded) : 0;

    for (size_t i = 0; loaded && d && !err && i < d->context_count; i++)
        if (is_told(d->contexts[i]) && live_is_plain(d->contexts[i]->name) && !live_names_have(&names, d->contexts[i]->name))
            err = audit_find(a, self, d->contexts[i]->place, "context \"%.*s\" is in the file, but not loaded", TEXT_ARG(d->contexts[i]->name));
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n[b]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[contexts]\ncontext = a\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n[b]\n;; file sidetone-live.conf\n[contexts]\ncontext = a\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;; file sidetone-live.conf\n[modules]\nmodule = x\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_not_loaded = {
    .code = "ST902",
    .name = "live-context-not-loaded",
    .severity = AUDIT_ERROR,
    .summary = "A context of extensions.conf is not loaded.",
    .why = "The file was changed and not read again, or Asterisk refused it: calls that should go there find nothing.",
    .fix = "asterisk -rx \"dialplan reload\", and look into Asterisk's log",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
