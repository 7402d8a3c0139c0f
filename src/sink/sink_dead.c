/* One job: append rows that can never be delivered to a file, as JSON lines that a retry can read back. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sink/sink_parts.h"

char *sink_dead_path(const char *journal_path, const char *name)
{
    return sink_problem("%s.%s.dead", journal_path, name);
}

/* Opens and locks. A retry puts another file in its place under the same lock: then ours is not the one of that name any more, and is opened anew. */
static int open_locked(const char *path)
{
    for (int tries = 0; tries < 100; tries++) {
        const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat mine, named;

        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX) == 0 && fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino)
            return fd;
        close(fd);
    }
    return -EBUSY;
}

/* The whole line or nothing of it: a disk that fills up leaves no torn one. */
static int write_whole(int fd, struct text line)
{
    const off_t before = lseek(fd, 0, SEEK_END);
    const struct text all = line;
    int err = 0;

    if (before < 0)
        return -errno;
    if ((uint64_t)before + line.n > SINK_DEAD_BYTES)
        return -EFBIG;
    while (line.n > 0 && !err) {
        const ssize_t k = write(fd, line.p, line.n);

        if (k < 0)
            err = errno == EINTR ? 0 : -errno;
        else
            line = text_skip(line, (size_t)k);
    }
    if (!err && fdatasync(fd))
        err = -errno;
    if (err && all.n != line.n && ftruncate(fd, before))
        return -EIO;
    return err;
}

int sink_dead_line(struct buf *out, const char *sink, const struct sink_row *row, const char *why, int64_t now_us)
{
    char at[32];

    clock_format(now_us, at, sizeof at);
    if (sink_row_json(out, row))
        return out->err;
    out->n--;                   /* the closing brace: three more fields go in */
    buf_add_text(out, TEXT(",\"sink\":\""));
    buf_add_json(out, text_of(sink));
    buf_addf(out, "\",\"dead_at\":\"%s\",\"why\":\"", at);
    buf_add_json(out, text_of(why));
    return buf_add_text(out, TEXT("\"}\n"));
}

int sink_dead_add(const char *path, const char *sink, const struct sink_row *row, const char *why, int64_t now_us)
{
    struct buf b;
    int fd, err;

    buf_init(&b, SINK_DEAD_LINE_BYTES);
    err = sink_dead_line(&b, sink, row, why, now_us);
    fd = err ? err : open_locked(path);
    if (!err)
        err = fd < 0 ? fd : write_whole(fd, buf_text(&b));
    if (fd >= 0)
        close(fd);
    buf_free(&b);
    return err;
}
