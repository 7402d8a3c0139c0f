/* What the facts are made of: the events, with the class of read= that lets each through. Pure.
 * A test plays every recorded stream with these events only, and expects the same facts. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/text.h"

struct tap_need {
    const char *event;          /* as Asterisk writes it */
    const char *class;          /* word of read= */
    const char *variables;      /* of VarSet: the only ones, separated by blanks; NULL of others */
};

const struct tap_need *tap_needs(size_t *count);
/* Is this event one of them? variable: of VarSet. */
bool tap_needs_event(struct text event, struct text variable);
/* The class that lets an event through: "" when unknown. Also of events that are no need. */
const char *tap_class_of(struct text event);
/* Adds the lines of manager.conf that let it through: all of them are includes, so what fits none does not come. VarSet comes by the needed
 * variables only. */
void tap_need_filters(struct buf *out, const struct tap_need *n);
