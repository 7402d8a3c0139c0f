/* Rule ST112: an include that another one hides. */
#include "audit/rules.h"

#include "audit/dialplan.h"

enum { EXTENSIONS_MAX = 2000, INCLUDES_MAX = 64 }; /* of one context; more are not compared */

/* A call enters at priority 1; one that begins elsewhere hides nothing. */
static bool is_entered(const struct dialplan_extension *e)
{
    return e && dialplan_step_of(e, 1);
}

/* Does the context itself, or an include before the kth that is always open, hold an extension of that name? */
static bool is_hidden(const struct audit *a, const struct dialplan_context *c, size_t k, const struct dialplan_extension *e)
{
    const struct dialplan *d = a->dialplan;

    if (is_entered(dialplan_extension_of(d, c, e->name, e->caller)))
        return true;
    for (size_t i = 0; i < k; i++)
        if (c->includes[i].target && !c->includes[i].times.n && is_entered(dialplan_extension_of(d, c->includes[i].target, e->name, e->caller)))
            return true;
    return false;
}

static int look(struct audit *a, const struct audit_rule *self, const struct dialplan_context *c, size_t k)
{
    const struct dialplan_include *include = c->includes + k;
    const struct dialplan_context *t = include->target;
    const struct dialplan_extension *one = NULL;

    if (k >= INCLUDES_MAX || !t || t == c || t->has_switch || t->include_count || !t->extension_count || t->extension_count > EXTENSIONS_MAX)
        return 0;
    for (size_t i = 0; i < t->extension_count; i++) {
        if (!t->extensions[i]->step_count)
            continue;
        if (!is_entered(t->extensions[i]) || !is_hidden(a, c, k, t->extensions[i]))
            return 0;
        one = one ? one : t->extensions[i];
    }
    if (!one)
        return 0;
    return audit_find(a, self, include->place, "nothing of \"%.*s\" is reached from \"%.*s\": what comes before has %.*s and all the others",
                      TEXT_ARG(t->name), TEXT_ARG(c->name), TEXT_ARG(one->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->include_count; k++)
            err = look(a, self, d->contexts[i], k);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[in]\ninclude => night\ninclude => day,09:00-17:00,mon-fri,*,*\n[night]\n"
              "exten => s,1,Hangup()\n[day]\nexten => s,1,Answer()\n same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\nexten => _2XX,1,Hangup()\ninclude => more\n[more]\n"
              "exten => _2XX,1,Busy()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[in]\ninclude => day,09:00-17:00,mon-fri,*,*\ninclude => night\n[night]\n"
              "exten => s,1,Hangup()\n[day]\nexten => s,1,Answer()\n same => n,Hangup()\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[in]\ninclude => time\ninclude => ani\n[time]\nexten => _X.,30000(time),Return()\n[ani]\nexten => _X.,40000(ani),Return()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_include_shadowed = {
    .code = "ST112",
    .name = "include-shadowed",
    .severity = AUDIT_WARNING,
    .summary = "Nothing of an included context is ever reached: the context, or an include before it, has the same "
               "extensions.",
    .why = "A context's own extensions come first, then its includes in the order of the file; one that is always open "
           "hides a later one with times, so that the day's greeting is never played.",
    .fix = "Put the one with times first: include => day,09:00-17:00,mon-fri,*,*",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
