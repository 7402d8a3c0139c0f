/* What extensions hand each other: variables through Goto and Gosub, ARGn to subroutines, inherited ones to other channels, global ones to all.
 * Built once for a dialplan by going through it until nothing changes. Levels only rise, and each extension has a ceiling of names. */
#pragma once

#include "audit/audit.h"
#include "audit/taint.h"

/* The world of the audit's dialplan, made at the first call; a->dialplan must be there. 0 or -ENOMEM. */
int taint_world_of(const struct taint_world **out, struct audit *a) MUST_USE;

/* The stations of a value, first one first, each as "is put into a variable"; at most room of them. Returns how many. */
size_t taint_way(const struct taint_value *v, struct audit_step *out, size_t room);

/* For taint.c. What the state's extension is handed when it begins. */
void taint_world_enter(const struct taint_world *w, struct taint_state *s);
/* What the subroutine that the step calls leaves behind when it returns. */
void taint_world_return(const struct taint_world *w, struct taint_state *s, const struct dialplan_step *step);
/* NULL: no step sets it with a caller's text. */
const struct taint_name *taint_world_global(const struct taint_world *w, struct text name);
