/* Tells what an error number means, and stops the program when one of our own promises is broken. */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void err_invariant(const char *cond, const char *file, int line)
{
    fprintf(stderr, "level=error mod=base event=invariant_broken at=%s:%d promise=\"%s\"\n", file, line, cond);
    abort();
}

const char *err_text(int err)
{
    /* strerrordesc_np: static text, any thread, no locale (glibc 2.32). */
    const char *s = strerrordesc_np(err < 0 ? -err : err);

    return s ? s : "unknown error";
}
