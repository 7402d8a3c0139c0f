/* Prints the plan or its patch. */
#include "cli/audit_plan.h"

#include <stdio.h>

#include "audit/plan.h"
#include "cli/cli.h"

enum { PATCH_MAX = 256 * 1024 * 1024 };

int audit_plan(struct audit *a, const struct audit_request *q)
{
    struct inventory *v = NULL;
    struct plan *p = NULL;
    struct buf b;
    int err = inventory_make(&v, a, q->agi_dir);

    buf_init(&b, PATCH_MAX);
    if (!err)
        err = plan_make(&p, a, v, q->agi_dir);
    if (!err && q->wants_patch)
        err = plan_patch(p, &b);
    if (!err && q->wants_patch)
        fwrite(b.p ? b.p : "", 1, b.n, stdout);
    else if (!err)
        plan_write(p, stdout);
    buf_free(&b);
    if (err)
        fprintf(stderr, "sidetone audit: the plan: %s\n", err_text(err));
    return err ? CLI_WRONG_USE : cli_done(CLI_FINE);
}
