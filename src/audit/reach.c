/* Judges bind addresses and deny/permit lists. */
#include "audit/reach.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

struct net {
    uint8_t bytes[16];
    unsigned size;                      /* 4 or 16 */
};

/* "10.0.0.1", "[::1]:5038", "10.0.0.1:5038": without brackets and port. */
static struct text host_only(struct text t)
{
    const ptrdiff_t close = text_find(t, ']'), colon = text_rfind(t, ':');

    if (t.n && t.p[0] == '[')
        return text_skip(text_head(t, close < 0 ? t.n : (size_t)close), 1);
    if (colon >= 0 && text_find(t, ':') == colon && text_find(t, '.') >= 0)
        return text_head(t, (size_t)colon);
    return t;
}

static bool net_read(struct net *out, struct text t)
{
    char host[64];

    if (t.n >= sizeof host)
        return false;
    text_copy(host, sizeof host, t);
    if (inet_pton(AF_INET, host, out->bytes) == 1)
        out->size = 4;
    else if (inet_pton(AF_INET6, host, out->bytes) == 1)
        out->size = 16;
    else
        return false;
    return true;
}

static bool is_private4(const uint8_t *b)
{
    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254);
}

enum reach reach_of(struct text host)
{
    static const uint8_t loopback6[16] = { [15] = 1 }, mapped[12] = { [10] = 0xff, [11] = 0xff };
    const struct text h = host_only(text_trim(host));
    struct net n;
    const uint8_t *four = NULL;

    if (text_eq_nocase(h, TEXT("localhost")))
        return REACH_LOOPBACK;
    if (!net_read(&n, h))
        return REACH_OPEN;
    if (n.size == 4)
        four = n.bytes;
    else if (memcmp(n.bytes, mapped, sizeof mapped) == 0)
        four = n.bytes + 12;
    if (four)
        return four[0] == 127 ? REACH_LOOPBACK : is_private4(four) ? REACH_PRIVATE : REACH_OPEN;
    if (memcmp(n.bytes, loopback6, 16) == 0)
        return REACH_LOOPBACK;
    return (n.bytes[0] & 0xfe) == 0xfc || (n.bytes[0] == 0xfe && (n.bytes[1] & 0xc0) == 0x80) ? REACH_PRIVATE : REACH_OPEN;
}

bool reach_has_ipv6(struct text host)
{
    struct net n;

    return !net_read(&n, host_only(text_trim(host))) || n.size == 16;
}

/* "10.0.0.0/255.0.0.0", "10.0.0.0/8", "::/0", "10.0.0.5": does it hold every address of its kind? 4, 6 or 0. */
static unsigned covers_all(struct text t)
{
    const ptrdiff_t slash = text_find(t, '/');
    struct net address, mask;
    int64_t bits;

    if (slash < 0 || !net_read(&address, text_trim(text_head(t, (size_t)slash))))
        return 0;
    t = text_trim(text_skip(t, (size_t)slash + 1));
    if (text_to_i64(t, &bits) == 0)
        return bits == 0 ? (address.size == 4 ? 4 : 6) : 0;
    if (!net_read(&mask, t))
        return 0;
    for (unsigned i = 0; i < mask.size; i++)
        if (mask.bytes[i])
            return 0;
    return mask.size == 4 ? 4 : 6;
}

static void take_list(struct reach_lists *out, struct text list, bool permits)
{
    struct text one;

    while (text_cut(&list, ',', &one)) {
        const struct text t = text_trim(one);
        const bool is_turned = t.n && t.p[0] == '!';    /* permit=!10.0.0.0/8 denies */
        const unsigned kind = covers_all(is_turned ? text_skip(t, 1) : t);
        const ptrdiff_t slash = text_find(t, '/');

        if (permits && !is_turned && reach_of(slash < 0 ? t : text_head(t, (size_t)slash)) != REACH_LOOPBACK)
            out->lets_others = true;

        if (kind == 4)
            out->lets_all4 = permits != is_turned;
        else if (kind == 6)
            out->lets_all6 = permits != is_turned;
    }
}

void reach_lists_read(struct reach_lists *out, const struct settings_group *g)
{
    *out = (struct reach_lists){ .lets_all4 = true, .lets_all6 = true };
    for (size_t i = 0; g && i < g->count; i++)
        for (size_t k = 0; k < g->sections[i]->count; k++) {
            const struct conf_item *item = &g->sections[i]->items[k];
            const bool permits = text_eq_nocase(item->name, TEXT("permit"));

            if (text_eq_nocase(item->name, TEXT("acl"))) {
                out->is_named = true;
                out->lets_others = true;
                out->lets_all4 = out->lets_all6 = false;
                out->count++;
            } else if (permits || text_eq_nocase(item->name, TEXT("deny"))) {
                take_list(out, item->value, permits);
                out->count++;
            }
        }
}
