/* One job: fill a webhook's template from a row, so that no value can leave its place. */
#include "sink/webhook_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"

enum { FIELD_MAX = 128, DEPTH_MAX = 8 };

/* The row's whole line is parsed once: head and detail are found in the same way. Numbers of the head stay text, since a double cuts them. */
struct source {
    const struct sink_row *row;
    cJSON *detail;
};

const char *webhook_template_fault(const char *text)
{
    const char *at = text;

    if (!text[0])
        return "the template is empty";
    while ((at = strstr(at, "{{")) != NULL) {
        const char *end = strstr(at, "}}");
        const struct text name = end ? text_trim(text_make(at + 2, (size_t)(end - at - 2))) : TEXT_NONE;

        if (!end)
            return "a {{ in the template has no }}";
        if (name.n == 0 || name.n >= FIELD_MAX)
            return "a {{field}} in the template has no name, or one that is too long";
        for (size_t i = 0; i < name.n; i++)
            if ((unsigned char)name.p[i] <= ' ' || strchr("{}\"\\", name.p[i]))
                return "a {{field}} in the template has a name with blanks, quotes or braces";
        at = end + 2;
    }
    return NULL;
}

/* The number of the head that has this name. */
static bool head_number(const struct sink_row *row, struct text name, char *out, size_t size)
{
    const struct { struct text name; int64_t value; } all[] = {
        { TEXT("id"), row->id }, { TEXT("session"), row->session }, { TEXT("seq"), (int64_t)row->seq },
        { TEXT("n"), row->n }, { TEXT("at_us"), row->at_us },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (text_eq(all[i].name, name)) {
            snprintf(out, size, "%lld", (long long)all[i].value);
            return true;
        }
    return false;
}

static bool head_text(const struct sink_row *row, struct text name, struct buf *out)
{
    char at[32];

    if (text_eq(name, TEXT("key")))
        sink_row_key(out, row);
    else if (text_eq(name, TEXT("type")))
        buf_add_text(out, text_of(row->is_event ? "event" : "fact"));
    else if (text_eq(name, TEXT("node")))
        buf_add_text(out, text_of(row->node));
    else if (text_eq(name, TEXT("kind")))
        buf_add_text(out, text_of(row->kind));
    else if (text_eq(name, TEXT("call")))
        buf_add_text(out, text_of(row->call));
    else if (text_eq(name, TEXT("at"))) {
        clock_format(row->at_us, at, sizeof at);
        buf_add_text(out, text_of(at));
    } else {
        return false;
    }
    return true;
}

/* A header or field may hold a dot itself, so the whole name is tried before its parts. */
static const cJSON *detail_field(const cJSON *in, const char *name, int depth)
{
    const cJSON *whole = cJSON_GetObjectItemCaseSensitive(in, name);
    const char *dot = strchr(name, '.');
    char first[FIELD_MAX];

    if (whole || !dot || depth == DEPTH_MAX)
        return whole;
    text_copy(first, sizeof first, text_make(name, (size_t)(dot - name)));
    return detail_field(cJSON_GetObjectItemCaseSensitive(in, first), dot + 1, depth + 1);
}

static void add_text(struct buf *out, struct text t, bool in_string)
{
    if (!in_string)
        buf_add_char(out, '"');
    buf_add_json(out, t);
    if (!in_string)
        buf_add_char(out, '"');
}

static void add_detail(struct buf *out, const cJSON *v, bool in_string)
{
    char *json;

    if (!v || cJSON_IsNull(v)) {
        if (!in_string)
            buf_add_text(out, TEXT("null"));
        return;
    }
    if (cJSON_IsString(v)) {
        add_text(out, text_of(v->valuestring), in_string);
        return;
    }
    json = cJSON_PrintUnformatted(v);
    if (!json)
        out->err = -ENOMEM;
    else if (in_string)
        buf_add_json(out, text_of(json));
    else
        buf_add_text(out, text_of(json));
    cJSON_free(json);
}

static void add_field(struct buf *out, const struct source *from, struct text name, bool in_string)
{
    char word[FIELD_MAX], number[32];
    struct buf text;

    text_copy(word, sizeof word, name);
    if (head_number(from->row, name, number, sizeof number)) {
        buf_add_text(out, text_of(number));
        return;
    }
    buf_init(&text, SINK_ROW_BYTES);
    if (head_text(from->row, name, &text))
        add_text(out, buf_text(&text), in_string);
    else if (text_eq(name, TEXT("detail")))
        add_detail(out, from->detail, in_string);
    else if (text_starts(name, TEXT("detail.")))
        add_detail(out, detail_field(from->detail, word + 7, 0), in_string);
    else
        add_detail(out, detail_field(from->detail, word, 0), in_string);
    if (text.err)
        out->err = text.err;
    buf_free(&text);
}

int webhook_render(struct buf *out, const char *text, const struct sink_row *row)
{
    const struct source from = { .row = row, .detail = cJSON_Parse(row->detail ? row->detail : "{}") };
    bool in_string = false;

    for (const char *p = text; *p && !out->err;) {
        const char *end = strncmp(p, "{{", 2) == 0 ? strstr(p, "}}") : NULL;

        if (end) {
            add_field(out, &from, text_trim(text_make(p + 2, (size_t)(end - p - 2))), in_string);
            p = end + 2;
        } else if (in_string && *p == '\\' && p[1]) {
            buf_add(out, p, 2);
            p += 2;
        } else {
            in_string = in_string != (*p == '"');
            buf_add_char(out, *p++);
        }
    }
    cJSON_Delete(from.detail);
    return out->err;
}
