/* Base64 (RFC 4648) as audio travels in JSON: padded, no line breaks. Pure. */
#pragma once

#include "base/buf.h"

static inline size_t base64_size(size_t n) { return (n + 2) / 3 * 4; }
/* Adds the text of n bytes. 0 or out's sticky error. */
int base64_write(struct buf *out, const void *bytes, size_t n);
/* Writes at most t.n / 4 * 3 bytes, and tells how many in *n. -EINVAL for anything but whole groups of the alphabet with the padding at
 * the end; what out holds then means nothing. */
int base64_read(struct text t, unsigned char *out, size_t *n) MUST_USE;
