/* What `bench media` and `bench call` have in common. Thread: the program's one. */
#pragma once

#include "sim/media_load.h"

/* As many open files as this user may have: each caller is one. */
void load_files_raise(void);
void load_result_text(const struct media_load_result *r);
/* One line. */
void load_result_json(const struct media_load_result *r);
