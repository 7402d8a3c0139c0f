/* Writes the patch of a plan into the dialplan with a way back, and goes that way. Blocking. */
#pragma once

#include <stdio.h>

#include "audit/plan.h"
#include "base/err.h"

/* Each says what it did on out, or one line on problems why it did nothing. 0 or a negative number. */
int audit_apply(const struct plan *p, FILE *out, FILE *problems) MUST_USE;
int audit_undo(const char *folder, FILE *out, FILE *problems) MUST_USE;
