/* The request of an HTTP tool made of its template and a model's arguments: nothing of an argument can leave the place that the template gives
 * it. Pure. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "call/schema.h"

struct cJSON;

enum { TOOL_TEMPLATE_WHY = 200 };

/* Each {name} of url is a property of the schema (of its path also required), none stands in the host. False: why says what is wrong. */
bool tool_url_check(struct text url, const struct schema *s, char why[TOOL_TEMPLATE_WHY]);
/* url with each {name} replaced by the argument, percent-encoded; absent ones are empty in the query. 0, -EINVAL with a sentence for the model
 * (an argument that is neither text, number nor yes or no; that is empty, or would be "." or "..", in the path), or the buffer's error. */
int tool_url_make(struct buf *out, struct text url, const struct cJSON *args, char why[TOOL_TEMPLATE_WHY]) MUST_USE;

/* body is JSON; each {name} in its texts is a property of the schema. */
bool tool_body_check(const struct cJSON *body, const struct schema *s, char why[TOOL_TEMPLATE_WHY]);
/* The body as text, malloc'ed: a text "{name}" becomes the argument itself (null when it is absent), {name} inside a text its words.
 * NULL: no memory. */
char *tool_body_make(const struct cJSON *body, const struct cJSON *args) MUST_USE;
