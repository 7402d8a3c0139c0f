/* Error numbers and broken promises. Functions return 0 (or a count) and a negative errno value. */
#pragma once

#include <errno.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* A promise between our own functions. Stays on in release builds; aborts with file, line and text.
 * Never used for what a peer, a file or an operator can cause. */
#define INVARIANT(cond) \
    ((cond) ? (void)0 : err_invariant(#cond, __FILE__, __LINE__))

_Noreturn void err_invariant(const char *cond, const char *file, int line);

/* A short text for a negative error number ("connection refused"). Never NULL; static storage; any thread. */
const char *err_text(int err);
