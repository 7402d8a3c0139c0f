/* Reads and writes the arguments of tool calls. */
#include "call/tool_args.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { NUMBER_MIN = 4 };

/* cJSON ends a text at \u0000, other readers do not: such a text would be checked as one and used as another. */
static bool has_nul(struct text raw)
{
    return text_find_text(raw, TEXT("\\u0000")) >= 0 || text_find(raw, '\0') >= 0;
}

/* Length of the character that begins at p, or 0: none does. */
static size_t character(const unsigned char *p, size_t left)
{
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* A limit of characters means nothing for bytes that are none. */
static bool is_utf8(struct text t)
{
    size_t n = 1;

    for (size_t at = 0; at < t.n && n > 0; at += n)
        n = character((const unsigned char *)t.p + at, t.n - at);
    return n > 0;
}

int tool_args_read(struct cJSON **out, struct text raw, const char **why)
{
    const struct text json = text_trim(raw).n > 0 ? raw : TEXT("{}");
    const char *end = NULL;
    cJSON *tree;

    *why = "the arguments are too long";
    if (json.n > TOOL_ARGS_MAX)
        return -EINVAL;
    *why = "the arguments have to be one JSON object";
    if (has_nul(json) || !is_utf8(json))
        return -EINVAL;
    tree = cJSON_ParseWithLengthOpts(json.p, json.n, &end, false);
    if (!cJSON_IsObject(tree) || text_trim(text_skip(json, (size_t)(end - json.p))).n > 0) {
        cJSON_Delete(tree);
        return -EINVAL;
    }
    *out = tree;
    return 0;
}

char *tool_args_write(const struct cJSON *args)
{
    char *printed = cJSON_PrintUnformatted(args);
    char *own = printed ? text_dup(text_of(printed)) : NULL;

    cJSON_free(printed);
    return own;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_between(char c)
{
    return c && strchr(" -./()", c);
}

void tool_args_mask(char *text)
{
    for (char *p = text; *p;) {
        char *end = p, *last = p;
        size_t digits = 0;

        if (!is_digit(*p)) {
            p++;
            continue;
        }
        for (; is_digit(*end) || is_between(*end); end++) {
            digits += is_digit(*end);
            if (is_digit(*end))
                last = end + 1;
        }
        for (; p < last; p++)
            if (digits >= NUMBER_MIN && is_digit(*p))
                *p = '*';
    }
}
