/* Several files that are replaced together: all of them, or none. Owner and mode stay. Blocking; one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/text.h"

struct file_change {
    char *path;                    /* with a folder in it */
    char *before, *after;          /* what the file must hold still, and what it gets */
    size_t before_n, after_n;
    char *backup;                  /* NULL: none was made */
    char *fresh;                   /* the new content, beside it under a hidden name, until it is renamed */
    bool is_in;
};

struct file_set {
    struct file_change *items;
    size_t count;
    size_t at;                     /* of the file that an error is about */
    bool is_torn;                  /* `at` was replaced, and could not be put back */
};

/* Takes copies. 0 or -ENOMEM. */
int file_set_add(struct file_set *s, const char *path, struct text before, struct text after) MUST_USE;
/* Removes what was put beside the files for replacing them. Backups stay. */
void file_set_free(struct file_set *s);

/* May each be replaced? -ELOOP a symbolic link, -EINVAL no regular file, -ESTALE not what was read, -EXDEV outside of folder, -EACCES, -EROFS... */
int file_set_check(struct file_set *s, const char *folder) MUST_USE;
/* PATH.sidetone-STAMP with the same owner and mode (-2, -3... when there is one). No backup is left behind after an error. */
int file_set_backup(struct file_set *s, const char *stamp) MUST_USE;
void file_set_backup_drop(struct file_set *s);
/* Writes all beside, then compares and renames one by one; on an error those renamed are put back. */
int file_set_put(struct file_set *s) MUST_USE;
/* One clear clause about such an error: "is a symbolic link". */
const char *file_set_why(int err);

/* Reads a regular file of at most 64 MiB whole, links not followed: malloc'ed. -ELOOP, -EINVAL, -EFBIG... st: NULL passes. */
int file_grab(const char *path, char **out, size_t *n, struct stat *st) MUST_USE;
/* A new file with this content, owner and mode, on the disk when it returns. -EEXIST... */
int file_make(const char *path, struct text content, const struct stat *like) MUST_USE;
