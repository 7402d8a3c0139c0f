/* Makes folders and files, each of them new. */
#include "app/init/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 256 << 10, FILES_MAX = INIT_FILES + INIT_SECRETS };

struct writing {
    const char *folder;
    char paths[FILES_MAX][PATH_MAX];
    size_t count;
    struct buf *told;
    char *why;
    size_t why_size;
};

int init_secret_make(char *out, size_t size)
{
    uint8_t bytes[INIT_SECRET_BYTES];

    if (size < 2 * sizeof bytes + 1 || getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
    return 0;
}

static int refuse(struct writing *w, const char *path, int err)
{
    snprintf(w->why, w->why_size, "%.600s: %s", path, err == -EEXIST ? "is there already, and is not overwritten" : err_text(err));
    return err;
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

static int write_new(struct writing *w, const char *name, struct text content, mode_t mode)
{
    char *path = w->paths[w->count];
    int fd, err;

    if (snprintf(path, PATH_MAX, "%s/%s", w->folder, name) >= PATH_MAX)
        return refuse(w, w->folder, -ENAMETOOLONG);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return refuse(w, path, -errno);
    w->count++;
    err = write_all(fd, content);
    close(fd);
    if (err)
        return refuse(w, path, err);
    buf_addf(w->told, "%s\n", path);
    return 0;
}

static int make_folder(struct writing *w, const char *name)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s%s%s", w->folder, *name ? "/" : "", name) >= (int)sizeof path)
        return refuse(w, w->folder, -ENAMETOOLONG);
    return mkdir(path, 0755) && errno != EEXIST ? refuse(w, path, -errno) : 0;
}

static int write_file(struct writing *w, const struct init_plan *p, enum init_file f, const char *const *secrets)
{
    const bool has_secret = f == INIT_MANAGER || f == INIT_ARI_CONF;
    struct buf b;
    int err;

    buf_init(&b, FILE_MAX);
    err = init_file_write(&b, p, f, secrets);
    if (!err)
        err = write_new(w, init_file_name(f), buf_text(&b), has_secret ? 0600 : 0644);
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_free(&b);
    return err;
}

static int write_secret(struct writing *w, const struct init_plan *p, enum init_secret_of s, const char *secret)
{
    char name[INIT_NAME_MAX + 16], line[2 * INIT_SECRET_BYTES + 2];
    int err;

    init_secret_name(p, s, name, sizeof name);
    snprintf(line, sizeof line, "%s\n", secret);
    err = write_new(w, name, text_of(line), 0600);
    explicit_bzero(line, sizeof line);
    return err;
}

int init_files_write(const struct init_plan *p, const char *folder, const char *const secrets[INIT_SECRETS], struct buf *told, char *why, size_t size)
{
    struct writing w = { .folder = folder, .told = told, .why = why, .why_size = size };
    int err = make_folder(&w, "");

    if (!err)
        err = make_folder(&w, "asterisk");
    if (!err && init_file_is_wanted(p, INIT_HELLO))
        err = make_folder(&w, "handlers");
    for (int s = 0; !err && p->is_new && s < INIT_SECRETS; s++)
        if (p->users[s])
            err = write_secret(&w, p, (enum init_secret_of)s, secrets[s]);
    for (int f = 0; !err && f < INIT_FILES; f++)
        if (init_file_is_wanted(p, (enum init_file)f))
            err = write_file(&w, p, (enum init_file)f, secrets);
    for (size_t i = 0; err && i < w.count; i++)
        (void)unlink(w.paths[i]);
    return err;
}
