/* Reads and judges the addresses of Deepgram's endpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/deepgram_check.h"

bool dg_query_read(struct text target, struct text *path, struct dg_query *out)
{
    struct text item;

    out->count = 0;
    text_cut(&target, '?', path);
    while (text_cut(&target, '&', &item)) {
        if (item.n == 0)
            continue;
        if (out->count == DG_QUERY_MAX)
            return false;
        text_cut(&item, '=', &out->items[out->count].name);
        out->items[out->count++].value = item.p ? item : TEXT("");
    }
    return true;
}

struct text dg_query_word(const struct dg_query *q, const char *name)
{
    for (size_t i = q->count; i > 0; i--)
        if (text_eq(q->items[i - 1].name, text_of(name)))
            return q->items[i - 1].value;
    return TEXT_NONE;
}

static bool number_read(struct text t, double *out)
{
    char copy[32], *end;

    if (t.n == 0 || t.n >= sizeof copy)
        return false;
    text_copy(copy, sizeof copy, t);
    *out = strtod(copy, &end);
    return *end == '\0';
}

double dg_query_number(const struct dg_query *q, const char *name, double otherwise)
{
    double n;

    return number_read(dg_query_word(q, name), &n) ? n : otherwise;
}

bool dg_query_is_on(const struct dg_query *q, const char *name)
{
    return text_eq(dg_query_word(q, name), TEXT("true"));
}

/* ---- judging ---- */

static bool begins_well(struct text value, const char *begins)
{
    struct text rest = text_of(begins), one;

    while (text_cut(&rest, ' ', &one))
        if (text_starts(value, one))
            return true;
    return false;
}

static const char *fault_of(struct text value, const struct dg_parameter *p)
{
    static const char encodings[] = "linear16 linear32 mulaw alaw opus ogg-opus speex g729 amr-nb amr-wb flac";
    double n;

    switch (p->value) {
    case DG_WORD:
        return value.n == 0 ? "Empty value" : p->begins && !begins_well(value, p->begins) ? "No such value" : NULL;
    case DG_NUMBER:
        return !number_read(value, &n) ? "Not a number" : n < p->least || n > p->most ? "Out of range" : NULL;
    case DG_SWITCH:
        return text_eq(value, TEXT("true")) || text_eq(value, TEXT("false")) ? NULL : "Neither true nor false";
    case DG_ENCODING:
        return begins_well(value, p->begins ? p->begins : encodings) ? NULL : "No such encoding";
    case DG_PAUSE:
        return text_eq(value, TEXT("true")) || text_eq(value, TEXT("false")) || number_read(value, &n) ? NULL : "Neither a number nor false";
    }
    return NULL;
}

static const struct dg_parameter *parameter_find(const struct dg_parameter *known, struct text name)
{
    for (const struct dg_parameter *p = known; p->name; p++)
        if (text_eq(name, text_of(p->name)))
            return p;
    return NULL;
}

void dg_query_check(const struct dg_query *q, const struct dg_parameter *known, struct shape_complaint *to)
{
    char name[80];

    for (size_t i = 0; i < q->count; i++) {
        const struct dg_parameter *p = parameter_find(known, q->items[i].name);
        const char *fault = p ? fault_of(q->items[i].value, p) : "Unknown parameter";

        text_copy(name, sizeof name, q->items[i].name);
        if (fault)
            shape_complain(to, p ? "invalid_value" : "unknown_parameter", name, fault);
    }
    for (const struct dg_parameter *p = known; p->name; p++)
        if (p->is_needed && !dg_query_word(q, p->name).p)
            shape_complain(to, "missing_required_parameter", p->name, "Missing required parameter");
}
