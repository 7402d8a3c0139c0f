/* Turns bytes into base64, and back. */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_write(struct buf *out, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;
    const size_t size = base64_size(n);
    char *to = buf_room(out, size);

    if (!to)
        return out->err;
    for (; n >= 3; n -= 3, from += 3) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
        *to++ = alphabet[from[2] & 63];
    }
    if (n > 0) {
        const unsigned second = n == 2 ? from[1] : 0;

        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3u) << 4 | second >> 4];
        *to++ = n == 2 ? alphabet[(second & 15) << 2] : '=';
        *to++ = '=';
    }
    out->n += size;
    return 0;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_read(struct text t, unsigned char *out, size_t *n)
{
    size_t pad = 0, made = 0;

    if (t.n % 4 != 0)
        return -EINVAL;
    while (pad < 2 && pad < t.n && t.p[t.n - 1 - pad] == '=')
        pad++;
    for (size_t at = 0; at < t.n; at += 4) {
        const size_t missing = at + 4 == t.n ? pad : 0;
        unsigned group = 0;

        for (size_t i = 0; i < 4; i++) {
            const int v = i >= 4 - missing ? 0 : value_of(t.p[at + i]);

            if (v < 0)
                return -EINVAL;
            group = group << 6 | (unsigned)v;
        }
        for (size_t i = 0; i < 3 - missing; i++)
            out[made++] = (unsigned char)(group >> (16 - 8 * i));
    }
    *n = made;
    return 0;
}
