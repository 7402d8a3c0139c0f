/* One job: deliver the rows of a dead-letter list once more, and put a list of what failed again in its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "sink/sink_parts.h"

enum { TRIES = 8, COPY_BYTES = 1 << 16 };

struct retry {
    const struct sink_retry_options *opt;
    struct sink_retried *told;
    void *driver;
    int folder;
    int fd;                     /* the list; nobody else retries while it is open */
    struct stat st;             /* as it was found: rows behind its size came later, and stay */
    FILE *in, *kept;            /* kept: becomes the list */
    char *kept_path;
    struct arena *arena;
    struct sink_row *rows;
    size_t count, max;
    char *line;
    size_t line_room;
    bool is_unreachable;
};

/* ---- one line ---- */

static bool number_of(const cJSON *o, const char *name, int64_t *out)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > 9007199254740992.0)
        return false;
    *out = (int64_t)v->valuedouble;
    return true;
}

static bool text_field(struct arena *a, const cJSON *o, const char *name, const char **out)
{
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

    *out = s ? arena_text(a, text_of(s)) : NULL;
    return *out != NULL;
}

/* The detail byte for byte. Inside a value a quote is escaped, so the first of these and the last are the row's own. */
static bool detail_of(struct arena *a, struct text line, const char **out)
{
    const struct text head = TEXT(",\"detail\":"), tail = TEXT(",\"sink\":\"");
    const ptrdiff_t from = text_find_text(line, head);
    ptrdiff_t to = -1;

    if (from < 0)
        return false;
    const struct text rest = text_skip(line, (size_t)from + head.n);

    for (ptrdiff_t at, next = 0; (at = text_find_text(text_skip(rest, (size_t)next), tail)) >= 0; next = to + 1)
        to = next + at;
    *out = to > 1 && rest.p[0] == '{' && rest.p[to - 1] == '}' ? arena_text(a, text_head(rest, (size_t)to)) : NULL;
    return *out != NULL;
}

static bool row_of(struct arena *a, struct text line, struct sink_row *row)
{
    cJSON *o = cJSON_ParseWithLength(line.p, line.n);
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "type"));
    int64_t seq, n;
    const bool is_row = type && (!strcmp(type, "fact") || !strcmp(type, "event")) && number_of(o, "id", &row->id) &&
                        number_of(o, "session", &row->session) && number_of(o, "seq", &seq) && number_of(o, "n", &n) && n < UINT32_MAX &&
                        number_of(o, "at_us", &row->at_us) && text_field(a, o, "node", &row->node) && text_field(a, o, "kind", &row->kind) &&
                        text_field(a, o, "call", &row->call) && detail_of(a, line, &row->detail);

    if (is_row) {
        row->is_event = !strcmp(type, "event");
        row->seq = (uint64_t)seq;
        row->n = (uint32_t)n;
    }
    cJSON_Delete(o);
    return is_row;
}

/* ---- what stays ---- */

static int keep(struct retry *r, const struct sink_row *row, const char *why)
{
    struct buf b;
    int err;

    buf_init(&b, SINK_DEAD_LINE_BYTES);
    err = sink_dead_line(&b, r->opt->settings.name, row, why, clock_wall_us());
    if (!err && fwrite(b.p, 1, b.n, r->kept) != b.n)
        err = -EIO;
    buf_free(&b);
    return err;
}

static int keep_as_it_is(struct retry *r, struct text line)
{
    r->told->refused++;
    snprintf(r->told->why, sizeof r->told->why, "a line of the list is no row of a journal");
    return fwrite(line.p, 1, line.n, r->kept) == line.n && putc('\n', r->kept) != EOF ? 0 : -EIO;
}

/* ---- delivering ---- */

static int refuse(struct retry *r, size_t bad, const char *why)
{
    const int err = keep(r, &r->rows[bad], why);

    memmove(&r->rows[bad], &r->rows[bad + 1], (r->count - bad - 1) * sizeof *r->rows);
    r->count--;
    r->told->refused++;
    return err;
}

static int leave(struct retry *r, const char *why)
{
    int err = 0;

    for (size_t i = 0; i < r->count && !err; i++)
        err = keep(r, &r->rows[i], why);
    r->told->left += r->count;
    r->count = 0;
    return err;
}

/* All rows in hand: delivered, refused one by one, or left from the first failure on. Each round has one row less, so it ends. */
static int deliver(struct retry *r)
{
    int err = 0;

    while (r->count > 0 && !err) {
        char why[SINK_WHY] = "";
        size_t bad = SIZE_MAX;
        const int result = r->is_unreachable ? -EAGAIN : r->opt->driver->deliver(r->driver, r->rows, r->count, &bad, why, sizeof why);

        if (result == 0) {
            r->told->delivered += r->count;
            r->count = 0;
            break;
        }
        sink_why_clean(why, &r->opt->settings);
        if (!why[0])
            snprintf(why, sizeof why, "%s", r->is_unreachable ? r->told->why : err_text(result));
        snprintf(r->told->why, sizeof r->told->why, "%s", why);
        INVARIANT(result != -EBADMSG || bad < r->count);
        r->is_unreachable = r->is_unreachable || result != -EBADMSG;
        err = result == -EBADMSG ? refuse(r, bad, why) : leave(r, why);
    }
    arena_reset(r->arena);
    return err;
}

static int take_line(struct retry *r, struct text line)
{
    struct sink_row row = { .id = 0 };
    int err = 0;

    if (line.n == 0)
        return 0;
    r->told->read++;
    if (r->count == r->max || arena_used(r->arena) + line.n * 2 > SINK_BATCH_BYTES)
        err = deliver(r);
    if (err)
        return err;
    if (line.n > SINK_DEAD_LINE_BYTES || !row_of(r->arena, line, &row))
        return keep_as_it_is(r, line);
    r->rows[r->count++] = row;
    return 0;
}

/* What the list held when it was opened, and no line that came later: those stay behind its end. */
static int deliver_all(struct retry *r)
{
    off_t left = r->st.st_size;
    int err = 0;

    while (!err && left > 0) {
        ssize_t n = getline(&r->line, &r->line_room, r->in);

        if (n <= 0)
            return -EIO;
        if (n > left)
            n = (ssize_t)left;      /* somebody's last line had no end */
        left -= n;
        err = take_line(r, text_make(r->line, (size_t)n - (r->line[n - 1] == '\n')));
    }
    return err ? err : deliver(r);
}

/* ---- the list ---- */

static bool is_the_named_one(int fd, const char *path, struct stat *st)
{
    struct stat named;

    return fstat(fd, st) == 0 && stat(path, &named) == 0 && st->st_ino == named.st_ino && st->st_dev == named.st_dev;
}

/* Two locks: a record lock for the whole time keeps a second retry out; the one that the daemon takes (flock) is held for moments only. */
static int open_list(struct retry *r, const char *path)
{
    for (int tries = 0; tries < TRIES; tries++) {
        struct flock mine = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (r->fd < 0)
            return -errno;
        if (fcntl(r->fd, F_OFD_SETLK, &mine) != 0)
            return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
        /* Under the daemon's lock no line is half written. */
        if (flock(r->fd, LOCK_EX) != 0)
            return -errno;
        const bool is_it = is_the_named_one(r->fd, path, &r->st);

        flock(r->fd, LOCK_UN);
        if (is_it)
            return 0;
        close(r->fd);
        r->fd = -1;
    }
    return -EBUSY;
}

/* The new list belongs to whom the old one did: the daemon adds to it, whoever runs the retry. */
static int open_kept(struct retry *r)
{
    const int fd = open(r->kept_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fchmod(fd, r->st.st_mode & 0777) != 0 || fchown(fd, r->st.st_uid, r->st.st_gid) != 0)
        err = -errno;
    r->kept = err ? NULL : fdopen(fd, "w");
    if (!r->kept)
        close(fd);
    return err ? err : r->kept ? 0 : -ENOMEM;
}

static int copy_later_ones(struct retry *r)
{
    char piece[COPY_BYTES];
    off_t at = r->st.st_size;
    ssize_t n;

    while ((n = pread(r->fd, piece, sizeof piece, at)) > 0) {
        if (fwrite(piece, 1, (size_t)n, r->kept) != (size_t)n)
            return -EIO;
        at += n;
    }
    return n < 0 ? -errno : 0;
}

/* In one step, with the daemon kept out: it finds another file of that name, and opens that. */
static int put_in_place(struct retry *r, const char *path)
{
    int err;

    if (fflush(r->kept) || fsync(fileno(r->kept)))      /* the slow part, while the daemon may still add */
        return -EIO;
    err = flock(r->fd, LOCK_EX) ? -errno : copy_later_ones(r);

    if (!err && (fflush(r->kept) || fsync(fileno(r->kept))))
        err = -EIO;
    if (!err && rename(r->kept_path, path))
        err = -errno;
    if (!err && fsync(r->folder))
        err = -EIO;
    flock(r->fd, LOCK_UN);
    return err;
}

/* ---- all of it ---- */

/* Early: once rows are delivered, nothing that can be had beforehand shall be missing. */
static int open_folder(struct retry *r, const char *path)
{
    char *folder = text_dup(text_of(path)), *slash = folder ? strrchr(folder, '/') : NULL;
    int err = 0;

    if (!folder)
        return -ENOMEM;
    if (slash)
        slash[slash == folder] = '\0';
    r->folder = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->folder < 0)
        err = -errno;
    free(folder);
    return err;
}

static int prepare(struct retry *r, const char *path)
{
    const size_t own = r->opt->driver->batch_max;
    const int copy = dup(r->fd);
    int err;

    r->max = own && own < SINK_BATCH ? own : SINK_BATCH;
    r->in = copy < 0 ? NULL : fdopen(copy, "r");
    if (!r->in && copy >= 0)
        close(copy);
    r->rows = calloc(r->max, sizeof *r->rows);
    r->kept_path = sink_problem("%s.new", path);
    if (!r->in || !r->rows || !r->kept_path)
        return -ENOMEM;
    err = arena_new(&r->arena, SINK_BATCH_BYTES + SINK_DEAD_LINE_BYTES * 2);
    if (!err)
        err = open_folder(r, path);
    return err ? err : open_kept(r);
}

static void clean_up(struct retry *r, bool is_done)
{
    if (r->kept && !is_done)
        unlink(r->kept_path);
    if (r->kept)
        fclose(r->kept);
    if (r->in)
        fclose(r->in);
    if (r->folder >= 0)
        close(r->folder);
    if (r->fd >= 0)
        close(r->fd);
    arena_free(r->arena);
    free(r->rows);
    free(r->kept_path);
    free(r->line);
}

int sink_retry(const struct sink_retry_options *opt, struct sink_retried *out, char **problem)
{
    struct retry r = { .opt = opt, .told = out, .folder = -1, .fd = -1 };
    bool is_open = false, is_done = false;
    int err;

    *problem = NULL;
    *out = (struct sink_retried){ .read = 0 };
    err = open_list(&r, opt->dead_letter_file);
    if (!err)
        err = prepare(&r, opt->dead_letter_file);
    if (!err) {
        err = opt->driver->open(&r.driver, &opt->settings, opt->log, problem);
        is_open = !err;
    }
    if (!err)
        err = deliver_all(&r);
    if (!err && out->read > 0) {
        err = put_in_place(&r, opt->dead_letter_file);
        is_done = !err;
    }
    if (is_open)
        opt->driver->close(r.driver);
    clean_up(&r, is_done);
    return err;
}
