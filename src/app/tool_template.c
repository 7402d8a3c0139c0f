/* Fills the templates of HTTP tools. */
#include "app/tool_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "net/http_hosts.h"

enum { WORDS_MAX = 64 * 1024, NUMBER_MAX = 40 };

/* Takes the piece before the next {name} off *rest, then the name. False: no more names; the rest is *before. */
static bool cut_name(struct text *rest, struct text *before, struct text *name)
{
    const ptrdiff_t from = text_find(*rest, '{');
    const ptrdiff_t to = from < 0 ? -1 : text_find(text_skip(*rest, (size_t)from), '}');

    if (to < 0) {
        *before = *rest;
        return false;
    }
    *before = text_head(*rest, (size_t)from);
    *name = text_head(text_skip(*rest, (size_t)from + 1), (size_t)to - 1);
    *rest = text_skip(*rest, (size_t)(from + to) + 1);
    return true;
}

static const cJSON *argument(const cJSON *args, struct text name)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, args)
        if (text_eq(text_of(one->string), name))
            return one;
    return NULL;
}

/* What stands for a plain value, or absent. number: room for one. */
static struct text plain(const cJSON *v, char number[NUMBER_MAX])
{
    if (cJSON_IsString(v))
        return text_of(v->valuestring);
    if (cJSON_IsBool(v))
        return cJSON_IsTrue(v) ? TEXT("true") : TEXT("false");
    if (!cJSON_IsNumber(v))
        return TEXT_NONE;
    snprintf(number, NUMBER_MAX, "%.15g", v->valuedouble);
    return text_of(number);
}

/* ---- the URL ---- */

static bool is_in_path(struct text url, const char *at)
{
    return !memchr(url.p, '?', (size_t)(at - url.p));
}

bool tool_url_check(struct text url, const struct schema *s, char why[TOOL_TEMPLATE_WHY])
{
    const struct text host = http_host_of(url);
    struct text rest = url, before, name;

    while (cut_name(&rest, &before, &name)) {
        if (!host.p || name.p < host.p + host.n) {
            snprintf(why, TOOL_TEMPLATE_WHY, "{%.*s} stands in the host, which has to be written out", TEXT_ARG(text_head(name, 60)));
            return false;
        }
        if (!s || !schema_has(s, name)) {
            snprintf(why, TOOL_TEMPLATE_WHY, "{%.*s} is no property of parameters", TEXT_ARG(text_head(name, 60)));
            return false;
        }
        if (is_in_path(url, name.p) && !schema_requires(s, name)) {
            snprintf(why, TOOL_TEMPLATE_WHY, "{%.*s} stands in the path, so parameters has to require it", TEXT_ARG(text_head(name, 60)));
            return false;
        }
    }
    return true;
}

/* curl and servers take "." and ".." for steps, also when they are encoded. */
static bool has_step(struct text path)
{
    struct text segment;

    while (text_cut(&path, '/', &segment))
        if (text_eq(segment, TEXT(".")) || text_eq(segment, TEXT("..")))
            return true;
    return false;
}

static int value_add(struct buf *out, struct text name, const cJSON *v, bool is_path, char *why)
{
    char number[NUMBER_MAX];
    const struct text value = plain(v, number);

    if (v && !cJSON_IsNull(v) && !value.p) {
        snprintf(why, TOOL_TEMPLATE_WHY, "%.*s has to be a text, a number, true or false", TEXT_ARG(text_head(name, 60)));
        return -EINVAL;
    }
    if (is_path && value.n == 0) {
        snprintf(why, TOOL_TEMPLATE_WHY, "%.*s may not be empty", TEXT_ARG(text_head(name, 60)));
        return -EINVAL;
    }
    return buf_add_url(out, value);
}

int tool_url_make(struct buf *out, struct text url, const struct cJSON *args, char why[TOOL_TEMPLATE_WHY])
{
    const struct text host = http_host_of(url);
    struct text rest = url, before, name, made;
    ptrdiff_t query;

    while (cut_name(&rest, &before, &name)) {
        int err;

        buf_add_text(out, before);
        err = value_add(out, name, argument(args, name), is_in_path(url, name.p), why);
        if (err)
            return err;
    }
    buf_add_text(out, before);
    if (out->err)
        return out->err;
    made = text_skip(buf_text(out), (size_t)(host.p - url.p) + host.n);
    query = text_find(made, '?');
    if (has_step(query < 0 ? made : text_head(made, (size_t)query))) {
        snprintf(why, TOOL_TEMPLATE_WHY, "an argument may not be . or ..");
        return -EINVAL;
    }
    return 0;
}

/* ---- the body ---- */

bool tool_body_check(const struct cJSON *body, const struct schema *s, char why[TOOL_TEMPLATE_WHY])
{
    struct text rest = cJSON_IsString(body) ? text_of(body->valuestring) : TEXT(""), before, name;
    const cJSON *one;

    while (cut_name(&rest, &before, &name)) {
        if (s && schema_has(s, name))
            continue;
        snprintf(why, TOOL_TEMPLATE_WHY, "{%.*s} is no property of parameters", TEXT_ARG(text_head(name, 60)));
        return false;
    }
    cJSON_ArrayForEach(one, body)
        if (!tool_body_check(one, s, why))
            return false;
    return true;
}

static cJSON *fill_text(const char *words, const cJSON *args)
{
    struct text rest = text_of(words), before, name;
    char number[NUMBER_MAX];
    cJSON *made = NULL;
    struct buf b;

    if (cut_name(&rest, &before, &name) && before.n == 0 && rest.n == 0) {
        const cJSON *v = argument(args, name);

        return v ? cJSON_Duplicate(v, true) : cJSON_CreateNull();
    }
    rest = text_of(words);
    buf_init(&b, WORDS_MAX);
    while (cut_name(&rest, &before, &name)) {
        buf_add_text(&b, before);
        buf_add_text(&b, plain(argument(args, name), number));
    }
    buf_add_text(&b, before);
    if (buf_cstr(&b))
        made = cJSON_CreateString(b.p);
    buf_free(&b);
    return made;
}

/* In place; false: no memory. */
static bool fill(cJSON *v, const cJSON *args)
{
    cJSON *one = v->child;

    while (one) {
        cJSON *const next = one->next;
        cJSON *fresh = cJSON_IsString(one) ? fill_text(one->valuestring, args) : NULL;

        if (cJSON_IsString(one)) {
            char *name = one->string ? strdup(one->string) : NULL;
            bool is_done = fresh && (!one->string || name);

            if (is_done && name)
                is_done = cJSON_ReplaceItemInObjectCaseSensitive(v, name, fresh);
            else if (is_done)
                is_done = cJSON_ReplaceItemViaPointer(v, one, fresh);
            free(name);
            if (!is_done) {
                cJSON_Delete(fresh);
                return false;
            }
        } else if (!fill(one, args)) {
            return false;
        }
        one = next;
    }
    return true;
}

char *tool_body_make(const struct cJSON *body, const struct cJSON *args)
{
    /* A list around it, so that a body that is one text is a member like any other. */
    cJSON *around = cJSON_CreateArray(), *copy = cJSON_Duplicate(body, true);
    char *printed = NULL, *own = NULL;

    if (around && copy && cJSON_AddItemToArray(around, copy)) {
        copy = NULL;
        if (fill(around, args))
            printed = cJSON_PrintUnformatted(around->child);
    }
    if (printed)
        own = text_dup(text_of(printed));
    cJSON_free(printed);
    cJSON_Delete(copy);
    cJSON_Delete(around);
    return own;
}
