/* Rule ST220: AGI or Stasis without a word on its failure. */
#include "audit/flow.h"
#include "audit/rules.h"
#include "audit/rules/each.h"

#include <string.h>

static const char *status_of(struct text app)
{
    if (flow_is(app, "AGI") || flow_is(app, "EAGI") || flow_is(app, "DeadAGI"))
        return "AGISTATUS";
    return flow_is(app, "Stasis") || flow_is(app, "StasisBroadcast") ? "STASISSTATUS" : NULL;
}

/* A handler may tell its outcome by a variable of its own; any condition behind the call is a look at something. */
static bool is_looked_at(const struct dialplan_step *s, const char *status)
{
    const struct dialplan_extension *e = s->extension;

    for (const struct dialplan_step *t = s + 1; t < e->steps + e->step_count; t++) {
        const char *next = status_of(t->app);

        if (text_find_text(t->args, text_of(status)) >= 0 || text_find_text(t->args, TEXT("SIDETONE_STATUS")) >= 0)
            return true;
        if (next && strcmp(next, status) == 0)
            return false; /* from here on the status is that of the next one */
    }
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    const char *status = status_of(s->app);

    if (!status || !flow_is_ordered(s->extension) || text_eq(s->extension->name, TEXT("h")) || is_looked_at(s, status))
        return 0;
    return audit_find(a, self, s->place, "nothing behind %.*s looks at ${%s}", TEXT_ARG(s->app), status);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AGI(agi://h/x)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AGI(a.py)\n same => n,AGI(b.py)\n same => n,GotoIf($[\"${AGISTATUS}\" = \"FAILURE\"]?bad)\n same => n(bad),Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Stasis(app)\n same => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,AGI(agi://h/x)\n same => n,GotoIf($[\"${AGISTATUS}\" = \"FAILURE\"]?bad)\n same => n(bad),Hangup()\nexten => h,1,AGI(bye.py)\n", .is_bad = false },
};

const struct audit_rule audit_rule_no_fallback = {
    .code = "ST220",
    .name = "no-fallback",
    .severity = AUDIT_WARNING,
    .summary = "A script or an application outside is called, and nothing looks whether that worked.",
    .why = "When the server is down, AGI sets AGISTATUS=FAILURE and Stasis STASISSTATUS=FAILED, and the dialplan goes on as "
           "if all were well: callers fall through or loop.",
    .fix = "Look at it: same => n,GotoIf($[\"${AGISTATUS}\" != \"SUCCESS\"]?fallback).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
