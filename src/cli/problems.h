/* How problems of the configuration are written: one line each, or JSON. */
#pragma once

#include <stdio.h>

#include "app/config.h"
#include "base/buf.h"

/* config_on_problem: "file:line: section/key: message" to the FILE in arg. */
void problem_print(const struct config_problem *p, void *to);
/* The same as one JSON object, added to out. */
void problem_json(const struct config_problem *p, struct buf *out);
