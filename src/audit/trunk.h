/* Which devices of a dial string lead out of the house. Pure. */
#pragma once

#include <stdbool.h>

#include "base/text.h"

/* "PJSIP/number@trunk", "DAHDI/g1/number", "${TRUNK}/number"; not Local/, not a phone of the house ("PJSIP/100"). */
bool trunk_is(struct text device);
/* What to call it: "PJSIP trunk", "DAHDI/g1". A part of the device. */
struct text trunk_name(struct text device);
