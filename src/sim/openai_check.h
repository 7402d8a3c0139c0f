/* Judges what a client of the Realtime dialect sends as the service does: every field that the specification does not know is an error.
 * Written from the specification (GA, session.type "realtime"), not from our client. Pure. */
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>

struct openai_complaint {
    const char *code;          /* "unknown_parameter" ...; NULL: none */
    char param[120];           /* "session.audio.input" */
    char message[200];
};

/* The first complaint about one message. */
void openai_check(const cJSON *message, struct openai_complaint *out);
