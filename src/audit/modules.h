/* What modules.conf keeps out. Pure. */
#pragma once

#include "audit/audit.h"

/* The noload line of that module ("pbx_ael", without .so), or NULL. A later load line does not bring it back (main/loader.c of 22.10.1). */
const struct conf_item *modules_noload(const struct audit *a, const char *module);
