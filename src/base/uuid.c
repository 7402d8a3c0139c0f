/* Makes, writes and reads version 4 UUIDs. */
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void uuid_make(struct uuid *out)
{
    const ssize_t n = getrandom(out->bytes, sizeof out->bytes, 0); /* up to 256 bytes are never short */

    INVARIANT(n == (ssize_t)sizeof out->bytes);
    out->bytes[6] = (uint8_t)((out->bytes[6] & 0x0f) | 0x40);
    out->bytes[8] = (uint8_t)((out->bytes[8] & 0x3f) | 0x80);
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT + 1])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < sizeof u->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[u->bytes[i] >> 4];
        out[at++] = hex[u->bytes[i] & 15];
    }
    out[at] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int uuid_parse(struct text t, struct uuid *out)
{
    struct uuid u;
    size_t at = 0;

    if (t.n != UUID_TEXT)
        return -EINVAL;
    for (size_t i = 0; i < sizeof u.bytes; i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && t.p[at++] != '-')
            return -EINVAL;
        high = hex_value(t.p[at++]);
        low = hex_value(t.p[at++]);
        if (high < 0 || low < 0)
            return -EINVAL;
        u.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = u;
    return 0;
}

int uuid_equal(const struct uuid *a, const struct uuid *b)
{
    unsigned difference = 0;

    for (size_t i = 0; i < sizeof a->bytes; i++)
        difference |= (unsigned)(a->bytes[i] ^ b->bytes[i]);
    return difference == 0;
}
