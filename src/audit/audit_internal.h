/* What the files of the audit's frame share. Not for rules. */
#pragma once

#include "audit/audit.h"

/* finding.c: by file, line, column, code; the same finding twice (a template's line seen in two contexts) is one. */
void audit_sort(struct audit *a);
/* silence.c: marks what a comment in the file silences. 0 or -ENOMEM. */
int audit_silence(struct audit *a) MUST_USE;
/* Hidden parts of lines (mask.h) leave the sentences of the findings about them. 0 or -ENOMEM. */
int audit_redact(struct audit *a) MUST_USE;
