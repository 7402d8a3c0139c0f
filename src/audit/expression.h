/* Texts with ${} and $[] in them as trees (main/pbx_variables.c of 22.10.1). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

enum { EXPRESSION_DEPTH_MAX = 32, EXPRESSION_NODES_MAX = 4096 };

enum expression_kind {
    EXPRESSION_TEXT,
    EXPRESSION_VARIABLE,           /* ${NAME}, ${NAME:1:2} */
    EXPRESSION_FUNCTION,           /* ${NAME(inside)} */
    EXPRESSION_MATH,               /* $[inside] */
};

struct expression {
    enum expression_kind kind;
    struct text text;              /* as written, marks included */
    struct text name;              /* variable or function; empty when the name itself is computed */
    struct text inside;            /* a function's arguments; of a variable or sum all between the brackets */
    struct expression *parts;      /* of the inside; a text's are NULL */
    struct expression *next;
};

struct expression_fault {
    const char *what;              /* NULL: none */
    size_t at;                     /* offset in the source */
};

/* The texts of the result point into source, which must outlive it; nodes come from memory. Faulty texts give the part that could be read.
 * 0 or -ENOMEM. */
int expression_parse(struct expression **out, struct expression_fault *fault, struct arena *memory, struct text source) MUST_USE;
/* No ${} or $[] in it. */
bool expression_is_plain(struct text source);
/* Takes the part before the first separator outside of brackets and quotes, as Asterisk splits arguments; false when rest was absent. */
bool expression_cut(struct text *rest, char separator, struct text *head);
