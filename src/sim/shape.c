/* Compares JSON with a list of fields. */
#include "sim/shape.h"

#include <stdio.h>
#include <string.h>

void shape_complain(struct shape_complaint *to, const char *code, const char *path, const char *what)
{
    if (to->code)
        return;
    to->code = code;
    snprintf(to->param, sizeof to->param, "%s", path);
    snprintf(to->message, sizeof to->message, "%s: '%.100s'.", what, path);
}

const char *shape_word(const cJSON *in, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(in, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void value_check(const cJSON *v, int want, shape_on_value *own, const char *path, struct shape_complaint *to)
{
    if ((want == SHAPE_STRING && !cJSON_IsString(v)) || (want == SHAPE_NUMBER && !cJSON_IsNumber(v)) ||
        (want == SHAPE_BOOLEAN && !cJSON_IsBool(v)) || (want == SHAPE_OBJECT && !cJSON_IsObject(v)) || (want == SHAPE_LIST && !cJSON_IsArray(v)))
        shape_complain(to, "invalid_type", path, "Invalid type");
    else if (want >= SHAPE_OWN)
        own(v, want, path, to);
}

void shape_check(const cJSON *in, const struct shape_field *fields, shape_on_value *own, const char *path, struct shape_complaint *to)
{
    const cJSON *v;
    char where[120];

    if (!cJSON_IsObject(in)) {
        shape_complain(to, "invalid_type", path, "Invalid type, expected an object");
        return;
    }
    cJSON_ArrayForEach(v, in) {
        const struct shape_field *f = fields;

        snprintf(where, sizeof where, "%.60s%s%.50s", path, path[0] ? "." : "", v->string);
        while (f->name && strcmp(f->name, v->string) != 0)
            f++;
        if (!f->name)
            shape_complain(to, "unknown_parameter", where, "Unknown parameter");
        else if (!(cJSON_IsNull(v) && f->may_be_null))
            value_check(v, f->value, own, where, to);
    }
    for (const struct shape_field *f = fields; f->name; f++) {
        snprintf(where, sizeof where, "%.60s%s%.50s", path, path[0] ? "." : "", f->name);
        if (f->is_needed && !cJSON_HasObjectItem(in, f->name))
            shape_complain(to, "missing_required_parameter", where, "Missing required parameter");
    }
}
