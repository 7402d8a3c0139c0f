/* One folder, one thread, and a broom. */
#include "app/talk_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { QUEUE = 8192, SWEEP_MS = 3600 * 1000 };

struct talk_files {
    struct loop *control;
    struct worker_pool *pool;
    struct timer *hour;
    char *folder;
    int64_t keep_ms;
    struct log log;
    size_t swept;                  /* by the last sweep: the worker's until it is back */
    bool is_sweeping;
};

static bool is_ours(const char *name)
{
    const size_t n = strlen(name);

    return (n > 4 && !strcmp(name + n - 4, ".wav")) || (n > 6 && !strcmp(name + n - 6, ".jsonl"));
}

size_t talk_files_sweep(const char *folder, int64_t before_s)
{
    DIR *d = opendir(folder);
    size_t count = 0;
    struct stat st;

    if (!d)
        return 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (!is_ours(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) || st.st_mtime >= before_s)
            continue;
        count += unlinkat(dirfd(d), e->d_name, 0) == 0;
    }
    closedir(d);
    return count;
}

static void sweep(void *arg)
{
    struct talk_files *t = arg;

    t->swept = talk_files_sweep(t->folder, (clock_wall_us() / 1000 - t->keep_ms) / 1000);
}

static void on_swept(void *arg)
{
    struct talk_files *t = arg;

    t->is_sweeping = false;
    if (t->swept > 0)
        log_info(&t->log, "old_recordings_deleted", kv_int("files", (int64_t)t->swept));
}

static void on_hour(void *arg)
{
    struct talk_files *t = arg;

    timer_start(t->hour, SWEEP_MS);
    if (!t->is_sweeping && worker_submit(t->pool, t->control, sweep, on_swept, t) == 0)
        t->is_sweeping = true;
}

struct worker_pool *talk_files_pool(struct talk_files *t)
{
    return t->pool;
}

const char *talk_files_folder(const struct talk_files *t)
{
    return t->folder;
}

/* The loop still tells the end of a sweep: what that needs is freed with it. */
static void let_go(void *arg)
{
    struct talk_files *t = arg;

    free(t->folder);
    free(t);
}

void talk_files_close(struct talk_files *t)
{
    if (!t)
        return;
    timer_free(t->hour);
    if (t->pool)
        worker_pool_free(t->pool);
    if (!t->is_sweeping || loop_post(t->control, let_go, t))
        let_go(t);                 /* no place among the posts: then the end of the sweep was told, or never will be */
}

int talk_files_open(struct talk_files **out, struct loop *control, const char *folder, int64_t keep_ms, const struct log *log)
{
    struct talk_files *t = calloc(1, sizeof *t);
    int err;

    if (!t)
        return -ENOMEM;
    t->control = control;
    t->keep_ms = keep_ms;
    t->log = log_for(log, "talk_files");
    t->folder = strdup(folder);
    err = t->folder ? worker_pool_new(&t->pool, 1, QUEUE, "talk_files") : -ENOMEM;
    if (!err)
        err = timer_new(&t->hour, control, on_hour, t);
    if (err) {
        talk_files_close(t);
        return err;
    }
    if (keep_ms > 0)
        timer_start(t->hour, 0);
    *out = t;
    return 0;
}
