/* Matches numeric addresses against a list of networks. */
#include "net/allow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { HOST_MAX = 63, V4_BITS = 96 };

/* Both families in one form, so that a v4 address seen through a v6 socket is the same host. False: not numeric. */
static bool to_bytes(const char *host, uint8_t out[16], unsigned *most_bits)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (inet_pton(AF_INET, host, out + 12) == 1) {
        memcpy(out, mapped, sizeof mapped);
        *most_bits = 32;
        return true;
    }
    *most_bits = 128;
    return inet_pton(AF_INET6, host, out) == 1;
}

static bool item_parse(struct text t, uint8_t net[16], unsigned *bits)
{
    const ptrdiff_t slash = text_find(t, '/');
    char host[HOST_MAX + 1];
    unsigned most;
    int64_t n;

    if (text_copy(host, sizeof host, slash < 0 ? t : text_head(t, (size_t)slash)) >= HOST_MAX || !to_bytes(host, net, &most))
        return false;
    n = most;
    if (slash >= 0 && (text_to_i64(text_skip(t, (size_t)slash + 1), &n) || n < 0 || n > (int64_t)most))
        return false;
    *bits = (unsigned)n + (most == 32 ? V4_BITS : 0);
    return true;
}

int allow_parse(struct text list, struct allow_list *out, struct text *bad)
{
    struct text one;

    out->count = 0;
    while (text_cut(&list, ',', &one)) {
        *bad = one = text_trim(one);
        if (out->count == ALLOW_MAX)
            return -E2BIG;
        if (!item_parse(one, out->item[out->count].net, &out->item[out->count].bits))
            return -EINVAL;
        out->count++;
    }
    return 0;
}

static bool is_within(const uint8_t host[16], const uint8_t net[16], unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(host, net, whole) != 0)
        return false;
    return rest == 0 || (host[whole] ^ net[whole]) >> (8 - rest) == 0;
}

bool allow_has(const struct allow_list *a, const char *host)
{
    uint8_t bytes[16];
    unsigned most;

    if (a->count == 0)
        return true;
    if (!to_bytes(host, bytes, &most))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (is_within(bytes, a->item[i].net, a->item[i].bits))
            return true;
    return false;
}
