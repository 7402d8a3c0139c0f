/* The arguments of a tool call as a model wrote them: read strictly, and written again for whoever gets or keeps them. Pure. */
#pragma once

#include "base/err.h"
#include "base/text.h"

struct cJSON;

enum { TOOL_ARGS_MAX = 16 * 1024 };

/* Nothing but blanks counts as {}. 0 and the object (cJSON_Delete), or -EINVAL with a sentence for the model (*why is static), -ENOMEM. */
int tool_args_read(struct cJSON **out, struct text raw, const char **why) MUST_USE;
/* What was checked is what is passed on: the tree as JSON, malloc'ed; NULL: no memory. */
char *tool_args_write(const struct cJSON *args) MUST_USE;
/* Each digit of a number of four and more digits becomes a star, also when blanks and signs of telephone numbers stand between them. */
void tool_args_mask(char *text);
