/* What a talk leaves for the dialplan: where the call goes on, and variables that are set before it does. A plain value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

enum { TALK_PLACE_MAX = 80, TALK_VARIABLES_MAX = 16, TALK_VARIABLE_NAME_MAX = 80, TALK_VARIABLE_VALUE_MAX = 256 }; /* with the NUL */

struct talk_variable {
    char name[TALK_VARIABLE_NAME_MAX], value[TALK_VARIABLE_VALUE_MAX];
};

struct talk_after {
    char context[TALK_PLACE_MAX], extension[TALK_PLACE_MAX], priority[TALK_PLACE_MAX]; /* context "": behind Stasis() */
    struct talk_variable variables[TALK_VARIABLES_MAX];
    size_t variable_count;
};

/* Sets or replaces one. The value is made fit for a dialplan: see talk_value_clean. -ENOBUFS: there are too many. */
int talk_after_set(struct talk_after *a, struct text name, struct text value) MUST_USE;
/* One line without what separates arguments, legs or expressions of a dialplan (, & | ^ " ` $ { } [ ] ( ) < > ; \ and control characters become
 * blanks), whole characters of UTF-8 only, cut to fit. */
void talk_value_clean(char *out, size_t size, struct text value);
bool talk_after_is_empty(const struct talk_after *a);
