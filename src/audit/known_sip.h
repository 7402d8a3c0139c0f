/* What objects pjsip.conf can hold and which settings they have (ast_sorcery_object_field_register in res/res_pjsip*, and the documentation of 22.10.1).
 * Pure. */
#pragma once

#include "base/text.h"

/* Is there a type of that name at all? */
bool known_sip_type(struct text type);
/* Has an object of that type such a setting? A type of which nothing is known has each. */
bool known_sip_setting(struct text type, struct text name);
/* The one most like it; NULL: none is. */
const char *known_sip_like(struct text type, struct text name);
