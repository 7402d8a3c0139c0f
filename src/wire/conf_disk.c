/* Reads configuration from the disk: whole files, globs as Asterisk expands them. */
#include "wire/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };

static int read_whole(int fd, struct text *out)
{
    size_t cap = 4096, n = 0;
    char *p = malloc(cap), *bigger;
    ssize_t got;

    while (p) {
        got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n > FILE_MAX) {
            free(p);
            return -EFBIG;
        }
        if (n < cap)
            continue;
        cap *= 2;
        bigger = realloc(p, cap);
        if (!bigger)
            free(p);
        p = bigger;
    }
    if (!p)
        return -ENOMEM;
    if (got < 0) {
        const int err = -errno;

        free(p);
        return err;
    }
    *out = text_make(p, n);
    return 0;
}

/* -ENOLINK: a link, and what it leads to is not there. FreePBX links its files into a web folder that a copy of /etc/asterisk does not hold. */
static int open_error(const char *path, int err)
{
    struct stat st;

    return err == ENOENT && lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? -ENOLINK : -err;
}

/* A fifo or a device could hold the reader for ever, so only regular files are read; O_NONBLOCK keeps the opening short. */
static int disk_read(void *arg, const char *path, struct text *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int err;

    (void)arg;
    if (fd < 0)
        return open_error(path, errno);
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    else if (st.st_size > FILE_MAX)
        err = -EFBIG;
    else
        err = read_whole(fd, out);
    close(fd);
    return err;
}

static int copy_paths(const glob_t *g, char ***out)
{
    char **paths = calloc(g->gl_pathc + 1, sizeof *paths);

    for (size_t i = 0; paths && i < g->gl_pathc; i++) {
        paths[i] = text_dup(text_of(g->gl_pathv[i]));
        if (paths[i])
            continue;
        while (i > 0)
            free(paths[--i]);
        free(paths);
        paths = NULL;
    }
    if (!paths)
        return -ENOMEM;
    *out = paths;
    return 0;
}

static int disk_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    const bool is_bare = pattern[0] == '/' || strcmp(from, ".") == 0;
    glob_t g = { .gl_pathc = 0 };
    char *full = NULL;
    int err;

    (void)arg;
    if (asprintf(&full, "%s%s%s", is_bare ? "" : from, is_bare ? "" : "/", pattern) < 0)
        return -ENOMEM;
    /* GLOB_NOMAGIC: a plain name comes back even if its characters would not match themselves. */
    err = glob(full, GLOB_NOMAGIC | GLOB_BRACE, NULL, &g);
    free(full);
    if (err == GLOB_NOSPACE)
        return -ENOMEM;
    if (err && err != GLOB_NOMATCH)
        return -EACCES;
    err = copy_paths(&g, out);
    globfree(&g);
    return err;
}

const struct conf_source conf_disk = { .read = disk_read, .expand = disk_expand };
