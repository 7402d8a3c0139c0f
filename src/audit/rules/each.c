/* Walks the dialplan for rules. */
#include "audit/rules/each.h"

#include "audit/known.h"

int rule_each_extension(struct audit *a, const struct audit_rule *self, each_extension *visit)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->extension_count; k++)
            err = visit(a, self, d->contexts[i]->extensions[k]);
    return err;
}

int rule_each_step(struct audit *a, const struct audit_rule *self, each_step *visit)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++)
        for (size_t k = 0; !err && k < d->contexts[i]->extension_count; k++) {
            const struct dialplan_extension *e = d->contexts[i]->extensions[k];

            for (size_t n = 0; !err && n < e->step_count; n++)
                err = visit(a, self, e->steps + n);
        }
    return err;
}

int rule_report_faults(struct audit *a, const struct audit_rule *self, enum dialplan_fault fault)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->problem_count; i++)
        if (d->problems[i].fault == fault)
            err = audit_find(a, self, d->problems[i].place, "%s", d->problems[i].message);
    return err;
}

/* The first #include whose file is not there, or #exec. NULL: none. */
static const struct conf_place *hole_of(const struct conf *c, const char **what)
{
    for (size_t i = 0; c && i < c->problem_count; i++)
        if (c->problems[i].severity == CONF_ERROR && text_find_text(text_of(c->problems[i].message), TEXT("no such file")) >= 0) {
            *what = "the file that is missing";
            return &c->problems[i].place;
        }
    for (size_t i = 0; c && i < c->directive_count; i++)
        if (c->directives[i].kind == CONF_EXEC) {
            *what = "what #exec prints, which is never run here";
            return &c->directives[i].place;
        }
    return NULL;
}

bool rule_lacks_context(const struct audit *a, struct text name)
{
    return a->dialplan && !a->dialplan->is_open && !dialplan_context_of(a->dialplan, name) && !known_context(name);
}

int rule_hint_hole(struct audit *a)
{
    const char *what;
    const struct conf_place *const hole = hole_of(a->files[AUDIT_EXTENSIONS], &what);

    if (!hole)
        return 0;
    audit_weigh(a, AUDIT_WARNING);
    return audit_hint(a, "or it stands in %s: %s:%u", what, hole->file ? hole->file : "?", hole->line);
}
