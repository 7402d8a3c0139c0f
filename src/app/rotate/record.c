/* Keeps the record of rotations. */
#include "app/rotate/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "app/file_set.h"
#include "app/rotate/swap.h"
#include "base/clock.h"

enum { RECORD_MAX = 1 << 20, LOCK_TRIES = 100, LOCK_STEP_NS = 20000000 };

static bool has(const cJSON *o, const char *key, const char *value)
{
    const char *t = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return t && strcmp(t, value) == 0;
}

static bool is_same(const cJSON *o, const struct rotation *r)
{
    return has(o, "node", r->node) && has(o, "door", r->door) && has(o, "user", r->user);
}

static cJSON *entry(const struct rotation *r)
{
    char at[32];
    cJSON *o = cJSON_CreateObject();

    clock_format(r->at_us, at, sizeof at);
    if (o && cJSON_AddStringToObject(o, "node", r->node) && cJSON_AddStringToObject(o, "door", r->door) && cJSON_AddStringToObject(o, "user", r->user) &&
        cJSON_AddStringToObject(o, "at", at))
        return o;
    cJSON_Delete(o);
    return NULL;
}

static void drop_same(cJSON *list, const struct rotation *r)
{
    for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--)
        if (is_same(cJSON_GetArrayItem(list, i), r))
            cJSON_DeleteItemFromArray(list, i);
}

int rotation_add(struct buf *out, struct text old, const struct rotation *r)
{
    cJSON *root = old.n ? cJSON_ParseWithLength(old.p, old.n) : NULL;
    cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "rotations");
    cJSON *fresh = entry(r);
    char *text = NULL;
    int err = -ENOMEM;

    if (!cJSON_IsArray(list)) {
        cJSON_Delete(root);
        root = cJSON_CreateObject();
        list = cJSON_AddArrayToObject(root, "rotations");
    }
    if (list && fresh) {
        drop_same(list, r);
        cJSON_AddItemToArray(list, fresh);
        fresh = NULL;
        text = cJSON_PrintUnformatted(root);
    }
    if (text) {
        buf_add_text(out, text_of(text));
        err = buf_add_char(out, '\n');
    }
    cJSON_free(text);
    cJSON_Delete(fresh);
    cJSON_Delete(root);
    return err;
}

static bool read_entry(struct rotation *out, const cJSON *o)
{
    const char *at = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "at"));
    struct tm tm = { .tm_isdst = 0 };

    *out = (struct rotation){ .node = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "node")),
                              .door = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "door")),
                              .user = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "user")) };
    if (!out->node || !out->door || !out->user || !at || !strptime(at, "%Y-%m-%dT%H:%M:%S", &tm))
        return false;
    out->at_us = (int64_t)timegm(&tm) * 1000000;
    return true;
}

void rotation_each(struct text content, void (*on_entry)(void *arg, const struct rotation *r), void *arg)
{
    cJSON *root = cJSON_ParseWithLength(content.p, content.n);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "rotations"), *item;
    struct rotation r;

    cJSON_ArrayForEach(item, list)
        if (read_entry(&r, item))
            on_entry(arg, &r);
    cJSON_Delete(root);
}

int rotation_read(const char *state_dir, void (*on_entry)(void *arg, const struct rotation *r), void *arg)
{
    char path[PATH_MAX];
    char *bytes;
    size_t n;
    int err;

    if (snprintf(path, sizeof path, "%s/rotation.json", state_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    err = file_grab(path, &bytes, &n, NULL);
    if (err)
        return err;
    rotation_each(text_make(bytes, n), on_entry, arg);
    free(bytes);
    return 0;
}

/* Rotations of other nodes may keep their records here, too. */
static int lock_folder(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&(struct timespec){ .tv_nsec = LOCK_STEP_NS }, NULL);
    }
    close(fd);
    return -EBUSY;
}

int rotation_write(const char *state_dir, const struct rotation *r)
{
    char path[PATH_MAX];
    char *old = NULL;
    size_t n = 0;
    struct buf b;
    int fd, lock, err;

    if (snprintf(path, sizeof path, "%s/rotation.json", state_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    lock = lock_folder(state_dir);
    if (lock < 0)
        return lock;
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    err = fd < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (!err)
        err = file_grab(path, &old, &n, NULL);
    buf_init(&b, RECORD_MAX);
    if (!err)
        err = rotation_add(&b, text_make(old, n), r);
    if (!err)
        err = swap_write(path, buf_text(&b));
    buf_free(&b);
    free(old);
    close(lock);
    return err;
}
