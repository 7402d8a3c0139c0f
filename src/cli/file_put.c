/* Writes beside the file, then renames. */
#include "cli/file_put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int put_all(int fd, struct text t)
{
    while (t.n) {
        const ssize_t n = write(fd, t.p, t.n);

        if (n < 0 && errno != EINTR)
            return -errno;
        t = text_skip(t, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static mode_t usual_mode(void)
{
    const mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

static int put_directly(const char *path, struct text t)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return -errno;
    err = put_all(fd, t);
    if (close(fd) && !err)
        err = -errno;
    return err;
}

static int put_beside(char *beside, const char *path, mode_t mode, struct text t)
{
    const int fd = mkostemp(beside, O_CLOEXEC);
    int err;

    if (fd < 0)
        return -errno;
    err = put_all(fd, t);
    if (!err && (fchmod(fd, mode) || fsync(fd)))
        err = -errno;
    if (close(fd) && !err)
        err = -errno;
    if (!err && rename(beside, path))
        err = -errno;
    if (err)
        unlink(beside);
    return err;
}

int file_put(const char *path, struct text content)
{
    struct stat st;
    const bool is_there = stat(path, &st) == 0;
    char *beside;
    int err;

    if (is_there && !S_ISREG(st.st_mode))
        return put_directly(path, content);
    if (asprintf(&beside, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    err = put_beside(beside, path, is_there ? st.st_mode & 07777 : usual_mode(), content);
    free(beside);
    return err;
}
