/* When does the certificate of a TLS port run out? Blocking, for tools. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* host: a name or an address without brackets. Nothing is verified here: who connects for real does that. *not_after: seconds since 1970.
 * 0, -EHOSTUNREACH (also: no such name), -ECONNREFUSED, -ETIMEDOUT, -EPROTO (no TLS there, or no certificate), -ENOMEM. */
int certificate_end(const char *host, uint16_t port, int64_t timeout_ms, int64_t *not_after) MUST_USE;
