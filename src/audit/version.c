/* Reads an Asterisk version. */
#include "audit/version.h"

#include <stddef.h>

enum { DIGITS_MAX = 3, LINE_MIN = 1, PART = 1000 };

static size_t digits_of(struct text t)
{
    size_t n = 0;

    while (n < t.n && t.p[n] >= '0' && t.p[n] <= '9')
        n++;
    return n;
}

static bool take_part(struct text *t, unsigned *out)
{
    const size_t n = digits_of(*t);

    if (!n || n > DIGITS_MAX)
        return false;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = *out * 10 + (unsigned)(t->p[i] - '0');
    *t = text_skip(*t, n);
    return true;
}

/* Debian's "1:22.4.1". */
static struct text without_epoch(struct text t)
{
    const size_t n = digits_of(t);

    return n && n < t.n && t.p[n] == ':' ? text_skip(t, n + 1) : t;
}

/* What may follow: a candidate's mark, or the package's own numbers. */
static bool read_suffix(struct text t, bool *is_before)
{
    static const char *const marks[] = { "rc", "alpha", "beta", "pre" };

    if (!t.n)
        return true;
    if (!text_is_one_line(t) || (t.p[0] != '-' && t.p[0] != '~' && t.p[0] != '+' && t.p[0] != ' '))
        return false;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        *is_before |= text_starts_nocase(text_skip(t, 1), text_of(marks[i]));
    return true;
}

bool audit_version_read(struct audit_version *out, struct text t)
{
    struct audit_version v = { 0 };

    t = text_trim(t);
    if (text_starts_nocase(t, TEXT("Asterisk ")))
        t = text_trim(text_skip(t, 9));
    t = without_epoch(t);
    do {
        if (!take_part(&t, &v.parts[v.count]))
            return false;
        v.count++;
    } while (v.count < 3 && t.n && t.p[0] == '.' && (t = text_skip(t, 1), true));
    if (v.parts[0] < LINE_MIN || !read_suffix(t, &v.is_before))
        return false;
    *out = v;
    return true;
}

int64_t audit_version_number(const struct audit_version *v)
{
    return ((int64_t)v->parts[0] * PART + v->parts[1]) * PART + v->parts[2] - v->is_before;
}
