/* What the auditor found, as text for a terminal and as JSON. Text of the configuration is hostile: control characters do not reach a terminal. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "audit/audit.h"
#include "base/buf.h"

struct audit_counts {
    size_t errors, warnings, notes, silenced;  /* silenced ones are in none of the first three */
};

void audit_count(const struct audit *a, struct audit_counts *out);
/* "error", "warning", "note" */
const char *audit_severity_name(enum audit_severity s);
/* FILE:LINE:COLUMN: severity CODE: sentence; the way to it; a hint. Then one line that sums up. */
void audit_report_text(const struct audit *a, FILE *to);
/* One JSON object. 0 or out's sticky error. */
int audit_report_json(const struct audit *a, struct buf *out);
/* What one rule is about, why, and what to do; its examples. */
void audit_report_rule(const struct audit_rule *r, FILE *to);
