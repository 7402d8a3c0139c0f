/* Runs one tool of an agent: JSON in, run(args, context), JSON out. */
#include <errno.h>
#include <stdlib.h>

#include "route/script_inner.h"

static int error_of(const struct script_run *r)
{
    switch (r->status) {
    case AGI_END_OK:
        return 0;
    case AGI_END_TIMEOUT:
        return -ETIMEDOUT;
    default:
        return text_eq(text_of(r->reason), TEXT("memory")) ? -ENOMEM : -EINVAL;
    }
}

static void ended(struct script_run *r)
{
    const int err = error_of(r);
    struct text told = err ? text_of(r->problem) : buf_text(&r->result);

    if (err == -ETIMEDOUT)
        told = TEXT("the tool did not finish in time");
    if (err)
        log_warn(&r->engine->log, "tool_failed", kv_str("script", r->script->path), kv_str("reason", r->reason), kv_text("problem", told));
    r->on_result(err, told, r->arg);
    script_run_free(r);
}

int script_run_tool(struct script_run **out, struct script *s, struct text args, struct text context, int64_t deadline_ms,
                    script_on_result *on_result, void *arg)
{
    struct script_run *r;
    int err = script_run_new(&r, s, RUN_TOOL);

    if (err)
        return err;
    r->on_end = ended;
    r->on_result = on_result;
    r->arg = arg;
    r->args = text_dup(args.n ? args : TEXT("{}"));
    r->context = text_dup(context.n ? context : TEXT("{}"));
    err = r->args && r->context ? script_run_clock(r, deadline_ms) : -ENOMEM;
    if (err) {
        script_run_free(r);
        return err;
    }
    timer_start(r->wake, 0); /* not from inside this call: on_result could run before we return */
    *out = r;
    return 0;
}
