/* Whether what a file does not have may come from somewhere else. */
#pragma once

#include "audit/audit.h"

/* Does extconfig.conf have a database stand in for that family ("queues", "voicemail")? */
bool rule_is_realtime(const struct audit *a, const char *family);
/* Objects of pjsip.conf: a database, sorcery.conf or pjsip_wizard.conf may have them. 0 or -ENOMEM. */
int rule_sip_elsewhere(struct audit *a, bool *out) MUST_USE;
/* Parts of that file are not to be had: an #include that is missing, an #exec. */
bool rule_has_hole(const struct audit *a, enum audit_file f);
