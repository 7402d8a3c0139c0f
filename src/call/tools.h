/* How a conversation runs a tool without knowing what a tool is made of. Thread: the conversation's loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "call/builtin.h"
#include "call/schema.h"

struct tool_run;

/* What an agent's list says of one tool. */
struct tool_entry {
    enum builtin builtin;          /* BUILTIN_NONE and BUILTIN_TAKE_MESSAGE: tools.run carries it out; the others the conversation */
    const struct schema *schema;   /* of its arguments; NULL: any object */
    int64_t deadline_ms;           /* 0: the conversation's own */
    bool is_masked;                /* numbers among its arguments are kept as stars */
};

/* err 0: result is a JSON object as text; negative: one sentence. Runs once, never from inside tools.run. */
typedef void tool_on_result(int err, struct text result, void *arg);

struct tools {
    /* The allow-list: NULL for a name that is not on it. What it gives lives as long as the talk. */
    const struct tool_entry *(*find)(void *arg, struct text name);
    /* Of a tool that find gave. args, context: JSON objects (context: call, caller_number, caller_name); args have been checked.
     * 0 and *out, or -ENOENT, -ENOBUFS, -ENOMEM. */
    int (*run)(void *arg, struct tool_run **out, struct text name, struct text args, struct text context, int64_t deadline_ms,
               tool_on_result *on_result, void *result_arg);
    /* Before on_result only; the tool is stopped. */
    void (*stop)(void *arg, struct tool_run *run);
    /* The rules for the built-in ones; NULL: none of them is on the list. */
    const struct builtin_rules *(*rules)(void *arg);
    /* Another agent takes over, by conversation_switch; NULL: switch_agent is not on the list. */
    int (*switch_agent)(void *arg, struct text name);
    struct talk_after *after;      /* what the talk leaves for the dialplan; outlives it; NULL: transfer and set_variable are not on the list */
    void *arg;
};
