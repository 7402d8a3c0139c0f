/* Which extensions a jump to ${EXTEN} can reach, when the pattern that runs leaves only some digits open: "_1XX" reaches three digits, never a trunk
 * behind "_0X.". Pure. */
#pragma once

#include "audit/dialplan.h"

/* Does the text of a jump, "${EXTEN}" or "${EXTEN:2}", give a part of a pattern without "." and "!"? *skipped: elements in front that are cut off. */
bool fitting_is_bounded(const struct dialplan_extension *running, struct text jump, size_t *skipped);
/* Can what is left of the running pattern be dialled digits that this extension takes? When in doubt, yes. */
bool fitting_may_match(const struct dialplan_extension *running, size_t skipped, struct text extension);
