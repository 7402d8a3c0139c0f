/* Compares two runs of a session: the commands in order, the variables that they leave behind. Pure.
 * Two commands are the same when Asterisk reads the same words: quotes, blanks and the case of keywords do not count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { COMPARE_COMMANDS_MAX = 8192, COMPARE_CELLS_MAX = 1 << 16, COMPARE_WORDS_MAX = 127 };

bool command_same(struct text a, struct text b);
/* True for commands whose reply says no more than that they were done, and what Asterisk answers then. */
bool command_is_told(struct text line, struct text *reply);
/* The variable and value that the command sets; malloc'ed. 1, 0 (sets none), -ENOMEM. */
int command_sets(struct text line, char **name, char **value) MUST_USE;

enum compare_side { COMPARE_BOTH = ' ', COMPARE_OLD = '-', COMPARE_NEW = '+' };

struct compare_row {
    enum compare_side side;
    size_t old_at, new_at;         /* index in its list; of the side that has it */
};

/* The shortest way from one list to the other. Lists whose differing middle needs more than COMPARE_CELLS_MAX steps are told as all old,
 * then all new. *rows: malloc'ed. 0, -E2BIG (over COMPARE_COMMANDS_MAX), -ENOMEM. */
int compare_commands(const struct text *old, size_t old_count, const struct text *new, size_t new_count, struct compare_row **rows,
                     size_t *count) MUST_USE;
