/* How readers of a dialplan (extensions.conf, AEL, extensions.lua) put into it. Not for rules.
 * Thread: one. Memory is the arena's; names, labels, applications and arguments are not copied: they must live as long as it does. */
#pragma once

#include "audit/dialplan.h"
#include "base/err.h"

struct dialplan_build {
    struct dialplan *d;
    enum dialplan_origin origin;   /* of what is put in from now on */
    int err;                       /* -ENOMEM: everything after it does nothing */
};

/* An empty dialplan. 0 or -ENOMEM. */
int dialplan_begin(struct dialplan_build *b, struct arena *memory, enum dialplan_origin origin) MUST_USE;
/* What is there already of that name, or a new one. NULL: see b->err. */
struct dialplan_context *dialplan_context_put(struct dialplan_build *b, struct text name, struct conf_place place);
struct dialplan_extension *dialplan_extension_put(struct dialplan_build *b, struct dialplan_context *c, struct text name, struct text caller,
                                                  struct conf_place place);
/* Sets step.extension. A priority or a label that is there already is a problem, and handled as Asterisk does. */
void dialplan_step_put(struct dialplan_build *b, struct dialplan_extension *e, struct dialplan_step step);
void dialplan_include_put(struct dialplan_build *b, struct dialplan_context *c, struct dialplan_include include);
/* is_switch: something outside of the file may answer. */
void dialplan_line_put(struct dialplan_build *b, struct dialplan_context *c, struct dialplan_line line, bool is_switch);
/* message lives as long as the dialplan. */
void dialplan_problem_put(struct dialplan_build *b, enum dialplan_fault fault, struct conf_place place, const char *message);
/* Makes room for one more in a table of the arena (void **table, items of that size). False: see b->err. */
bool dialplan_room(struct dialplan_build *b, void *table, size_t *cap, size_t used, size_t size);
/* Finds the contexts that are included, when all readers are through. May be called again. */
void dialplan_link(struct dialplan *d);
