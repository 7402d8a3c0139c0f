/* The inventory of AGI, as text for a terminal and as JSON. Text of the configuration is hostile: control characters do not reach a terminal. */
#pragma once

#include <stdio.h>

#include "audit/inventory.h"
#include "base/buf.h"

/* Each place, then each script. */
void inventory_report_text(const struct inventory *v, FILE *to);
/* One line: how many of what. Nothing when there is no AGI. */
void inventory_report_line(const struct inventory *v, FILE *to);
/* One JSON object. 0 or out's sticky error. */
int inventory_report_json(const struct inventory *v, struct buf *out);
