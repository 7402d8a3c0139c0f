/* Rule ST509: what the dialplan runs is in a module that is kept out. */
#include "audit/rules.h"

#include <string.h>

#include "audit/dialplan.h"
#include "audit/flow.h"
#include "audit/known.h"
#include "audit/modules.h"

enum { MISSING_MAX = 64 };         /* noload lines that matter: more are not told */

struct missing {
    const struct conf_item *item;  /* the noload line */
    const char *module, *who;      /* who needs it first, and where */
    struct conf_place place;
    size_t count;
};

struct list {
    struct audit *audit;
    struct missing missing[MISSING_MAX];
    size_t count;
};

/* NULL: one of the modules that serve is not kept out. */
static const struct conf_item *kept_out(const struct audit *a, const char *module)
{
    const struct conf_item *item = NULL;

    for (size_t i = known_module_variants(module); i > 0; i--) {
        item = modules_noload(a, known_module_variant(module, i - 1));
        if (!item)
            return NULL;
    }
    return item;
}

static void need(struct list *l, const char *module, const char *who, struct conf_place place)
{
    const struct conf_item *item;

    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->missing[i].module, module) == 0) {
            l->missing[i].count++;
            return;
        }
    item = kept_out(l->audit, module);
    if (item && l->count < MISSING_MAX)
        l->missing[l->count++] = (struct missing){ .item = item, .module = module, .who = who, .place = place, .count = 1 };
}

static void look_at_step(struct list *l, const struct dialplan_step *s)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);

    for (size_t i = 0; i < n; i++) {
        const struct known_app *k = known_app_of(calls[i].app);

        if (k && k->module)
            need(l, k->module, k->name, s->place);
    }
}

static void look_at_plan(struct list *l)
{
    const struct dialplan *const d = l->audit->dialplan;

    for (size_t i = 0; d && i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++) {
            const struct dialplan_extension *const e = d->contexts[i]->extensions[k];

            for (size_t n = 0; n < e->step_count; n++)
                look_at_step(l, e->steps + n);
        }
}

/* Files that mean nothing without their modules. */
static void look_at_files(struct list *l)
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

    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        const struct conf *c = l->audit->files[needs[i].file];

        if (c && c->section_count > 1)
            need(l, needs[i].module, audit_file_name(needs[i].file), c->sections[0].place);
    }
}

static int tell(struct audit *a, const struct audit_rule *self, const struct missing *m)
{
    if (m->count == 1)
        return audit_find(a, self, m->item->place, "%s is kept out, and %s on %s:%u needs it", m->module, m->who, m->place.file, m->place.line);
    return audit_find(a, self, m->item->place, "%s is kept out, and %zu places need it: %s on %s:%u is the first", m->module, m->count, m->who,
                      m->place.file, m->place.line);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct list l = { .audit = a };
    int err = 0;

    if (!a->files[AUDIT_MODULES])
        return 0;
    look_at_files(&l);
    look_at_plan(&l);
    for (size_t i = 0; !err && i < l.count; i++)
        err = tell(a, self, &l.missing[i]);
    return err;
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
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,VoiceMail(1)\n;; file modules.conf\n[modules]\n"
              "autoload = yes\nnoload = app_voicemail_imap.so\nnoload = app_voicemail_odbc.so\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,VoiceMail(1)\n;; file modules.conf\n[modules]\n"
              "noload = app_voicemail.so\nnoload = app_voicemail_imap.so\nnoload = app_voicemail_odbc.so\n",
      .is_bad = true },
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
