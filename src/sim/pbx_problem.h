/* One sentence about why a private Asterisk cannot be had. */
#pragma once

#include "base/err.h"

/* Sets *problem (malloc'ed; NULL when memory is short) and returns err. An earlier text is freed. */
int pbx_problem(char **problem, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
