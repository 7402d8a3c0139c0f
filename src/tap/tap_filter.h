/* Asterisk's event filters, as its own filters decide, so that it can be seen whether those of a session hold. Pure. */
#pragma once

#include "wire/ami.h"

struct tap_filters;

/* One line each, as manager.conf has them: "!Event: VarSet" (legacy: a regular expression over the whole event, ! excludes), or
 * "eventfilter(action(exclude),name(VarSet)) = expr"; "eventfilter" and "=" may be left out. 0, -ENOMEM, or -EINVAL with
 * one line in why. */
int tap_filters_new(struct tap_filters **out, const char *const *lines, size_t count, char *why, size_t why_size) MUST_USE;
void tap_filters_free(struct tap_filters *f);   /* NULL passes */
size_t tap_filters_count(const struct tap_filters *f);
/* What Action: Filter is to say; criteria NULL: legacy. */
void tap_filters_at(const struct tap_filters *f, size_t i, const char **criteria, const char **expression);
/* True when a session with these filters is sent that event. Only includes: one must match; only excludes: none; both: one, and none. */
bool tap_filters_pass(const struct tap_filters *f, const struct ami_message *m);
