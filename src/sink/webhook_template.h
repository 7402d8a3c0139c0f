/* Bodies for webhooks: a text with {{field}} in it, filled from a row. Pure. */
#pragma once

#include "sink/sink_parts.h"

/* NULL: fine; else what is wrong, static text. */
const char *webhook_template_fault(const char *text);
/* Inside a JSON string of the template a field is its text, escaped; elsewhere it is a JSON value, null when there is none. Fields: key id type
 * node session seq n at at_us kind call detail, and those of the row's detail, also with dots: {{caller}} {{queue.name}}. Errors stick. */
int webhook_render(struct buf *out, const char *text, const struct sink_row *row);
