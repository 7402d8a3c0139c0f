/* Judges JSON by a list of fields: what is unknown, missing or of another type is a complaint. Pure. */
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>

struct shape_complaint {
    const char *code;          /* "unknown_parameter" "missing_required_parameter" "invalid_type" ...; NULL: none */
    char param[120];           /* "session.audio.input" */
    char message[200];
};

/* Values from SHAPE_OWN on are the caller's. */
enum { SHAPE_ANY, SHAPE_STRING, SHAPE_NUMBER, SHAPE_BOOLEAN, SHAPE_OBJECT, SHAPE_LIST, SHAPE_OWN };

struct shape_field {
    const char *name;          /* NULL: the end of the list */
    int value;
    int is_needed, may_be_null;
};

typedef void shape_on_value(const cJSON *v, int value, const char *path, struct shape_complaint *to);

/* own: judges values from SHAPE_OWN on; NULL when there are none. path "": the message itself. */
void shape_check(const cJSON *in, const struct shape_field *fields, shape_on_value *own, const char *path, struct shape_complaint *to);
/* The first complaint stays. what: "Unknown parameter". */
void shape_complain(struct shape_complaint *to, const char *code, const char *path, const char *what);
/* A string inside, or "". */
const char *shape_word(const cJSON *in, const char *name);
