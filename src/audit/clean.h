/* Makes text of a hostile file fit for a terminal and a page: no control character, no invalid UTF-8, nothing that turns the direction of what follows. Pure. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"

/* Takes one character off *rest (not empty). What to show for it: itself, or "?". *columns: 0, 1 or 2 on a terminal. */
struct text clean_next(struct text *rest, unsigned *columns);
void clean_put(struct text t, FILE *to);
/* 0 or the sticky error of out. */
int clean_add(struct text t, struct buf *out);
