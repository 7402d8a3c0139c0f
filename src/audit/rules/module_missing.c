/* Rule ST509: what the dialplan runs is in a module that is kept out. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/known.h"
#include "audit/modules.h"
#include "audit/rules/sections.h"
#include "audit/rules/each.h"

static int look(struct audit *a, const struct audit_rule *self, const char *module, const char *who, struct conf_place place)
{
    const struct conf_item *item = modules_noload(a, module);

    return item ? audit_find(a, self, item->place, "%s is kept out, and %s on %s:%u needs it", module, who, place.file, place.line) : 0;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        const struct known_app *k = known_app_of(calls[i].app);

        if (k && k->module)
            err = look(a, self, k->module, k->name, s->place);
    }
    return err;
}

/* Files that mean nothing without their modules. */
static int look_at_files(struct audit *a, const struct audit_rule *self)
{
    static const struct {
        enum audit_file file;
        const char *module;
    } needs[] = {
        { AUDIT_ARI, "res_ari" },           { AUDIT_ARI, "res_stasis" },         { AUDIT_ARI, "res_http_websocket" },
        { AUDIT_PJSIP, "chan_pjsip" },      { AUDIT_PJSIP, "res_pjsip" },        { AUDIT_PJSIP, "res_pjsip_session" },
        { AUDIT_QUEUES, "app_queue" },      { AUDIT_VOICEMAIL, "app_voicemail" }, { AUDIT_WEBSOCKET_CLIENT, "res_websocket_client" },
        { AUDIT_IAX, "chan_iax2" },
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof needs / sizeof *needs; i++) {
        const struct conf *c = a->files[needs[i].file];

        if (c && c->section_count > 1)
            err = look(a, self, needs[i].module, audit_file_name(needs[i].file), c->sections[0].place);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const int err = a->files[AUDIT_MODULES] ? look_at_files(a, self) : 0;

    return err || !a->files[AUDIT_MODULES] ? err : rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AGI(x.py)\n;; file modules.conf\n[modules]\n"
              "autoload = yes\nnoload = res_agi.so\n",
      .is_bad = true },
    { .file = "ari.conf",
      .text = "[general]\nenabled = yes\n[u]\ntype = user\n;; file modules.conf\n"
              "[modules]\nautoload = yes\nnoload => res_http_websocket.so\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,AGI(x.py)\n;; file modules.conf\n[modules]\n"
              "autoload = yes\nnoload = app_queue.so\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_module_missing = {
    .code = "ST509",
    .name = "module-not-loaded",
    .severity = AUDIT_ERROR,
    .summary = "The dialplan or a file needs a module that modules.conf keeps out.",
    .why = "The application is then unknown, and the call ends at it with \"No application ... for extension\"; a file "
           "without its module is not read at all.",
    .fix = "Remove its noload line, then: module load NAME",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
