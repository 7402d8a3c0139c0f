/* Checks arguments against the shape that their tool asks for, and the shape itself when it is read. */
#include "call/schema.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

enum { PATH_MAX_BYTES = 120, SHOWN_MAX = 40 };

struct schema {
    cJSON *tree;                   /* never changed once read */
};

enum kind { KIND_STRING, KIND_NUMBER, KIND_INTEGER, KIND_BOOLEAN, KIND_OBJECT, KIND_ARRAY, KIND_NULL, KIND_COUNT };

static const struct {
    const char *name, *called;
} kinds[KIND_COUNT] = {
    [KIND_STRING] = { "string", "a text" },         [KIND_NUMBER] = { "number", "a number" },
    [KIND_INTEGER] = { "integer", "a whole number" }, [KIND_BOOLEAN] = { "boolean", "true or false" },
    [KIND_OBJECT] = { "object", "an object" },      [KIND_ARRAY] = { "array", "a list" },
    [KIND_NULL] = { "null", "null" },
};

/* Where we are, for the sentence: "" is the root. */
struct place {
    const struct place *up;
    const char *name;              /* NULL: element number at */
    int at;
    unsigned depth;
};

static void place_write(const struct place *p, char *out, size_t size)
{
    char up[PATH_MAX_BYTES];
    int n;

    out[0] = '\0';
    if (!p->up)
        return;
    place_write(p->up, up, sizeof up);
    if (p->name)
        n = snprintf(out, size, "%s%s%.*s", up, up[0] ? "." : "", SHOWN_MAX, p->name);
    else
        n = snprintf(out, size, "%s[%d]", up, p->at);
    if (n < 0 || (size_t)n >= size)
        text_copy(out, size, TEXT("something deep in it"));
}

PRINTF_LIKE(3, 4) static bool wrong(char *why, const struct place *p, const char *fmt, ...)
{
    char where[PATH_MAX_BYTES], what[SCHEMA_WHY_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    place_write(p, where, sizeof where);
    if (where[0])
        snprintf(why, SCHEMA_WHY_MAX, "%.*s %.*s", PATH_MAX_BYTES, where, SCHEMA_WHY_MAX - PATH_MAX_BYTES - 2, what);
    else
        snprintf(why, SCHEMA_WHY_MAX, "the object %.*s", SCHEMA_WHY_MAX - 16, what);
    return false;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int kind_of(const cJSON *type)
{
    for (int i = 0; cJSON_IsString(type) && i < KIND_COUNT; i++)
        if (strcmp(type->valuestring, kinds[i].name) == 0)
            return i;
    return -1;
}

static bool is_whole(double v)
{
    return isfinite(v) && floor(v) == v && fabs(v) <= 9007199254740992.0; /* 2^53 */
}

/* ---- the schema itself ---- */

enum word_form { WORD_NOTE, WORD_TYPE, WORD_PROPERTIES, WORD_REQUIRED, WORD_BOOLEAN, WORD_LIST, WORD_NUMBER, WORD_COUNT, WORD_SCHEMA };

static const struct {
    const char *name;
    enum word_form form;
} words[] = {
    { "type", WORD_TYPE },         { "properties", WORD_PROPERTIES }, { "required", WORD_REQUIRED }, { "additionalProperties", WORD_BOOLEAN },
    { "enum", WORD_LIST },         { "minimum", WORD_NUMBER },        { "maximum", WORD_NUMBER },    { "minLength", WORD_COUNT },
    { "maxLength", WORD_COUNT },   { "minItems", WORD_COUNT },        { "maxItems", WORD_COUNT },    { "items", WORD_SCHEMA },
    { "title", WORD_NOTE },        { "description", WORD_NOTE },      { "default", WORD_NOTE },      { "examples", WORD_NOTE },
    { "format", WORD_NOTE },       { "$schema", WORD_NOTE },          { "$comment", WORD_NOTE },
};

static bool schema_is_good(const cJSON *s, const struct place *p, char *why);

static bool properties_are_good(const cJSON *all, const struct place *p, char *why)
{
    const cJSON *one;
    int n = 0;

    if (!cJSON_IsObject(all))
        return wrong(why, p, "has \"properties\" that are no object");
    cJSON_ArrayForEach(one, all) {
        const struct place in = { .up = p, .name = one->string, .depth = p->depth + 1 };

        if (++n > SCHEMA_MEMBERS_MAX)
            return wrong(why, p, "has more than %d properties", SCHEMA_MEMBERS_MAX);
        if (!schema_is_good(one, &in, why))
            return false;
    }
    return true;
}

static bool required_are_good(const cJSON *s, const cJSON *names, const struct place *p, char *why)
{
    const cJSON *one;

    if (!cJSON_IsArray(names))
        return wrong(why, p, "has \"required\" that is no list");
    cJSON_ArrayForEach(one, names) {
        if (!cJSON_IsString(one))
            return wrong(why, p, "has \"required\" with something that is no name");
        if (!member(member(s, "properties"), one->valuestring))
            return wrong(why, p, "requires \"%.*s\", which is not among its properties", SHOWN_MAX, one->valuestring);
    }
    return true;
}

static bool word_is_good(const cJSON *s, const cJSON *word, const struct place *p, char *why)
{
    const struct place in = { .up = p, .at = 0, .depth = p->depth + 1 };
    enum word_form form = WORD_NOTE;
    size_t i = 0;

    while (i < sizeof words / sizeof *words && strcmp(words[i].name, word->string) != 0)
        i++;
    if (i == sizeof words / sizeof *words)
        return wrong(why, p, "has the keyword \"%.*s\", which is not obeyed here", SHOWN_MAX, word->string);
    form = words[i].form;
    if (form == WORD_PROPERTIES)
        return properties_are_good(word, p, why);
    if (form == WORD_REQUIRED)
        return required_are_good(s, word, p, why);
    if (form == WORD_SCHEMA)
        return schema_is_good(word, &in, why);
    if ((form == WORD_TYPE && kind_of(word) < 0) || (form == WORD_BOOLEAN && !cJSON_IsBool(word)) ||
        (form == WORD_LIST && (!cJSON_IsArray(word) || !word->child)) || (form == WORD_NUMBER && (!cJSON_IsNumber(word) || !isfinite(word->valuedouble))) ||
        (form == WORD_COUNT && (!cJSON_IsNumber(word) || !is_whole(word->valuedouble) || word->valuedouble < 0)))
        return wrong(why, p, "has a \"%s\" that is no good", words[i].name);
    return true;
}

static bool schema_is_good(const cJSON *s, const struct place *p, char *why)
{
    const cJSON *word;

    if (p->depth > SCHEMA_DEPTH_MAX)
        return wrong(why, p, "lies more than %d deep", SCHEMA_DEPTH_MAX);
    if (!cJSON_IsObject(s))
        return wrong(why, p, "is no schema");
    cJSON_ArrayForEach(word, s)
        if (!word_is_good(s, word, p, why))
            return false;
    return true;
}

int schema_new(struct schema **out, struct text json, char why[SCHEMA_WHY_MAX])
{
    const struct place root = { .up = NULL };
    struct schema *s = calloc(1, sizeof *s);
    const char *end = NULL;

    if (!s)
        return -ENOMEM;
    why[0] = '\0';
    s->tree = cJSON_ParseWithLengthOpts(json.p ? json.p : "", json.n, &end, false);
    if (!s->tree || text_trim(text_skip(json, (size_t)(end - json.p))).n > 0)
        wrong(why, &root, "is not JSON");
    else if (kind_of(member(s->tree, "type")) != KIND_OBJECT)
        wrong(why, &root, "is no JSON schema with \"type\":\"object\"");
    else
        schema_is_good(s->tree, &root, why);
    if (why[0]) {
        schema_free(s);
        return -EINVAL;
    }
    *out = s;
    return 0;
}

void schema_free(struct schema *s)
{
    if (!s)
        return;
    cJSON_Delete(s->tree);
    free(s);
}

bool schema_has(const struct schema *s, struct text property)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, member(s->tree, "properties"))
        if (text_eq(text_of(one->string), property))
            return true;
    return false;
}

bool schema_requires(const struct schema *s, struct text property)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, member(s->tree, "required"))
        if (text_eq(text_of(one->valuestring), property))
            return true;
    return false;
}

/* ---- values ---- */

static bool accepts(const cJSON *s, const cJSON *v, const struct place *p, char *why);

static bool is_kind(const cJSON *v, int kind)
{
    switch ((enum kind)kind) {
    case KIND_STRING:
        return cJSON_IsString(v);
    case KIND_NUMBER:
        return cJSON_IsNumber(v) && isfinite(v->valuedouble);
    case KIND_INTEGER:
        return cJSON_IsNumber(v) && is_whole(v->valuedouble);
    case KIND_BOOLEAN:
        return cJSON_IsBool(v);
    case KIND_OBJECT:
        return cJSON_IsObject(v);
    case KIND_ARRAY:
        return cJSON_IsArray(v);
    case KIND_NULL:
        return cJSON_IsNull(v);
    case KIND_COUNT:
        break;
    }
    return false;
}

static bool is_one_of(const cJSON *list, const cJSON *v, const struct place *p, char *why)
{
    struct buf b;
    const cJSON *one;

    cJSON_ArrayForEach(one, list)
        if (cJSON_Compare(one, v, true))
            return true;
    buf_init(&b, 100);
    cJSON_ArrayForEach(one, list)
        if (cJSON_IsString(one))
            buf_addf(&b, "%s%s", b.n ? ", " : "", one->valuestring);
    wrong(why, p, "has to be one of: %.*s%s", TEXT_ARG(buf_text(&b)), b.err ? "..." : "");
    buf_free(&b);
    return false;
}

/* Characters of UTF-8, not bytes. */
static double length_of(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return (double)n;
}

static bool is_within(const cJSON *s, const char *least, const char *most, double v, const char *unit, const struct place *p, char *why)
{
    const cJSON *min = member(s, least), *max = member(s, most);

    if (min && v < min->valuedouble)
        return wrong(why, p, "has to be at least %.10g%s", min->valuedouble, unit);
    if (max && v > max->valuedouble)
        return wrong(why, p, "has to be at most %.10g%s", max->valuedouble, unit);
    return true;
}

static bool is_first_of_name(const cJSON *object, const cJSON *v)
{
    return member(object, v->string) == v;
}

static bool members_accept(const cJSON *s, const cJSON *object, const struct place *p, char *why)
{
    const cJSON *known = member(s, "properties"), *one;
    const bool is_closed = cJSON_IsFalse(member(s, "additionalProperties"));
    int n = 0;

    cJSON_ArrayForEach(one, object) {
        const struct place in = { .up = p, .name = one->string, .depth = p->depth + 1 };
        const cJSON *of = member(known, one->string);

        if (++n > SCHEMA_MEMBERS_MAX)
            return wrong(why, p, "has more than %d members", SCHEMA_MEMBERS_MAX);
        if (!is_first_of_name(object, one))
            return wrong(why, &in, "is given twice");
        if (!of && is_closed)
            return wrong(why, &in, "is not known here");
        if (of && !accepts(of, one, &in, why))
            return false;
    }
    cJSON_ArrayForEach(one, member(s, "required")) {
        const struct place in = { .up = p, .name = one->valuestring, .depth = p->depth + 1 };

        if (!member(object, one->valuestring))
            return wrong(why, &in, "is missing");
    }
    return true;
}

static bool elements_accept(const cJSON *s, const cJSON *list, const struct place *p, char *why)
{
    const cJSON *of = member(s, "items"), *one;
    int n = 0;

    cJSON_ArrayForEach(one, list) {
        const struct place in = { .up = p, .at = n++, .depth = p->depth + 1 };

        if (of && !accepts(of, one, &in, why))
            return false;
    }
    return is_within(s, "minItems", "maxItems", n, " elements long", p, why);
}

/* As deep as the schema: what it does not describe is not looked into. */
static bool accepts(const cJSON *s, const cJSON *v, const struct place *p, char *why)
{
    const cJSON *type = member(s, "type"), *list = member(s, "enum");

    if (type && !is_kind(v, kind_of(type)))
        return wrong(why, p, "has to be %s", kinds[kind_of(type)].called);
    if (list && !is_one_of(list, v, p, why))
        return false;
    if (cJSON_IsString(v))
        return is_within(s, "minLength", "maxLength", length_of(v->valuestring), " characters long", p, why);
    if (cJSON_IsNumber(v))
        return is_within(s, "minimum", "maximum", v->valuedouble, "", p, why);
    if (cJSON_IsObject(v))
        return members_accept(s, v, p, why);
    if (cJSON_IsArray(v))
        return elements_accept(s, v, p, why);
    return true;
}

bool schema_accepts(const struct schema *s, const struct cJSON *value, char why[SCHEMA_WHY_MAX])
{
    const struct place root = { .up = NULL };

    return accepts(s->tree, value, &root, why);
}
