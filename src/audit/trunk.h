/* Which devices of a dial string lead out of the house. Pure. */
#pragma once

#include <stdbool.h>

#include "audit/audit.h"

/* "PJSIP/number@trunk", "DAHDI/g1/number", "${TRUNK}/number", "${OUT}/number" where [globals] says what OUT is; not Local/, not a phone of the
 * house ("PJSIP/100"). */
bool trunk_is(const struct audit *a, struct text device);
/* What to call it: "trunk", "DAHDI/g1". A part of the device, or of the variable's value. */
struct text trunk_name(const struct audit *a, struct text device);
