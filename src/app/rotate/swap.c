/* Exchanges the content of a file. */
#include "app/rotate/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "app/file_set.h"

enum { ACCESS_LIST_MAX = 8192 };

int swap_names(struct swap *s, const char *path)
{
    const char *slash;
    int folder;

    *s = (struct swap){ .folder = -1 };
    if (!realpath(path, s->path))
        return -errno;
    slash = strrchr(s->path, '/');
    folder = (int)(slash - s->path);
    snprintf(s->next, sizeof s->next, "%.*s/.%s.next-rotation", folder, s->path, slash + 1);
    snprintf(s->before, sizeof s->before, "%.*s/.%s.before-rotation", folder, s->path, slash + 1);
    return 0;
}

int swap_open(struct swap *s, const char *path)
{
    int err = swap_names(s, path);
    char folder[PATH_MAX];
    const char *slash;

    if (err)
        return err;
    slash = strrchr(s->path, '/');
    text_copy(folder, sizeof folder, text_make(s->path, slash == s->path ? 1 : (size_t)(slash - s->path)));
    if (faccessat(AT_FDCWD, s->path, W_OK, AT_EACCESS) || faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS))
        return -errno;
    s->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->folder < 0 ? -errno : 0;
}

void swap_close(struct swap *s)
{
    if (s->folder >= 0)
        close(s->folder);
    s->folder = -1;
}

static int settle(const struct swap *s)
{
    return fsync(s->folder) ? -errno : 0;
}

/* Without its access list the daemon's user, say, could not read it any more. */
static int copy_access_list(const char *from, const char *to)
{
    static const char name[] = "system.posix_acl_access";
    char list[ACCESS_LIST_MAX];
    const ssize_t n = getxattr(from, name, list, sizeof list);

    if (n < 0)
        return errno == ENODATA || errno == ENOTSUP ? 0 : -errno;
    return setxattr(to, name, list, (size_t)n, 0) ? -errno : 0;
}

int swap_prepare(struct swap *s, struct text next)
{
    struct stat st;
    int err;

    if (stat(s->path, &st))
        return -errno;
    if (unlink(s->next) && errno != ENOENT)     /* one that was cut off left it */
        return -errno;
    err = file_make(s->next, next, &st);
    return err ? err : copy_access_list(s->path, s->next);
}

/* Whole or not at all, also when the power fails: whoever finds it goes by it. */
int swap_keep(struct swap *s, struct text before)
{
    const int err = swap_prepare(s, before);

    if (err)
        return err;
    return rename(s->next, s->before) ? -errno : settle(s);
}

int swap_put(struct swap *s)
{
    if (rename(s->next, s->path))
        return -errno;
    s->is_put = true;
    return settle(s);
}

/* A second name for what is kept needs no room on the disk, and leaves it there should this be cut off. */
int swap_put_back(struct swap *s)
{
    if (!s->is_put)
        return 0;
    if ((unlink(s->next) && errno != ENOENT) || link(s->before, s->next) || rename(s->next, s->path))
        return -errno;
    s->is_put = false;
    return settle(s);
}

void swap_forget(struct swap *s)
{
    (void)unlink(s->next);
    (void)unlink(s->before);
    (void)settle(s);
}

int swap_write(const char *path, struct text content)
{
    struct swap s;
    int err = swap_open(&s, path);

    if (!err)
        err = swap_prepare(&s, content);
    if (!err)
        err = swap_put(&s);
    if (err && s.folder >= 0)
        (void)unlink(s.next);
    swap_close(&s);
    return err;
}
