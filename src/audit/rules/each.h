/* Walks the dialplan for rules. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"

typedef int each_step(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s);
typedef int each_extension(struct audit *a, const struct audit_rule *self, const struct dialplan_extension *e);

/* Until one gives an error. No dialplan: 0. */
int rule_each_step(struct audit *a, const struct audit_rule *self, each_step *visit) MUST_USE;
int rule_each_extension(struct audit *a, const struct audit_rule *self, each_extension *visit) MUST_USE;
/* Is there a dialplan, and can no context of that name be in it, nor be made by a module or by extensions.lua? */
bool rule_lacks_context(const struct audit *a, struct text name);
/* For the finding made last, that something of the dialplan does not exist: where a part of extensions.conf could not be read, it may stand there.
 * Makes it a warning then, with a hint. 0 or -ENOMEM. */
int rule_hint_hole(struct audit *a) MUST_USE;
/* Reports the dialplan's problems of one sort. */
int rule_report_faults(struct audit *a, const struct audit_rule *self, enum dialplan_fault fault) MUST_USE;
