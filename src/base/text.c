/* Looks at, cuts and reads runs of bytes. */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct text text_of(const char *s)
{
    return s ? (struct text){ .p = s, .n = strlen(s) } : TEXT_NONE;
}

struct text text_make(const void *p, size_t n)
{
    return (struct text){ .p = p, .n = n };
}

struct text text_skip(struct text t, size_t n)
{
    if (n > t.n)
        n = t.n;
    return (struct text){ .p = t.p ? t.p + n : NULL, .n = t.n - n };
}

struct text text_head(struct text t, size_t n)
{
    return (struct text){ .p = t.p, .n = n < t.n ? n : t.n };
}

static bool is_blank(char c)
{
    return (unsigned char)c <= 0x20;
}

struct text text_trim(struct text t)
{
    while (t.n && is_blank(t.p[0]))
        t = text_skip(t, 1);
    while (t.n && is_blank(t.p[t.n - 1]))
        t.n--;
    return t;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_eq(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int text_order(struct text a, struct text b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool text_eq_nocase(struct text a, struct text b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool text_starts(struct text t, struct text prefix)
{
    return text_eq(text_head(t, prefix.n), prefix);
}

bool text_starts_nocase(struct text t, struct text prefix)
{
    return text_eq_nocase(text_head(t, prefix.n), prefix);
}

bool text_ends(struct text t, struct text suffix)
{
    return t.n >= suffix.n && text_eq(text_skip(t, t.n - suffix.n), suffix);
}

ptrdiff_t text_find(struct text t, char c)
{
    const char *at = t.n ? memchr(t.p, c, t.n) : NULL;

    return at ? at - t.p : -1;
}

ptrdiff_t text_rfind(struct text t, char c)
{
    const char *at = t.n ? memrchr(t.p, c, t.n) : NULL;

    return at ? at - t.p : -1;
}

ptrdiff_t text_find_text(struct text t, struct text needle)
{
    const char *at = needle.n && t.n ? memmem(t.p, t.n, needle.p, needle.n) : NULL;

    return at ? at - t.p : -1;
}

bool text_is_one_line(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return false;
    return true;
}

bool text_cut(struct text *rest, char sep, struct text *head)
{
    ptrdiff_t at;

    if (!rest->p)
        return false;
    at = text_find(*rest, sep);
    if (at < 0) {
        *head = *rest;
        *rest = TEXT_NONE;
        return true;
    }
    *head = text_head(*rest, (size_t)at);
    *rest = text_skip(*rest, (size_t)at + 1);
    return true;
}

int text_to_i64(struct text t, int64_t *out)
{
    const bool negative = t.n && t.p[0] == '-';
    int64_t v = 0;
    size_t i = t.n && (t.p[0] == '-' || t.p[0] == '+') ? 1 : 0;

    if (i == t.n)
        return -EINVAL;
    for (; i < t.n; i++) {
        const char c = t.p[i];

        if (c < '0' || c > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, c - '0', &v)) /* negative has more room */
            return -ERANGE;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return -ERANGE;
    *out = v;
    return 0;
}

struct unit {
    struct text name;
    int64_t factor;
};

static int to_scaled(struct text t, const struct unit *units, size_t count, int64_t *out)
{
    size_t digits = 0;
    int64_t v;
    int err;

    while (digits < t.n && t.p[digits] >= '0' && t.p[digits] <= '9')
        digits++;
    err = text_to_i64(text_head(t, digits), &v);
    if (err)
        return err;
    t = text_trim(text_skip(t, digits));
    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(t, units[i].name))
            return __builtin_mul_overflow(v, units[i].factor, out) ? -ERANGE : 0;
    return -EINVAL;
}

int text_to_ms(struct text t, int64_t *out)
{
    static const struct unit units[] = {
        { TEXT(""), 1 }, { TEXT("ms"), 1 }, { TEXT("s"), 1000 }, { TEXT("m"), 60000 }, { TEXT("h"), 3600000 },
    };

    return to_scaled(t, units, sizeof units / sizeof *units, out);
}

int text_to_bytes(struct text t, int64_t *out)
{
    static const struct unit units[] = {
        { TEXT(""), 1 }, { TEXT("k"), 1024 }, { TEXT("M"), 1048576 }, { TEXT("G"), 1073741824 },
    };

    return to_scaled(t, units, sizeof units / sizeof *units, out);
}

int text_to_bool(struct text t, bool *out)
{
    static const struct text yes[] = { TEXT("yes"), TEXT("true"), TEXT("on"), TEXT("1") };
    static const struct text no[] = { TEXT("no"), TEXT("false"), TEXT("off"), TEXT("0") };

    for (size_t i = 0; i < 4; i++) {
        if (text_eq_nocase(t, yes[i]) || text_eq_nocase(t, no[i])) {
            *out = text_eq_nocase(t, yes[i]);
            return 0;
        }
    }
    return -EINVAL;
}

char *text_dup(struct text t)
{
    char *p = malloc(t.n + 1);

    if (!p)
        return NULL;
    if (t.n)
        memcpy(p, t.p, t.n);
    p[t.n] = '\0';
    return p;
}

size_t text_copy(char *out, size_t size, struct text t)
{
    if (size == 0)
        return 0;
    t = text_head(t, size - 1);
    if (t.n)
        memcpy(out, t.p, t.n);
    out[t.n] = '\0';
    return t.n;
}

size_t text_distance(struct text a, struct text b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1];

    if (a.n > LONGEST || b.n > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            const size_t up = row[j];
            size_t best = diagonal + (lower(a.p[i - 1]) != lower(b.p[j - 1]));

            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[b.n];
}
