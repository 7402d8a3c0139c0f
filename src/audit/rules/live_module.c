/* Rule ST904: the dialplan runs an application whose module is not loaded. */
#include "audit/rules.h"

#include <string.h>

#include "audit/flow.h"
#include "audit/known.h"
#include "audit/live.h"
#include "audit/rules/each.h"

static bool is_loaded(const struct conf_section *loaded, const char *module)
{
    for (size_t i = 0; i < known_module_variants(module); i++)
        if (live_has(loaded, text_of(known_module_variant(module, i))))
            return true;
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    const struct conf_section *loaded = live_section(a, "modules");
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = loaded ? flow_calls(s, calls) : 0;
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct known_app *k = known_app_of(calls[i].app);

        if (k && k->module && strcmp(k->module, "builtin") && !is_loaded(loaded, k->module))
            err = audit_find(a, self, s->place, "%s needs %s, which is not loaded", k->name, k->module);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return live_section(a, "modules") ? rule_each_step(a, self, visit) : 0;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(support)\n same => n,Hangup()\n;; file sidetone-live.conf\n[modules]\nmodule = app_dial\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(support)\n same => n,Hangup()\n;; file sidetone-live.conf\n[modules]\nmodule = app_queue\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,VoiceMail(1)\n same => n,Hangup()\n;; file sidetone-live.conf\n[modules]\nmodule = app_voicemail_imap\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Queue(support)\n same => n,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_module = {
    .code = "ST904",
    .name = "live-module-missing",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan runs an application whose module is not loaded.",
    .why = "Asterisk ends the call there: \"No application\".",
    .fix = "asterisk -rx \"module load NAME.so\", and a load line in modules.conf where autoload = no",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
