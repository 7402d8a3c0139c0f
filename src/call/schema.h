/* The shape that a tool's arguments must have: the part of JSON Schema that tools need. Read once, then asked from any thread. Pure.
 *
 * Obeyed: type (one name), properties, required, additionalProperties (true or false), enum, minimum, maximum, minLength, maxLength,
 * items (one schema), minItems, maxItems. Passed over: title, description, default, examples, format, $schema, $comment.
 * Any other keyword is a mistake of the schema: what is not obeyed must not look as if it were. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

struct cJSON;
struct schema;

enum { SCHEMA_WHY_MAX = 240, SCHEMA_DEPTH_MAX = 16, SCHEMA_MEMBERS_MAX = 128 };

/* The root must have "type": "object". 0, -EINVAL with one sentence in why, -ENOMEM. */
int schema_new(struct schema **out, struct text json, char why[SCHEMA_WHY_MAX]) MUST_USE;
void schema_free(struct schema *s); /* NULL passes */
/* False: why says in one sentence what is wrong, for a model to mend it. */
bool schema_accepts(const struct schema *s, const struct cJSON *value, char why[SCHEMA_WHY_MAX]);
/* Among the properties of the root. */
bool schema_has(const struct schema *s, struct text property);
bool schema_requires(const struct schema *s, struct text property);
