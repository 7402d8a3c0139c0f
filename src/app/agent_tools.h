/* The tools of one agent: what a model is told of them, and which file carries each out. Read once at start, then read by every loop. */
#pragma once

#include <stddef.h>

#include "ai/tool.h"
#include "app/agent_kind.h"
#include "base/text.h"

/* Carried out by the conversation, without a file. */
#define TOOL_HAND_BACK "hand_back"
#define TOOL_HANG_UP "hang_up"

struct agent_tool {
    char *name, *path;             /* path of the Lua file */
    char *description, *parameters; /* as its comments say; NULL: they do not */
};

struct agent_tools {
    struct agent_tool *items;      /* those of files, in the order of the configuration */
    size_t file_count;
    struct ai_tool *told;          /* the same, then those that are built in, for a model */
    size_t count;
};

/* -EINVAL for a file that cannot be read or whose schema is no good (told), -ENOMEM. */
int agent_tools_read(struct agent_tools *t, const struct config_agent *from, const struct agent_complaint *to) MUST_USE;
void agent_tools_free(struct agent_tools *t);
/* Among those of files, or NULL. */
const struct agent_tool *agent_tools_find(const struct agent_tools *t, struct text name);

/* A whole file as text. -EFBIG: more than max bytes. */
int agent_text_read(const char *path, size_t max, char **out) MUST_USE;

/* What a tool's file says of itself in comments, for the model:
 *
 *   -- @description When the shop is open.
 *   -- @parameters {"type":"object",
 *   --   "properties":{"weekday":{"type":"string"}}}
 *
 * A comment goes on over the comment lines that follow. Both malloc'ed, NULL: not said. 0, -EINVAL (*why is static: the parameters are no JSON schema
 * of an object), -ENOMEM. */
int tool_comments_read(struct text source, char **description, char **parameters, const char **why) MUST_USE;
