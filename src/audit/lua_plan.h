/* Reads extensions.lua into the dialplan as far as calls of applications go (pbx/pbx_lua.c of 22.10.1). The file is never run. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan_build.h"

/* Of FOLDER/extensions.lua, if it is there and modules.conf does not switch pbx_lua off. What is damaged is a problem of the dialplan, and the rest is
 * still read. 0 or -ENOMEM. */
int lua_plan_read(struct dialplan_build *b, struct audit *a) MUST_USE;
