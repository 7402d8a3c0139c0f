/* What of a text a caller decides: follows values through the steps of one extension, and what other extensions hand it (taint_world.h). Pure. */
#pragma once

#include <stdbool.h>

#include "audit/dialplan.h"
#include "audit/expression.h"

/* DIGITS: the caller chooses, but only dialled digits. TEXT: any character, "&" and quotes included. */
enum taint { TAINT_NONE, TAINT_DIGITS, TAINT_TEXT };

enum { TAINT_NAMES_MAX = 64 };

struct taint_world;

/* A station on the way of a value, last one first. */
struct taint_origin {
    const struct dialplan_step *step;
    const struct taint_origin *before;
};

struct taint_name {
    struct text name;
    enum taint level;
    bool is_inherited;             /* set as _NAME or __NAME: channels that this one makes have it, too */
    bool is_own;                   /* set by a step of this extension; else handed to it */
    const struct taint_origin *origin; /* the step that set it, and whence its value came; NULL: harmless */
};

struct taint_state {
    const struct taint_world *world; /* NULL: the extension alone */
    const struct dialplan_extension *extension;
    struct taint_name names[TAINT_NAMES_MAX];
    size_t count;
};

struct taint_value {
    enum taint level;
    struct text source;                /* "${CALLERID(num)}", as written */
    const struct taint_origin *origin; /* how it came into the variable; NULL: read right here */
};

/* world NULL: nothing is handed in. */
void taint_begin(struct taint_state *s, const struct taint_world *world, const struct dialplan_extension *e);
/* The worst of what is in the text. 0 or -ENOMEM. */
int taint_read(const struct taint_state *s, struct arena *memory, struct text t, struct taint_value *out) MUST_USE;
/* A look with REGEX() in the step makes what it looks at harmless. 0 or -ENOMEM. */
int taint_look(struct taint_state *s, struct arena *memory, struct arena *scratch, const struct dialplan_step *step) MUST_USE;
/* Was the value put into Asterisk's database by a feature code (*72)? A phone that is forwarded leads where somebody of the house said. */
bool taint_is_stored(const struct taint_value *v);
/* What the step leaves behind in variables, that of the subroutine it calls included. Trees come from scratch, stations from memory. 0 or -ENOMEM. */
int taint_after(struct taint_state *s, struct arena *memory, struct arena *scratch, const struct dialplan_step *step) MUST_USE;
/* Writes a name into the state; in the place of an older one of that name. */
void taint_keep(struct taint_state *s, struct taint_name name);
/* "DB(family" of "DB(family/key)": the name under which a family of Asterisk's database is kept. */
struct text taint_family(struct text t);
const struct taint_name *taint_name_of(const struct taint_name *names, size_t count, struct text name);
