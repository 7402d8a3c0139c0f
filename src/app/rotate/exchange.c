/* Finds the line of a secret, and exchanges files in one step. */
#include "app/rotate/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/conf.h"

enum { FILE_MAX = 4 << 20 };

/* ---- where ---- */

/* The last one of all sections of that name is what Asterisk goes by. */
static const struct conf_item *find_item(const struct conf *c, const char *user, const char *key)
{
    const struct conf_item *met = NULL;

    for (size_t i = 0; i < c->section_count; i++) {
        const struct conf_section *s = &c->sections[i];

        if (s->is_template || !text_eq(s->name, text_of(user)))
            continue;
        for (size_t k = 0; k < s->count; k++)
            if (text_eq_nocase(s->items[k].name, text_of(key)))
                met = &s->items[k];
    }
    return met;
}

int exchange_find(struct exchange_place *out, const char *root, const char *user, const char *key, const char *old)
{
    const struct conf_item *item;
    struct conf *c;
    int err = conf_load(&c, root, &conf_disk);

    if (err)
        return err;
    item = find_item(c, user, key);
    if (!item)
        err = c->error_count ? -EINVAL : -ENOENT;
    else if (item->inherited)
        err = -EXDEV;
    else if (item->appended || !text_eq(item->value, text_of(old)))
        err = -EBADMSG;
    else if (strlen(item->place.file) >= sizeof out->file)
        err = -ENAMETOOLONG;
    if (!err) {
        *out = (struct exchange_place){ .line = item->place.line, .column = item->value_column };
        text_copy(out->file, sizeof out->file, text_of(item->place.file));
    }
    conf_free(c);
    return err;
}

/* ---- what ---- */

int exchange_text(char **out, size_t *n, struct text content, const struct exchange_place *at, const char *old, const char *fresh)
{
    const size_t old_n = strlen(old), fresh_n = strlen(fresh);
    struct text rest = content;
    size_t before;
    char *made;

    for (unsigned line = 1; line < at->line; line++) {
        const ptrdiff_t end = text_find(rest, '\n');

        if (end < 0)
            return -EBADMSG;
        rest = text_skip(rest, (size_t)end + 1);
    }
    if (at->column == 0 || at->column > rest.n)
        return -EBADMSG;
    rest = text_skip(rest, at->column - 1);
    if (!old_n || !text_starts(rest, text_of(old)))
        return -EBADMSG;
    before = (size_t)(rest.p - content.p);
    made = malloc(content.n - old_n + fresh_n + 1);
    if (!made)
        return -ENOMEM;
    memcpy(made, content.p, before);
    memcpy(made + before, fresh, fresh_n);
    memcpy(made + before + fresh_n, rest.p + old_n, rest.n - old_n);
    *n = content.n - old_n + fresh_n;
    made[*n] = '\0';
    *out = made;
    return 0;
}

/* ---- files ---- */

int exchange_read(char **out, size_t *n, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *bytes = NULL;
    size_t got = 0;
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        err = -EFBIG;
    else if (!(bytes = malloc((size_t)st.st_size + 1)))
        err = -ENOMEM;
    while (!err && got < (size_t)st.st_size) {
        const ssize_t r = read(fd, bytes + got, (size_t)st.st_size - got);

        if (r < 0 && errno != EINTR)
            err = -errno;
        else if (r == 0)
            break;
        got += r > 0 ? (size_t)r : 0;
    }
    close(fd);
    if (err) {
        free(bytes);
        return err;
    }
    bytes[got] = '\0';
    *out = bytes;
    *n = got;
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

/* A link stays a link: what it leads to is exchanged. */
int exchange_write(const char *path, struct text content)
{
    char real[PATH_MAX], fresh[PATH_MAX + 24];
    struct stat st;
    int fd, err = 0;

    if (!realpath(path, real) || stat(real, &st))
        return -errno;
    snprintf(fresh, sizeof fresh, "%s.sidetone-XXXXXX", real);
    fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (((st.st_uid != geteuid() || st.st_gid != getegid()) && fchown(fd, st.st_uid, st.st_gid)) || fchmod(fd, st.st_mode & 07777))
        err = -errno;
    if (!err)
        err = write_all(fd, content);
    close(fd);
    if (!err && rename(fresh, real))
        err = -errno;
    if (err)
        (void)unlink(fresh);
    return err;
}

int exchange_backup(const char *path, struct text content)
{
    char copy[PATH_MAX + 24];
    int fd, err;

    snprintf(copy, sizeof copy, "%s.before-rotation", path);
    (void)unlink(copy);
    fd = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    err = write_all(fd, content);
    close(fd);
    return err;
}
