/* One call of a tool that takes time, whatever carries it out: a Lua file, a service over HTTP, or the message book. Thread: its call loop. */
#pragma once

#include "app/agent_tools.h"
#include "call/timeline.h"
#include "net/dialer.h"
#include "route/script.h"
#include "store/store.h"

struct tool_run;

/* What a call loop gives. */
struct tool_ground {
    struct loop *loop;
    struct dialer *dialer;
    struct store *store;
    struct text call;              /* whose timeline a message goes to */
};

/* script: of a tool with a file; NULL otherwise. Otherwise as tools.run and tools.stop (call/tools.h). */
int tool_run_start(struct tool_run **out, const struct agent_tool *tool, struct script *script, const struct tool_ground *g, struct text args,
                   struct text context, int64_t deadline_ms, tool_on_result *on_result, void *arg) MUST_USE;
void tool_run_stop(struct tool_run *r);

/* The look-up table that take_message writes: key = the moment and the call, value = a JSON object. */
#define TOOL_MESSAGES "messages"
