/* Rule ST215: callers from outside get to a switch that no file shows. */
#include "audit/rules.h"

#include "audit/ways.h"

static int visit(struct ways *w, const struct audit_rule *self, size_t node)
{
    const struct dialplan_context *c = w->nodes[node].context;
    int err = 0;

    for (size_t i = 0; !w->nodes[node].extension && !err && i < c->line_count; i++)
        if (!text_eq_nocase(c->lines[i].name, TEXT("ignorepat")))
            err = audit_find(w->audit, self, c->lines[i].place, "callers from outside get to what %.*s answers: no file shows whether that is a trunk",
                             TEXT_ARG(c->lines[i].value));
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return ways_each(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[default]\nswitch => Realtime/@extensions\n", .is_bad = true },
    { .file = "extensions.conf",
      .text = "[default]\nignorepat => 9\nexten => 1,1,Hangup()\n[desks]\n"
              "switch => DUNDi/priv\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_answering_switch = {
    .code = "ST215",
    .name = "outside-switch",
    .severity = AUDIT_NOTE,
    .summary = "Callers from outside get to a switch, whose extensions stand in no file.",
    .why = "switch => Realtime, DUNDi, IAX2 or Lua answers with extensions of a database, another machine or a program: the "
           "proof that no trunk is reached ends there.",
    .fix = "Put the switch into a context that strangers do not reach, or review what it answers.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
