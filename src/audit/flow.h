/* Where a call goes from a step: the applications it runs, embedded ones too, and the places it jumps to. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "audit/dialplan.h"

enum { FLOW_CALLS_MAX = 8, FLOW_TARGETS_MAX = 32 };

/* One run of an application; ExecIf(c?a(x):b(y)) gives three: itself, a, b. */
struct flow_call {
    struct text app, args;
    const struct dialplan_step *step;
    bool is_sure;                  /* not behind a condition */
};

enum flow_state { FLOW_FOUND, FLOW_DYNAMIC, FLOW_OPEN, FLOW_NO_CONTEXT, FLOW_NO_EXTENSION, FLOW_NO_PRIORITY };

struct flow_target {
    struct text written;
    bool is_sure;                  /* the step never goes on behind itself */
    bool returns;                  /* a subroutine, or another channel */
    bool is_named;                 /* the jump names a context of its own */
    enum flow_state state;         /* FLOW_DYNAMIC: ${} decides; FLOW_OPEN: a switch, a module or extensions.lua may answer */
    const struct dialplan_context *context;      /* NULL when unknown */
    const struct dialplan_extension *extension;  /* FLOW_FOUND only */
    const struct dialplan_step *step;            /* FLOW_FOUND only */
};

size_t flow_calls(const struct dialplan_step *s, struct flow_call out[FLOW_CALLS_MAX]);
size_t flow_targets(const struct dialplan *d, const struct dialplan_step *s, struct flow_target out[FLOW_TARGETS_MAX]);
/* Do its steps stand in the order in which they run? Not in Lua. */
bool flow_is_ordered(const struct dialplan_extension *e);
/* The step behind it is never run by falling through. */
bool flow_ends(const struct dialplan_step *s);
bool flow_is(struct text app, const char *name);
/* The nth (from 0) argument, trimmed; TEXT_NONE when there are fewer. */
struct text flow_argument(struct text args, size_t nth);
