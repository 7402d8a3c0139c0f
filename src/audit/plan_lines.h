/* What is written in place of a line that runs a script. Pure. Thread: the audit's. */
#pragma once

#include "audit/plan.h"

/* The text of a whole line as it is in the file is fit to be changed: its application stands where the step says; in AEL, alone, but for a comment
 * behind it. */
bool plan_line_can_go(const struct dialplan_step *s, struct text line);

/* Appends the lines that `line` becomes, each with LF and behind `sign`. Of extensions.conf and AEL only. */
void plan_lines(const struct plan *p, const struct plan_move *m, struct text line, const char *sign, struct buf *out);
/* How many there are beyond the one that was. */
size_t plan_lines_added(const struct plan_move *m);
/* What a person pastes where no patch can: of AEL and Lua, each line behind `sign`. Nothing when there is no route. */
void plan_lines_paste(const struct plan *p, const struct plan_move *m, const char *sign, struct buf *out);
