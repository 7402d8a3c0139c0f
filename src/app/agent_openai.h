/* What an agent behind the Realtime API needs to know, read once: its key, its instructions, and its tools with their schemas. */
#pragma once

#include "ai/openai_write.h"
#include "app/config.h"

struct agent_openai;

/* -EINVAL with *place and *message (malloc'ed) for an instructions file or a tool's schema that is no good; -ENOMEM. */
int agent_openai_new(struct agent_openai **out, const struct config_agent *from, char **place, char **message) MUST_USE;
void agent_openai_free(struct agent_openai *a);    /* NULL passes; wipes the key */
const struct openai_settings *agent_openai_settings(const struct agent_openai *a);
const char *agent_openai_key(const struct agent_openai *a);

/* What a tool's file says of itself in comments, for the model:
 *
 *   -- @description When the shop is open.
 *   -- @parameters {"type":"object",
 *   --   "properties":{"weekday":{"type":"string"}}}
 *
 * A comment goes on over the comment lines that follow. Both malloc'ed, NULL: not said. 0, -EINVAL (*why is static: the parameters are no JSON schema
 * of an object), -ENOMEM. */
int tool_comments_read(struct text source, char **description, char **parameters, const char **why) MUST_USE;
