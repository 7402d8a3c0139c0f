/* Rule ST108: a pattern whose every call another extension takes. */
#include "audit/rules.h"
#include "audit/rules/each.h"

enum { PATTERNS_MAX = 2000 }; /* of one context; the comparison is quadratic */

/* Two spellings of one pattern: _NXX and _[2-9]XX. */
static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e)
{
    const struct dialplan_context *c = e->context;
    size_t seen = 0;
    int err = 0;

    if (!e->is_pattern || e->caller.p || c->pattern_count > PATTERNS_MAX)
        return 0;
    for (size_t i = 0; !err && seen < c->pattern_count && i < c->extension_count && c->extensions[i] != e; i++) {
        const struct dialplan_extension *other = c->extensions[i];

        seen += other->is_pattern;
        if (other->is_pattern && !other->caller.p && dialplan_rank(other->name, e->name) == 0)
            err = audit_find(a, self, e->place, "%.*s matches the same digits as %.*s on line %u: only one of them gets the call",
                             TEXT_ARG(e->name), TEXT_ARG(other->name), other->place.line);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_extension(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => _NXX,1,Hangup()\nexten => _[2-9]xx,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _1-XX,1,Hangup()\nexten => _1XX,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _NXX,1,Hangup()\nexten => _XXX,1,Hangup()\nexten => _2.,1,Hangup()\n", .is_bad = false },
};

const struct audit_rule audit_rule_shadowed_pattern = {
    .code = "ST108",
    .name = "shadowed-pattern",
    .severity = AUDIT_WARNING,
    .summary = "An extension is the same pattern as another one, or one that Asterisk always prefers.",
    .why = "Asterisk takes the most specific match whatever the order in the file; of two patterns that match the same "
           "digits under other letters one gets no call at all.",
    .fix = "Join the two, or make one narrower.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
