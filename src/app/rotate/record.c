/* Keeps the record of rotations. */
#include "app/rotate/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/rotate/exchange.h"
#include "base/clock.h"

enum { RECORD_MAX = 1 << 20 };

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

int rotation_write(const char *state_dir, const struct rotation *r)
{
    char path[PATH_MAX];
    char *old = NULL;
    size_t n = 0;
    struct buf b;
    int fd, err;

    if (snprintf(path, sizeof path, "%s/rotation.json", state_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    close(fd);
    err = exchange_read(&old, &n, path);
    buf_init(&b, RECORD_MAX);
    if (!err)
        err = rotation_add(&b, text_make(old, n), r);
    if (!err)
        err = exchange_write(path, buf_text(&b));
    buf_free(&b);
    free(old);
    return err;
}
