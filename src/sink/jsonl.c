/* The sink that appends JSON lines to a file, whole batches or nothing, synced before the cursor moves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/sink_parts.h"

enum { TAIL_BYTES = 16 << 20 };     /* of the file's end is looked through for rows that a killed run wrote beyond its cursor */

struct jsonl {
    const struct sink_settings *set;
    struct log log;
    int fd;                         /* -1: to be opened */
    off_t size;                     /* whole, synced lines; what lies beyond is torn */
    struct sink_seen seen;
    struct buf lines;
};

/* Reads n bytes of the file's end. -EIO when the file is shorter than it was. */
static int read_at(int fd, char *p, size_t n, off_t at)
{
    while (n > 0) {
        const ssize_t k = pread(fd, p, n, at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? -errno : -EIO;
        p += k;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

/* A last line without its end: ours begins so, or is zeros that a power cut left. Anything else is somebody's file, and stays whole. */
static bool is_torn_line(struct text t)
{
    const struct text head = TEXT("{\"key\":\"");

    return t.n == 0 || t.p[0] == 0 || text_starts(t, text_head(head, t.n));
}

/* Learns the keys of the last lines; j->size becomes the end of the last whole one. */
static int learn(struct jsonl *j, int fd, off_t size)
{
    const size_t n = size > TAIL_BYTES ? TAIL_BYTES : (size_t)size;
    char *tail = n > 0 ? malloc(n) : NULL;
    struct text rest, line;
    size_t whole = 0;
    int err;

    j->size = size;
    if (n == 0)
        return 0;
    if (!tail)
        return -ENOMEM;
    err = read_at(fd, tail, n, size - (off_t)n);
    if (!err) {
        const char *last = memrchr(tail, '\n', n);

        whole = last ? (size_t)(last + 1 - tail) : 0;
        if ((!last && n == TAIL_BYTES) || !is_torn_line(text_make(tail + whole, n - whole)))
            err = -EINVAL;
    }
    rest = text_make(tail, whole);
    while (!err && rest.n > 0 && text_cut(&rest, '\n', &line))
        err = sink_seen_add_line(&j->seen, line);
    j->size = size - (off_t)(n - whole);
    free(tail);
    return err;
}

static int repair(struct jsonl *j, int fd, off_t size)
{
    int err = learn(j, fd, size);

    if (!err && j->size != size) {
        log_warn(&j->log, "torn_line_cut", kv_str("sink", j->set->name), kv_int("bytes", size - j->size));
        err = ftruncate(fd, j->size) ? -errno : 0;
    }
    return err;
}

static char *rotated_name(const struct jsonl *j)
{
    return sink_problem("%s.1", j->set->file);
}

/* The rows beyond the cursor may stand in the file that was rotated away just before the end. */
static int learn_rotated(struct jsonl *j)
{
    char *name = rotated_name(j);
    struct stat st;
    const int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    int err = name ? 0 : -ENOMEM;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        err = learn(j, fd, st.st_size);
    if (fd >= 0)
        close(fd);
    free(name);
    return err == -EINVAL ? 0 : err;
}

static int sync_folder(const char *file)
{
    char *folder = text_dup(text_of(file)), *slash = folder ? strrchr(folder, '/') : NULL;
    int fd, err = folder ? 0 : -ENOMEM;

    if (!folder)
        return err;
    if (slash)
        slash[slash == folder ? 1 : 0] = 0;
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd))
        err = -errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    return err;
}

static int file_open(struct jsonl *j)
{
    struct stat st;
    const int fd = open(j->set->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -ENOTSUP;             /* a pipe would block, a device keeps nothing */
    sink_seen_free(&j->seen);
    if (!err)
        err = learn_rotated(j);
    if (!err)
        err = repair(j, fd, st.st_size);
    if (!err && st.st_size == 0)
        err = sync_folder(j->set->file);
    if (err) {
        close(fd);
        return err;
    }
    j->fd = fd;
    return 0;
}

/* One older file is kept: FILE.1. */
static int rotate(struct jsonl *j, size_t more)
{
    char *name;
    int err;

    if (j->set->rotate_bytes <= 0 || j->size == 0 || j->size + (off_t)more <= j->set->rotate_bytes)
        return 0;
    name = rotated_name(j);
    if (!name)
        return -ENOMEM;
    err = rename(j->set->file, name) ? -errno : 0;
    free(name);
    if (err)
        return err;
    close(j->fd);
    j->fd = -1;
    return file_open(j);
}

/* Somebody else may have rotated the file (logrotate): the name decides, not the descriptor. */
static void look_for_name(struct jsonl *j)
{
    struct stat mine, named;

    if (j->fd < 0 || (fstat(j->fd, &mine) == 0 && stat(j->set->file, &named) == 0 && mine.st_ino == named.st_ino &&
                      mine.st_dev == named.st_dev && mine.st_size >= j->size))
        return;
    close(j->fd);
    j->fd = -1;
}

static int append(struct jsonl *j, struct text all)
{
    const off_t to = j->size + (off_t)all.n;
    int err = 0;

    for (off_t at = j->size; at < to && !err;) {
        const ssize_t k = pwrite(j->fd, all.p + (at - j->size), (size_t)(to - at), at);

        if (k >= 0)
            at += k;
        else if (errno != EINTR)
            err = -errno;
    }
    if (!err && fdatasync(j->fd))
        err = -errno;
    if (!err) {
        j->size = to;
        return 0;
    }
    if (ftruncate(j->fd, j->size))  /* the next opening repairs it */
        log_warn(&j->log, "cannot_truncate", kv_str("sink", j->set->name), kv_err(-errno));
    close(j->fd);
    j->fd = -1;
    return err;
}

static int make_lines(struct jsonl *j, const struct sink_row *rows, size_t count, size_t *bad)
{
    buf_clear(&j->lines);
    for (size_t i = 0; i < count; i++) {
        if (sink_seen_has(&j->seen, &rows[i]))
            continue;
        sink_row_json(&j->lines, &rows[i]);
        if (buf_add_char(&j->lines, '\n')) {
            *bad = i;
            return j->lines.err;
        }
    }
    return 0;
}

static int deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    struct jsonl *j = self;
    int err;

    look_for_name(j);
    err = j->fd < 0 ? file_open(j) : 0;
    if (!err)
        err = make_lines(j, rows, count, bad);
    if (!err && j->lines.n > 0)
        err = rotate(j, j->lines.n);
    if (!err && j->lines.n > 0)
        err = append(j, buf_text(&j->lines));
    if (err)
        snprintf(why, why_size, "%s: %s", j->set->file, err == -EINVAL ? "does not look like a file of JSON lines of ours"
                                                        : err == -ENOTSUP ? "is not a regular file" : err_text(err));
    return err ? -EAGAIN : 0;
}

static void jsonl_close(void *self)
{
    struct jsonl *j = self;

    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    sink_seen_free(&j->seen);
    buf_free(&j->lines);
    free(j);
}

static int jsonl_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    struct jsonl *j;

    if (!set->file || !set->file[0]) {
        *problem = sink_problem("sink %s: a file is needed (file = PATH)", set->name);
        return -EINVAL;
    }
    j = calloc(1, sizeof *j);
    if (!j)
        return -ENOMEM;
    j->set = set;
    j->fd = -1;
    j->log = log_for(log, "sink");
    buf_init(&j->lines, (size_t)SINK_BATCH_BYTES * 4);
    *out = j;
    return 0;
}

const struct sink_driver sink_jsonl = { .name = "jsonl", .open = jsonl_open, .deliver = deliver, .close = jsonl_close };
