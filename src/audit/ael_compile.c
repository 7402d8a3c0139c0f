/* Makes a dialplan of contexts and macros in AEL (res/ael/pval.c of 22.10.1, ast_compile_ael2). */
#include "audit/ael_code.h"

#include <errno.h>
#include <string.h>

static void routine_add(struct ael_code *c, struct ael_routine *r)
{
    if (c->last)
        c->last->next = r;
    else
        c->first = r;
    c->last = r;
    while (c->last->next) /* its cases */
        c->last = c->last->next;
}

static void globals_put(struct ael_code *c, const struct ael_node *n)
{
    struct dialplan *d = c->b->d;

    for (n = n->child; n; n = n->next)
        if (dialplan_room(c->b, &d->globals, &d->global_room, d->global_count, sizeof *d->globals))
            d->globals[d->global_count++] = (struct dialplan_line){ .name = n->name, .value = n->part[0], .place = n->place };
}

static void macro_compile(struct ael_code *c, struct ael_node *n)
{
    struct dialplan_context *context = dialplan_context_put(c->b, n->name, n->place);
    struct ael_routine *r = context ? ael_routine_new(c, context, TEXT("~~s~~"), n) : NULL;
    struct text rest = n->part[0], one;

    if (!r)
        return;
    for (unsigned i = 1; n->part_count && text_cut(&rest, ',', &one); i++)
        ael_step_made(c, r, NULL, n, "MSet", ael_text(c->b, "LOCAL(%.*s)=${ARG%u}", TEXT_ARG(one), i));
    ael_body(c, r, n->name, n->child, NULL);
    routine_add(c, r);
}

static void extension_compile(struct ael_code *c, struct dialplan_context *context, const struct ael_node *of, struct ael_node *n)
{
    const ptrdiff_t slash = text_find(n->name, '/');
    struct ael_routine *r = ael_routine_new(c, context, slash >= 0 ? text_head(n->name, (size_t)slash) : n->name, n);

    if (!r)
        return;
    if (slash >= 0)
        r->caller = text_skip(n->name, (size_t)slash + 1);
    r->hint = n->part[0];
    r->is_regexten = n->is_regexten;
    ael_body(c, r, of->name, n->child, NULL);
    if (r->last && r->last->kind == AEL_STEP_LABEL)
        ael_step_made(c, r, NULL, n, "NoOp", ael_text(c->b, "A NoOp to follow a trailing label %.*s", TEXT_ARG(r->last->origin->name)));
    routine_add(c, r);
}

static void context_compile(struct ael_code *c, struct ael_node *n)
{
    struct dialplan_context *context = dialplan_context_put(c->b, n->name, n->place);

    for (struct ael_node *one = n->child; context && one && !c->b->err; one = one->next) {
        const struct dialplan_line line = { .name = one->kind == AEL_IGNOREPAT ? TEXT("ignorepat") : one->part[0], .value = one->name, .place = one->place };

        if (one->kind == AEL_EXTENSION)
            extension_compile(c, context, n, one);
        else if (one->kind == AEL_INCLUDE)
            dialplan_include_put(c->b, context, (struct dialplan_include){ .name = one->name, .times = one->part[0], .place = one->place });
        else if (one->kind == AEL_IGNOREPAT || one->kind == AEL_SWITCH_LINE)
            dialplan_line_put(c->b, context, line, one->kind == AEL_SWITCH_LINE);
    }
}

void ael_compile(struct ael_tree *t, const struct ael_labels *labels, const struct audit *a)
{
    struct ael_code c = { .t = t, .b = t->b, .labels = labels, .audit = a };

    for (const struct ael_node *n = t->first; n; n = n->next)
        if (n->kind == AEL_GLOBALS)
            globals_put(&c, n);
    for (struct ael_node *n = t->first; n && !c.b->err; n = n->next) {
        if (n->kind == AEL_MACRO)
            macro_compile(&c, n);
        else if (n->kind == AEL_CONTEXT)
            context_compile(&c, n);
    }
    if (!c.b->err)
        ael_put(&c);
}
