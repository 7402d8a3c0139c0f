/* What of a text a caller decides: follows values through the steps of one extension. Pure. */
#pragma once

#include "audit/dialplan.h"
#include "audit/expression.h"

/* DIGITS: the caller chooses, but only dialled digits. TEXT: any character, "&" and quotes included. */
enum taint { TAINT_NONE, TAINT_DIGITS, TAINT_TEXT };

enum { TAINT_NAMES_MAX = 64 };

struct taint_state {
    const struct dialplan_extension *extension;
    struct taint_name {
        struct text name;
        enum taint level;
        const struct dialplan_step *from; /* the step that set it */
    } names[TAINT_NAMES_MAX];
    size_t count;
};

struct taint_value {
    enum taint level;
    struct text source;                /* "${CALLERID(num)}", as written */
    const struct dialplan_step *from;  /* the step that put it into the variable; NULL: read right here */
};

void taint_begin(struct taint_state *s, const struct dialplan_extension *e);
/* The worst of what is in the text. 0 or -ENOMEM. */
int taint_read(const struct taint_state *s, struct arena *memory, struct text t, struct taint_value *out) MUST_USE;
/* What the step leaves behind in variables. 0 or -ENOMEM. */
int taint_after(struct taint_state *s, struct arena *memory, const struct dialplan_step *step) MUST_USE;
