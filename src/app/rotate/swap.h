/* Gives a file another content in one step, and keeps the old one beside it until all is proven. Blocking. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

/* What may fail for want of room or rights is done by swap_prepare and swap_keep, before the first file is touched: the steps after
 * these only rename. Both names are hidden: `#include folder/` with a star must not read them. */
struct swap {
    char path[PATH_MAX];                /* of the file itself: a link stays a link */
    char next[PATH_MAX + 32];           /* FOLDER/.NAME.next-rotation */
    char before[PATH_MAX + 32];         /* FOLDER/.NAME.before-rotation */
    int folder;                         /* -1: not open */
    bool is_put;                        /* the file has what was prepared */
};

/* The names alone. 0 or what following links gave. */
int swap_names(struct swap *s, const char *path) MUST_USE;
/* May path and its folder be written? 0 or why not; swap_close afterwards also on error. */
int swap_open(struct swap *s, const char *path) MUST_USE;
void swap_close(struct swap *s);

/* Beside the file, on the disk when it returns, with the file's owner, mode and access list. */
int swap_keep(struct swap *s, struct text before) MUST_USE;
int swap_prepare(struct swap *s, struct text next) MUST_USE;
/* The file becomes what was prepared. On an error it is as it was. */
int swap_put(struct swap *s) MUST_USE;
/* When it was put: the file becomes what was kept, which stays beside it as well. */
int swap_put_back(struct swap *s) MUST_USE;
/* Removes what is beside it. */
void swap_forget(struct swap *s);

/* All at once, for a file that needs no way back. */
int swap_write(const char *path, struct text content) MUST_USE;
