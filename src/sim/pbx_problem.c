/* Makes the one-sentence reason that goes with a failure. */
#include "sim/pbx_problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int pbx_problem(char **problem, int err, const char *fmt, ...)
{
    va_list ap;

    free(*problem);
    va_start(ap, fmt);
    if (vasprintf(problem, fmt, ap) < 0)
        *problem = NULL;
    va_end(ap);
    return err;
}
