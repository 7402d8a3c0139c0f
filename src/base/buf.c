/* Collects bytes up to a ceiling. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->err = 0;
}

char *buf_room(struct buf *b, size_t n)
{
    size_t cap;
    char *p;

    if (b->err)
        return NULL;
    if (n > b->max || b->n > b->max - n) {
        b->err = -ENOBUFS;
        return NULL;
    }
    if (n <= b->cap - b->n && b->p)
        return b->p + b->n;
    cap = b->cap ? b->cap : 64;
    while (cap < b->n + n)
        cap = cap > SIZE_MAX / 2 ? b->n + n : cap * 2;
    if (cap > b->max && b->max >= b->n + n)
        cap = b->max;
    p = realloc(b->p, cap ? cap : 1);
    if (!p) {
        b->err = -ENOMEM;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return b->p + b->n;
}

/* Most adds need nothing else; asking for room at each was a tenth of a session's instructions. */
static bool has_room(const struct buf *b, size_t n)
{
    return !b->err && b->p && n <= b->cap - b->n && b->n <= b->max && n <= b->max - b->n;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
    char *room = has_room(b, n) ? b->p + b->n : buf_room(b, n);

    if (!room)
        return b->err;
    if (n)
        memcpy(room, bytes, n);
    b->n += n;
    return 0;
}

int buf_add_text(struct buf *b, struct text t)
{
    return buf_add(b, t.p, t.n);
}

int buf_add_char(struct buf *b, char c)
{
    if (has_room(b, 1)) {
        b->p[b->n++] = c;
        return 0;
    }
    return buf_add(b, &c, 1);
}

int buf_add_int(struct buf *b, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    return buf_add(b, digits + at, sizeof digits - at);
}

int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    char *room;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (b->err)
        return b->err;
    if (n < 0)
        return b->err = -EINVAL;
    /* vsnprintf wants a byte for its NUL: taken from the room, not counted. */
    if ((size_t)n > b->max || b->n > b->max - (size_t)n)
        return b->err = -ENOBUFS;
    b->max++;
    room = buf_room(b, (size_t)n + 1);
    b->max--;
    if (!room)
        return b->err;
    vsnprintf(room, (size_t)n + 1, fmt, ap);
    b->n += (size_t)n;
    return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = buf_vaddf(b, fmt, ap);
    va_end(ap);
    return err;
}

/* Length of the well-formed UTF-8 sequence at p, or 0 (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t need;
    unsigned low = 0x80, high = 0xbf;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        need = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        need = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        need = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (n < need || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

static int add_json_char(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        return buf_add(b, "\\\"", 2);
    case '\\':
        return buf_add(b, "\\\\", 2);
    case '\n':
        return buf_add(b, "\\n", 2);
    case '\r':
        return buf_add(b, "\\r", 2);
    case '\t':
        return buf_add(b, "\\t", 2);
    default:
        return c < 0x20 || c == 0x7f ? buf_addf(b, "\\u%04x", c) : buf_add(b, &c, 1);
    }
}

static bool is_plain_json(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

int buf_add_json(struct buf *b, struct text t)
{
    const unsigned char *p = (const unsigned char *)t.p;
    size_t i = 0;

    while (i < t.n) {
        size_t n = i;

        while (n < t.n && is_plain_json(p[n]))
            n++;
        if (n > i) { /* most texts are one such run */
            buf_add(b, p + i, n - i);
            i = n;
            continue;
        }
        n = utf8_length(p + i, t.n - i);
        if (n == 1)
            add_json_char(b, p[i]);
        else if (n > 1)
            buf_add(b, p + i, n);
        else
            buf_add_text(b, TEXT("\xef\xbf\xbd"));
        i += n ? n : 1;
    }
    return b->err;
}

int buf_add_url(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)))
            buf_add(b, &c, 1);
        else
            buf_addf(b, "%%%02X", c);
    }
    return b->err;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
}

struct text buf_text(const struct buf *b)
{
    return (struct text){ .p = b->p ? b->p : "", .n = b->n };
}

const char *buf_cstr(struct buf *b)
{
    char *room;

    if (b->err)
        return NULL;
    b->max++;
    room = buf_room(b, 1);
    b->max--;
    if (!room)
        return NULL;
    *room = '\0';
    return b->p;
}
