/* Judges what a client of the Realtime dialect sends as the service does: every field that the specification does not know is an error.
 * Written from the specification (GA, session.type "realtime"), not from our client. Pure. */
#pragma once

#include "sim/shape.h"

/* The first complaint about one message. */
void openai_check(const cJSON *message, struct shape_complaint *out);
