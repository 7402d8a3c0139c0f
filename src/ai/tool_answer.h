/* A tool's answer as every model is given it: a JSON value, or one object that says what went wrong. Pure. */
#pragma once

#include "base/buf.h"

/* err: as in provider_tool_result. What finds no room in b (which is emptied then, with all that stood before) is told as an error of its own. */
void tool_answer_write(struct buf *b, int err, struct text result);
