/* Replaces several files together. */
#include "app/file_set.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/rotate/swap.h"

enum { FILE_MAX = 64 << 20, SAME_SECOND_MAX = 99 };

/* ---- one file ---- */

static int read_up_to(int fd, char *p, size_t size, size_t *n)
{
    *n = 0;
    while (*n < size) {
        const ssize_t got = read(fd, p + *n, size - *n);

        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return 0;
        *n += got > 0 ? (size_t)got : 0;
    }
    return -ESTALE;                /* it grows while it is read */
}

int file_grab(const char *path, char **out, size_t *n, struct stat *st)
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    char *p = NULL;
    struct stat own;
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &own))
        err = -errno;
    else if (!S_ISREG(own.st_mode))
        err = -EINVAL;
    else if (own.st_size > FILE_MAX)
        err = -EFBIG;
    else if (!(p = malloc((size_t)own.st_size + 1)))
        err = -ENOMEM;
    if (!err)
        err = read_up_to(fd, p, (size_t)own.st_size + 1, n);
    close(fd);
    if (err) {
        free(p);
        return err;
    }
    if (st)
        *st = own;
    *out = p;
    return 0;
}

static int write_all(int fd, struct text t)
{
    while (t.n > 0) {
        const ssize_t n = write(fd, t.p, t.n);

        if (n < 0 && errno != EINTR)
            return -errno;
        t = text_skip(t, n > 0 ? (size_t)n : 0);
    }
    return fsync(fd) ? -errno : 0;
}

int file_make(const char *path, struct text content, const struct stat *like)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int err = 0;

    if (fd < 0)
        return -errno;
    /* The owner first: a change of the owner takes set-id bits away. */
    if (((like->st_uid != geteuid() || like->st_gid != getegid()) && fchown(fd, like->st_uid, like->st_gid)) || fchmod(fd, like->st_mode & 07777))
        err = -errno;
    if (!err)
        err = write_all(fd, content);
    if (close(fd) && !err)
        err = -errno;
    if (err)
        (void)unlink(path);
    return err;
}

/* ---- the set ---- */

static char *bytes_dup(struct text t)
{
    char *p = malloc(t.n + 1);

    if (p && t.n)
        memcpy(p, t.p, t.n);
    return p;
}

int file_set_add(struct file_set *s, const char *path, struct text before, struct text after)
{
    struct file_change *bigger = realloc(s->items, (s->count + 1) * sizeof *bigger), *c;

    if (!bigger)
        return -ENOMEM;
    s->items = bigger;
    c = &s->items[s->count];
    *c = (struct file_change){ .path = strdup(path), .before = bytes_dup(before), .after = bytes_dup(after), .before_n = before.n, .after_n = after.n };
    s->count++;
    return c->path && c->before && c->after ? 0 : -ENOMEM;
}

void file_set_free(struct file_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct file_change *const c = &s->items[i];

        if (c->fresh)
            (void)unlink(c->fresh);
        free(c->fresh);
        free(c->path);
        free(c->before);
        free(c->after);
        free(c->backup);
    }
    free(s->items);
    *s = (struct file_set){ .count = 0 };
}

/* Is it still what was read? */
static int compare(const struct file_change *c, struct stat *st)
{
    char *now;
    size_t n;
    const int err = file_grab(c->path, &now, &n, st);
    bool is_same;

    if (err)
        return err;
    is_same = n == c->before_n && memcmp(now, c->before, n) == 0;
    free(now);
    return is_same ? 0 : -ESTALE;
}

/* The folder of a path as it is without links; a link in the middle may lead anywhere. */
static int check_folder(const char *path, const char *root)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *const slash = strrchr(path, '/');
    const size_t n = strlen(root);

    if (!slash)
        return -EXDEV;
    text_copy(folder, sizeof folder, text_make(path, slash == path ? 1 : (size_t)(slash - path)));
    if (!realpath(folder, real))
        return -errno;
    if (strncmp(real, root, n) != 0 || (real[n] != '\0' && real[n] != '/' && n > 1))
        return -EXDEV;
    return faccessat(AT_FDCWD, real, W_OK | X_OK, AT_EACCESS) ? -errno : 0;
}

int file_set_check(struct file_set *s, const char *folder)
{
    char root[PATH_MAX];
    int err = realpath(folder, root) ? 0 : -errno;

    for (size_t i = 0; !err && i < s->count; i++) {
        s->at = i;
        err = compare(&s->items[i], NULL);
        if (!err && faccessat(AT_FDCWD, s->items[i].path, W_OK, AT_EACCESS))
            err = -errno;
        if (!err)
            err = check_folder(s->items[i].path, root);
    }
    return err;
}

/* ---- backups ---- */

static int backup_one(struct file_change *c, const char *stamp)
{
    struct stat st;
    int err = compare(c, &st);

    for (int k = 1; !err && k <= SAME_SECOND_MAX; k++) {
        char more[16] = "";

        if (k > 1)
            snprintf(more, sizeof more, "-%d", k);
        if (asprintf(&c->backup, "%s.sidetone-%s%s", c->path, stamp, more) < 0) {
            c->backup = NULL;
            return -ENOMEM;
        }
        err = file_make(c->backup, text_make(c->before, c->before_n), &st);
        if (!err)
            return 0;
        free(c->backup);
        c->backup = NULL;
        err = err == -EEXIST && k < SAME_SECOND_MAX ? 0 : err;
    }
    return err;
}

void file_set_backup_drop(struct file_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].backup)
            (void)unlink(s->items[i].backup);
        free(s->items[i].backup);
        s->items[i].backup = NULL;
    }
}

int file_set_backup(struct file_set *s, const char *stamp)
{
    int err = 0;

    for (size_t i = 0; !err && i < s->count; i++) {
        s->at = i;
        err = backup_one(&s->items[i], stamp);
    }
    if (err)
        file_set_backup_drop(s);
    return err;
}

/* ---- replacing ---- */

/* Hidden: a reload in this moment, with `#include folder` and a star, must not read it. One that a crash left is removed. */
static int fresh_make(struct file_change *c)
{
    const char *const slash = strrchr(c->path, '/');
    const int folder = slash ? (int)(slash - c->path) + 1 : 0;
    struct stat st;
    char *name;
    int err = compare(c, &st);

    if (err)
        return err;
    if (asprintf(&name, "%.*s.sidetone-fresh-%s", folder, c->path, c->path + folder) < 0)
        return -ENOMEM;
    (void)unlink(name);
    err = file_make(name, text_make(c->after, c->after_n), &st);
    if (err)
        free(name);
    else
        c->fresh = name;
    return err;
}

/* What an editor saves between these two calls would be lost: nothing tells us, so the time between is kept short. */
static int fresh_rename(struct file_change *c)
{
    const int err = compare(c, NULL);

    if (err)
        return err;
    if (rename(c->fresh, c->path))
        return -errno;
    free(c->fresh);
    c->fresh = NULL;
    c->is_in = true;
    return 0;
}

static void put_back(struct file_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct file_change *const c = &s->items[i];

        if (!c->is_in)
            continue;
        if (swap_write(c->path, text_make(c->before, c->before_n))) {
            s->at = i;
            s->is_torn = true;
        } else {
            c->is_in = false;
        }
    }
}

int file_set_put(struct file_set *s)
{
    int err = 0;

    for (size_t i = 0; !err && i < s->count; i++) {
        s->at = i;
        err = fresh_make(&s->items[i]);
    }
    for (size_t i = 0; !err && i < s->count; i++) {
        s->at = i;
        err = fresh_rename(&s->items[i]);
    }
    if (err)
        put_back(s);
    return err;
}

const char *file_set_why(int err)
{
    switch (err) {
    case -ELOOP:
        return "is a symbolic link: name the folder in which the file itself is";
    case -EINVAL:
        return "is no regular file";
    case -ESTALE:
        return "was changed since it was read";
    case -EXDEV:
        return "is outside of the folder";
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return "may not be replaced by this user";
    default:
        return err_text(err);
    }
}
