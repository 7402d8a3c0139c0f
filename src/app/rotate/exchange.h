/* One secret in two files: Asterisk's section, and ours. Both are exchanged whole or put back as they were. Blocking. */
#pragma once

#include <limits.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

/* Where a user's secret stands in Asterisk's files. */
struct exchange_place {
    char file[PATH_MAX];
    unsigned line, column;      /* of the value, from 1 */
};

/* root: manager.conf or ari.conf; key: "secret" or "password". The value there must be `old`. 0; -ENOENT (no such section or key), -EXDEV (it
 * comes from a template, which others may share), -EBADMSG (another value stands there: a hash, or a file that was not read again),
 * -EINVAL (the file has mistakes), -ENOMEM, or what reading gave. */
int exchange_find(struct exchange_place *out, const char *root, const char *user, const char *key, const char *old) MUST_USE;

/* content with the value at that place replaced: malloc'ed. 0, -EBADMSG (old does not stand there), -ENOMEM. Pure. */
int exchange_text(char **out, size_t *n, struct text content, const struct exchange_place *at, const char *old, const char *fresh) MUST_USE;

/* Reads a file of at most 4 MiB whole: malloc'ed. */
int exchange_read(char **out, size_t *n, const char *path) MUST_USE;
/* Replaces path by these bytes in one step; owner and mode stay. 0 or a negative errno; then path is as it was. */
int exchange_write(const char *path, struct text content) MUST_USE;
/* A copy beside it, for its owner only: path + ".before-rotation". */
int exchange_backup(const char *path, struct text content) MUST_USE;
