/* A list of networks whose hosts may connect. A plain value; numeric addresses only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum { ALLOW_MAX = 64 };

struct allow_list {
    size_t count;                  /* 0: everybody may */
    struct {
        uint8_t net[16];           /* IPv4 as ::ffff:a.b.c.d */
        unsigned bits;             /* 0-128 */
    } item[ALLOW_MAX];
};

/* "127.0.0.1, 10.0.0.0/8, ::1". 0, -EINVAL (*bad: the part that is not understood), or -E2BIG. */
int allow_parse(struct text list, struct allow_list *out, struct text *bad) MUST_USE;
/* host: numeric, without port or brackets. */
bool allow_has(const struct allow_list *a, const char *host);
