/* Is a password one that is guessed? Pure; says why, and never the password. */
#pragma once

#include "base/text.h"

/* NULL: good enough. Else what is wrong with it, as the end of a sentence; *is_known: anybody would try it first. */
const char *secret_weakness(struct text secret, struct text user, bool *is_known);
