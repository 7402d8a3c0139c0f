/* Applies a plan, and takes it back. */
#include "app/audit_apply.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "app/audit_record.h"
#include "app/file_set.h"
#include "audit/audit.h"
#include "audit/clean.h"
#include "base/clock.h"
#include "wire/conf.h"

struct work {
    const char *folder;
    struct file_set set;
    cJSON *record;
    int lock;                      /* the folder, held; -1: not */
    FILE *problems;
};

static int refuse(const struct work *w, const char *path, const char *why, int err)
{
    fputs("sidetone audit: ", w->problems);
    clean_put(text_of(path), w->problems);
    fprintf(w->problems, ": %s; nothing was changed\n", why);
    return err;
}

static int refuse_set(const struct work *w, int err)
{
    const char *const path = w->set.count ? w->set.items[w->set.at].path : w->folder;

    if (!w->set.is_torn)
        return refuse(w, path, file_set_why(err), err);
    fputs("sidetone audit: ", w->problems);
    clean_put(text_of(path), w->problems);
    fprintf(w->problems, ": was replaced and could not be put back after another file failed (%s): take it from beside it, .sidetone-...\n", err_text(err));
    return err;
}

/* Two at once would take each other's changes for the operator's. */
static int work_begin(struct work *w, const char *folder, FILE *problems)
{
    int err;

    *w = (struct work){ .folder = folder, .problems = problems, .lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    if (w->lock < 0)
        return refuse(w, folder, err_text(-errno), -errno);
    if (flock(w->lock, LOCK_EX | LOCK_NB))
        return refuse(w, folder, "another --apply or --undo is at work there", -EBUSY);
    err = audit_record_read(&w->record, folder);
    if (err == -EBADMSG)
        return refuse(w, folder, "its .sidetone-undo.json is not a record of ours: move it away", err);
    return err ? refuse(w, folder, "its .sidetone-undo.json cannot be read", err) : 0;
}

static void work_end(struct work *w)
{
    file_set_free(&w->set);
    cJSON_Delete(w->record);
    if (w->lock >= 0)
        close(w->lock);
}

/* Renames are on the disk when their folders are. */
static void sync_folders(const struct work *w)
{
    for (size_t i = 0; i < w->set.count; i++) {
        const char *const path = w->set.items[i].path, *const slash = strrchr(path, '/');
        char folder[PATH_MAX];
        int fd;

        text_copy(folder, sizeof folder, text_make(path, (size_t)(slash - path)));
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            continue;
        (void)fsync(fd);
        close(fd);
    }
    (void)fsync(w->lock);
}

/* ---- there ---- */

static int on_file(void *arg, const char *path, struct text before, struct text after)
{
    return file_set_add(arg, path, before, after);
}

/* A backup is no *.conf, so `#include extensions_*.conf` passes it over; `#include conf.d/` and a bare star would read it as dialplan. */
struct watch {
    const struct file_set *set;
    const char *read;              /* the backup that was read */
};

static int watch_read(void *arg, const char *path, struct text *out)
{
    struct watch *const w = arg;
    struct stat one, other;

    for (size_t i = 0; i < w->set->count; i++)
        if (stat(path, &one) == 0 && stat(w->set->items[i].backup, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino)
            w->read = w->set->items[i].backup;
    return conf_disk.read(conf_disk.arg, path, out);
}

static int watch_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    (void)arg;
    return conf_disk.expand(conf_disk.arg, from, pattern, out);
}

static int check_backups(const struct work *w)
{
    struct watch seen = { .set = &w->set };
    const struct conf_source source = { .arg = &seen, .read = watch_read, .expand = watch_expand };
    char root[PATH_MAX];
    struct conf *c;
    int err = snprintf(root, sizeof root, "%s/extensions.conf", w->folder) < (int)sizeof root ? 0 : -ENAMETOOLONG;

    if (!err)
        err = conf_load(&c, root, &source);
    if (err)
        return refuse(w, w->folder, err_text(err), err);
    conf_free(c);
    return seen.read ? refuse(w, seen.read, "an #include with a star would read this backup as dialplan: write *.conf there", -EEXIST) : 0;
}

static int put_all(struct work *w, const char *stamp)
{
    int err = audit_record_add(w->record, w->folder, &w->set, stamp);

    /* The record first: after a crash in between, --undo restores what was replaced, and passes over what was not. */
    if (!err)
        err = audit_record_write(w->folder, w->record);
    if (err)
        return refuse(w, w->folder, "its .sidetone-undo.json cannot be written", err);
    err = file_set_put(&w->set);
    if (!err)
        return 0;
    if (!w->set.is_torn) {
        audit_record_drop_newest(w->record);
        (void)!audit_record_write(w->folder, w->record);
    }
    return refuse_set(w, err);
}

/* `dialplan reload` reads extensions.conf only. */
static void tell_reload(const struct work *w, FILE *out)
{
    bool has_ael = false;

    for (size_t i = 0; i < w->set.count; i++)
        has_ael = has_ael || text_ends(text_of(w->set.items[i].path), TEXT(".ael"));
    fprintf(out, "Then:    asterisk -rx \"dialplan reload\"\n%s", has_ael ? "         asterisk -rx \"module reload pbx_ael.so\"\n" : "");
}

static void tell_applied(const struct work *w, const struct plan *p, FILE *out)
{
    for (size_t i = 0; i < w->set.count; i++) {
        fputs("changed  ", out);
        clean_put(text_of(w->set.items[i].path), out);
        fputs("\n  backup ", out);
        clean_put(text_of(w->set.items[i].backup), out);
        putc('\n', out);
    }
    putc('\n', out);
    if (plan_has_section(p, false) || plan_has_section(p, true))
        fputs("Add to sidetone.conf, and restart the daemon (until then the old lines run as before):\n\n", out);
    plan_sections_write(p, out);
    tell_reload(w, out);
    fputs("Back by: sidetone audit --undo ", out);
    clean_put(text_of(w->folder), out);
    putc('\n', out);
}

static int apply(struct work *w, const struct plan *p, FILE *out)
{
    const time_t now = (time_t)(clock_wall_us() / 1000000);
    char stamp[32];
    struct tm tm;
    int err = plan_files(p, on_file, &w->set);

    if (err)
        return refuse(w, w->folder, err == -ESTALE ? "a file was changed since it was read" : err_text(err), err);
    if (w->set.count == 0) {
        fputs("nothing left to change\n", out);
        return 0;
    }
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    err = file_set_check(&w->set, w->folder);
    if (!err)
        err = file_set_backup(&w->set, stamp);
    if (err)
        return refuse_set(w, err);
    err = check_backups(w);
    if (!err)
        err = put_all(w, stamp);
    if (err && !w->set.is_torn)
        file_set_backup_drop(&w->set);
    if (err)
        return err;
    sync_folders(w);
    tell_applied(w, p, out);
    return 0;
}

int audit_apply(const struct plan *p, FILE *out, FILE *problems)
{
    struct work w;
    int err = work_begin(&w, p->audit->opt.folder, problems);

    if (!err)
        err = apply(&w, p, out);
    work_end(&w);
    return err;
}

/* ---- and back ---- */

static bool has_hash(const char *bytes, size_t n, const char *hash)
{
    char own[65];

    audit_record_hash(own, text_make(bytes, n));
    return strcmp(own, hash) == 0;
}

static int undo_file(struct work *w, const struct audit_record_file *f)
{
    char path[PATH_MAX], backup[PATH_MAX], *now = NULL, *old = NULL;
    size_t now_n, old_n;
    int err;

    if (snprintf(path, sizeof path, "%s/%s", w->folder, f->file) >= (int)sizeof path ||
        snprintf(backup, sizeof backup, "%s/%s", w->folder, f->backup) >= (int)sizeof backup)
        return refuse(w, w->folder, err_text(-ENAMETOOLONG), -ENAMETOOLONG);
    err = file_grab(path, &now, &now_n, NULL);
    if (err)
        return refuse(w, path, file_set_why(err), err);
    if (has_hash(now, now_n, f->before)) /* it was never replaced, or is back already */
        goto done;
    if (!has_hash(now, now_n, f->written)) {
        err = refuse(w, path, "is not as --apply left it", -ESTALE);
        goto done;
    }
    err = file_grab(backup, &old, &old_n, NULL);
    if (err)
        err = refuse(w, backup, file_set_why(err), err);
    else if (!has_hash(old, old_n, f->before))
        err = refuse(w, backup, "is not the backup that --apply made", -ESTALE);
    else if (file_set_add(&w->set, path, text_make(now, now_n), text_make(old, old_n)))
        err = refuse(w, path, err_text(-ENOMEM), -ENOMEM);
done:
    free(now);
    free(old);
    return err;
}

static int undo_collect(struct work *w, const cJSON *entry)
{
    const cJSON *const files = cJSON_GetObjectItemCaseSensitive(entry, "files"), *item;
    int err = 0;

    if (!cJSON_IsArray(files))
        return refuse(w, w->folder, "its .sidetone-undo.json is not a record of ours: move it away", -EBADMSG);
    cJSON_ArrayForEach(item, files) {
        struct audit_record_file f;

        if (!audit_record_file(&f, item))
            return refuse(w, w->folder, "its .sidetone-undo.json is not a record of ours: move it away", -EBADMSG);
        err = undo_file(w, &f);
        if (err)
            return err;
    }
    return 0;
}

static int undo(struct work *w, FILE *out)
{
    const cJSON *const entry = audit_record_newest(w->record);
    int err;

    if (!entry)
        return refuse(w, w->folder, "there is no record of an --apply", -ENOENT);
    err = undo_collect(w, entry);
    if (err)
        return err;
    err = file_set_check(&w->set, w->folder);
    if (!err)
        err = file_set_put(&w->set);
    if (err)
        return refuse_set(w, err);
    sync_folders(w);
    for (size_t i = 0; i < w->set.count; i++) {
        fputs("restored ", out);
        clean_put(text_of(w->set.items[i].path), out);
        putc('\n', out);
    }
    if (w->set.count)
        tell_reload(w, out);
    else
        fputs("every file is as it was before\n", out);
    audit_record_drop_newest(w->record);
    err = audit_record_write(w->folder, w->record);
    if (err)
        fprintf(w->problems, "sidetone audit: the files are restored, but .sidetone-undo.json could not be written: %s\n", err_text(err));
    return err;
}

int audit_undo(const char *folder, FILE *out, FILE *problems)
{
    struct work w;
    int err = work_begin(&w, folder, problems);

    if (!err)
        err = undo(&w, out);
    work_end(&w);
    return err;
}
