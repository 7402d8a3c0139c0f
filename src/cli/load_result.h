/* What `bench media` and `bench call` have in common. Thread: the program's one. */
#pragma once

#include <stdbool.h>

#include "sim/media_load.h"

/* As many open files as this user may have: each caller is one. */
void load_files_raise(void);
/* The value of --NAME; text NULL leaves *out as it is. CLI_GO_ON, or a wrong use that has been told. */
int load_number(const char *verb, const char *text, const char *name, int64_t low, int64_t high, int64_t *out);
/* Speaks, and tells what was met: text, or one line of JSON. An exit code: CLI_FAILED when a leg broke, or nothing was measured. */
int load_run(const char *verb, const struct media_load_options *opt, bool as_json);
