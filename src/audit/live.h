/* The view of the running system beside the files: sidetone-live.conf, as `audit --live` makes it. Pure.
 *
 *   [contexts]  context = NAME    loaded from extensions.conf     a section that is there is whole
 *   [modules]   module = NAME     that run
 *   [changed]   file = NAME       newer than the last reload */
#pragma once

#include <stdbool.h>

#include "audit/audit.h"

/* The section of that name, or NULL: then nothing is known. */
const struct conf_section *live_section(const struct audit *a, const char *name);
bool live_has(const struct conf_section *s, struct text value);
