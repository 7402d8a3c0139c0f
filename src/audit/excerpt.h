/* The line of a finding as it is shown: secrets hidden, control characters made harmless, tabs made blanks, a window of a long line, and where the mark goes. */
#pragma once

#include "audit/source.h"
#include "base/buf.h"
#include "wire/conf.h"

/* EXCERPT_HIDDEN: there is a line, but nobody can be sure that it holds no secret. */
enum excerpt_state { EXCERPT_NONE, EXCERPT_HIDDEN, EXCERPT_SHOWN };

enum { EXCERPT_COLUMNS = 100, EXCERPT_BYTES = 1024 };

struct excerpt {
    enum excerpt_state state;
    char line[EXCERPT_BYTES];      /* at most EXCERPT_COLUMNS wide, "..." included */
    unsigned mark, mark_width;     /* columns from 0; width 0: the place is not in the line */
};

void excerpt_make(struct excerpt *out, struct source *s, const struct conf_place *place);
/* The whole line, secrets hidden, comment dropped, blanks made one: what a fingerprint is made of. A line that is not shown gives nothing. */
int excerpt_plain(struct buf *out, struct source *s, const struct conf_place *place);
