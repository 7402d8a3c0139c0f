/* Checks JSON strictly before cJSON sees it: cJSON takes much that is no JSON, and reports no reason. */
#include "wire/ari_internal.h"

#include <errno.h>
#include <string.h>

enum { NUMBER_MAX = 63 }; /* cJSON cuts longer ones */

struct scan {
    const char *p, *end;
    unsigned depth;
    const char *why;
};

static bool value(struct scan *s);

static bool refuse(struct scan *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return false;
}

static char peek(const struct scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c || s->p >= s->end)
        return false;
    s->p++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool word(struct scan *s, const char *w)
{
    const size_t n = strlen(w);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
        return refuse(s, "not JSON");
    s->p += n;
    return true;
}

static size_t digits(struct scan *s)
{
    const char *from = s->p;

    while (peek(s) >= '0' && peek(s) <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

static bool number(struct scan *s)
{
    const char *from = s->p;
    size_t n;

    take(s, '-');
    if (!take(s, '0') && !digits(s))
        return refuse(s, "not JSON");
    if (take(s, '.') && !digits(s))
        return refuse(s, "not JSON");
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        if (!digits(s))
            return refuse(s, "not JSON");
    }
    n = (size_t)(s->p - from);
    return n <= NUMBER_MAX || refuse(s, "a number of more than 63 characters");
}

/* The four digits behind "\u"; -1 when they are not. */
static int hex4(struct scan *s)
{
    int v = 0;

    for (int i = 0; i < 4; i++, s->p++) {
        const char c = peek(s);

        if (c >= '0' && c <= '9')
            v = v * 16 + c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v * 16 + (c | 0x20) - 'a' + 10;
        else
            return -1;
    }
    return v;
}

static bool unicode_escape(struct scan *s)
{
    const int unit = hex4(s);
    int low;

    if (unit < 0)
        return refuse(s, "not JSON");
    if (unit == 0)
        return refuse(s, "a string holds a NUL");
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit >= 0xdc00 || !take(s, '\\') || !take(s, 'u'))
        return refuse(s, "half a surrogate pair");
    low = hex4(s);
    return (low >= 0xdc00 && low <= 0xdfff) || refuse(s, "half a surrogate pair");
}

static bool string(struct scan *s)
{
    if (!take(s, '"'))
        return refuse(s, "not JSON");
    while (s->p < s->end) {
        const char c = *s->p++;

        if (c == '"')
            return true;
        if ((unsigned char)c < 0x20)
            return refuse(s, "a control byte in a string");
        if (c != '\\')
            continue;
        if (take(s, 'u')) {
            if (!unicode_escape(s))
                return false;
        } else if (s->p >= s->end || !strchr("\"\\/bfnrt", *s->p) || !*s->p) {
            return refuse(s, "not JSON");
        } else {
            s->p++;
        }
    }
    return refuse(s, "cut off");
}

static bool member(struct scan *s)
{
    skip_space(s);
    if (!string(s))
        return false;
    skip_space(s);
    return take(s, ':') ? value(s) : refuse(s, "not JSON");
}

/* What is between the brackets, and the closing one. The opening one is taken. */
static bool elements(struct scan *s, char close, bool (*one)(struct scan *))
{
    bool ok = true;

    if (++s->depth > ARI_JSON_DEPTH_MAX)
        return refuse(s, "nested deeper than 32");
    skip_space(s);
    if (!take(s, close)) {
        do {
            ok = one(s);
            skip_space(s);
        } while (ok && take(s, ','));
        if (ok && !take(s, close))
            ok = refuse(s, s->p < s->end ? "not JSON" : "cut off");
    }
    s->depth--;
    return ok;
}

static bool value(struct scan *s)
{
    skip_space(s);
    switch (peek(s)) {
    case '{':
        s->p++;
        return elements(s, '}', member);
    case '[':
        s->p++;
        return elements(s, ']', value);
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return number(s);
    }
}

int ari_json_parse(struct text json, size_t bytes_max, cJSON **out, const char **why)
{
    const char *p = json.p ? json.p : "";
    struct scan s = { .p = p, .end = p + json.n };
    bool ok;

    if (json.n > bytes_max)
        ok = refuse(&s, bytes_max == ARI_JSON_BYTES_MAX ? "longer than 1 MiB" : "longer than 16 MiB");
    else
        ok = value(&s);
    skip_space(&s);
    if (ok && s.p < s.end)
        ok = refuse(&s, "something follows the JSON");
    if (!ok) {
        *why = s.why;
        return -EPROTO;
    }
    *out = cJSON_ParseWithLength(p, json.n);
    return *out ? 0 : -ENOMEM; /* what passed the check above is JSON for cJSON too */
}

struct text ari_json_text(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? text_of(item->valuestring) : TEXT_NONE;
}
