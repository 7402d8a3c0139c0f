/* The tools of one agent: what a model is told of them, and what carries each out. Read once at start, then read by every loop. */
#pragma once

#include <stddef.h>

#include "ai/tool.h"
#include "app/agent_kind.h"
#include "base/text.h"
#include "call/tools.h"

struct arena;
struct tool_http;

struct agent_tool {
    char *name;
    char *path;                    /* of the Lua file; NULL: another kind */
    char *description, *parameters; /* NULL: not said */
    struct schema *schema;         /* of parameters */
    struct tool_http *http;        /* NULL: another kind */
    struct tool_entry entry;       /* for the conversation */
};

struct agent_tools {
    struct agent_tool *items;      /* those of files first, then services, then those that are built in */
    size_t file_count, count;
    struct ai_tool *told;          /* side by side with items, for a model */
    struct builtin_rules rules;
    struct arena *memory;          /* of the rules */
};

/* -EINVAL for a file that cannot be read, or a schema or template that is no good (told), -ENOMEM. */
int agent_tools_read(struct agent_tools *t, const struct config_agent *from, const struct agent_complaint *to) MUST_USE;
void agent_tools_free(struct agent_tools *t);
/* By name, or NULL: this agent has no such tool. */
const struct agent_tool *agent_tools_find(const struct agent_tools *t, struct text name);

/* A whole file as text. -EFBIG: more than max bytes. */
int agent_text_read(const char *path, size_t max, char **out) MUST_USE;

/* What a tool's file says of itself in comments, for the model:
 *
 *   -- @description When the shop is open.
 *   -- @parameters {"type":"object",
 *   --   "properties":{"weekday":{"type":"string"}}}
 *
 * A comment goes on over the comment lines that follow. Both malloc'ed, NULL: not said. 0, -EINVAL (*why is static: too long), -ENOMEM. */
int tool_comments_read(struct text source, char **description, char **parameters, const char **why) MUST_USE;
