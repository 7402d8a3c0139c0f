/* Shows a "?" for each character that could do more than be read. */
#include "audit/clean.h"

#include <stdint.h>

struct range {
    uint32_t first, last;
};

/* C1 controls (0x9b begins an escape sequence), zero-width ones, line separators, direction marks ("Trojan source", CVE-2021-42574), tags. */
static const struct range unfit[] = { { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },     { 0x180e, 0x180e },
                                      { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },
                                      { 0xfffe, 0xffff }, { 0xe0000, 0xe0fff } };
static const struct range marks[] = { { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f } };
static const struct range wide[] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
                                     { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd } };

static bool is_in(uint32_t c, const struct range *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= list[i].first && c <= list[i].last)
            return true;
    return false;
}

#define IS_IN(c, list) is_in((c), (list), sizeof(list) / sizeof *(list))

/* One well-formed sequence (RFC 3629), or 0 bytes. */
static size_t decode(struct text t, uint32_t *out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *const p = (const unsigned char *)t.p;
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    if (n == 0 || n > t.n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

struct text clean_next(struct text *rest, unsigned *columns)
{
    uint32_t c = 0;
    const size_t n = decode(*rest, &c);
    const struct text shown = text_head(*rest, n);

    *rest = text_skip(*rest, n ? n : 1);
    *columns = 1;
    if (n == 0 || IS_IN(c, unfit))
        return TEXT("?");
    if (c >= 0x300)
        *columns = IS_IN(c, marks) ? 0 : IS_IN(c, wide) ? 2 : 1;
    return shown;
}

void clean_put(struct text t, FILE *to)
{
    unsigned columns;

    while (t.n) {
        const struct text one = clean_next(&t, &columns);

        fwrite(one.p, 1, one.n, to);
    }
}

int clean_add(struct text t, struct buf *out)
{
    unsigned columns;

    while (t.n)
        buf_add_text(out, clean_next(&t, &columns));
    return out->err;
}
