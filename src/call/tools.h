/* How a conversation runs a tool without knowing what a tool is made of. Thread: the conversation's loop. */
#pragma once

#include "base/err.h"
#include "base/text.h"

struct tool_run;

/* err 0: result is a JSON object as text; negative: one sentence. Runs once, never from inside tools.run. */
typedef void tool_on_result(int err, struct text result, void *arg);

struct tools {
    /* name: checked against the agent's list already. args, context: JSON objects (context: call, caller_number, caller_name).
     * 0 and *out, or -ENOENT, -ENOBUFS, -ENOMEM. */
    int (*run)(void *arg, struct tool_run **out, struct text name, struct text args, struct text context, int64_t deadline_ms,
               tool_on_result *on_result, void *result_arg);
    /* Before on_result only; the tool is stopped. */
    void (*stop)(void *arg, struct tool_run *run);
    void *arg;
};
