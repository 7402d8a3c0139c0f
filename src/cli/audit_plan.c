/* Prints the plan or its patch, or has it applied. */
#include "cli/audit_plan.h"

#include <stdio.h>

#include "app/audit_apply.h"
#include "audit/plan.h"
#include "cli/cli.h"

enum { PATCH_MAX = 256 * 1024 * 1024 };

int audit_plan(struct audit *a, const struct audit_request *q)
{
    struct inventory *v = NULL;
    struct plan *p = NULL;
    struct buf b;
    int code = CLI_FINE, err = inventory_make(&v, a, q->agi_dir);

    buf_init(&b, PATCH_MAX);
    if (!err)
        err = plan_make(&p, a, v, q->agi_dir);
    if (!err && q->wants_patch)
        err = plan_patch(p, &b);
    if (!err && q->wants_patch)
        fwrite(b.p ? b.p : "", 1, b.n, stdout);
    else if (!err && q->wants_apply)
        code = audit_apply(p, stdout, stderr) ? CLI_FAILED : CLI_FINE;
    else if (!err)
        plan_write(p, stdout);
    buf_free(&b);
    if (err)
        fprintf(stderr, "sidetone audit: the plan: %s\n", err_text(err));
    return err ? CLI_WRONG_USE : cli_done(code);
}
