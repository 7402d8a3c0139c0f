/* Prints how the auditor reads a folder's dialplan, one step a line: context, extension, caller, priority, label, application, arguments, between
 * tabs. Extensions of a context in Asterisk's order of choice. usage: dump_dialplan FOLDER */
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "audit/dialplan.h"

static int by_rank(const void *x, const void *y)
{
    const struct dialplan_extension *const *a = x, *const *b = y;

    return dialplan_rank((*a)->name, (*b)->name);
}

static void print_extension(const struct dialplan_extension *e)
{
    for (size_t i = 0; i < e->step_count; i++) {
        const struct dialplan_step *s = e->steps + i;

        printf("%.*s\t%.*s\t%.*s\t%u\t%.*s\t%.*s\t%.*s\n", TEXT_ARG(e->context->name), TEXT_ARG(e->name), TEXT_ARG(e->caller), s->priority,
               TEXT_ARG(s->label), TEXT_ARG(s->app), TEXT_ARG(s->args));
    }
    if (e->hint.p)
        printf("%.*s\t%.*s\t%.*s\t-1\t\t%.*s\t\n", TEXT_ARG(e->context->name), TEXT_ARG(e->name), TEXT_ARG(e->caller), TEXT_ARG(e->hint));
}

int main(int argc, char **argv)
{
    const struct audit_options opt = { .folder = argc > 1 ? argv[1] : "." };
    struct audit *a;
    const int err = audit_open(&a, &opt);

    if (err || !a->dialplan) {
        fprintf(stderr, "%s: %s\n", opt.folder, err ? err_text(err) : "no dialplan");
        return 1;
    }
    for (size_t i = 0; i < a->dialplan->context_count; i++) {
        struct dialplan_context *c = a->dialplan->contexts[i];

        if (c->extension_count)
            qsort(c->extensions, c->extension_count, sizeof *c->extensions, by_rank);
        for (size_t k = 0; k < c->extension_count; k++)
            print_extension(c->extensions[k]);
    }
    audit_free(a);
    return 0;
}
