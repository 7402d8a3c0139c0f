/* Where a user's secret stands in Asterisk's files, and these files with another one there. */
#pragma once

#include <limits.h>
#include <stddef.h>

#include "app/secret.h"
#include "base/err.h"
#include "base/text.h"

/* Where a user's secret stands in Asterisk's files. */
struct exchange_place {
    char file[PATH_MAX];
    unsigned line, column;      /* of the value, from 1 */
    char value[SECRET_MAX + 1]; /* to be wiped */
};

/* root: manager.conf or ari.conf; key: "secret" or "password". 0; -ENOENT (no such section or key), -EXDEV (it comes from a template, which
 * others may share), -EBADMSG (made of several lines: +=), -EINVAL (the file has mistakes), -ENAMETOOLONG, -ENOMEM, or what reading gave.
 * Blocking. */
int exchange_find(struct exchange_place *out, const char *root, const char *user, const char *key) MUST_USE;

/* content with the value at that place replaced: malloc'ed. 0, -EBADMSG (old does not stand there), -ENOMEM. Pure. */
int exchange_text(char **out, size_t *n, struct text content, const struct exchange_place *at, const char *old, const char *fresh) MUST_USE;
